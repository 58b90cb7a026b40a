import type { Micros } from '@prewake/sdk/protocol';
import type { DeadlineTimer } from './deadline-timer.ts';
import { HoppingTimer } from './hopping-timer.ts';

/** One pending call. */
export interface Deadline {
  readonly due: Micros;
  cancelled: boolean;
  run(): void;
}

/** Closer than a timer can hit: due now. A deadline may run this much early, microseconds. */
export const SLACK_US = 250;

/**
 * All of hostd's deadlines on one timer: a binary heap, and the timer for its root only. While nothing is due it is
 * not set, so hostd at rest does not wake.
 */
export class Deadlines {
  readonly #now: () => Micros;
  readonly #heap: Deadline[] = [];
  #cancelled = 0;
  readonly #timer: DeadlineTimer;
  #timerDue = Number.POSITIVE_INFINITY;
  #running = false;
  /** Called once what was due has been done. */
  onFired: (() => void) | undefined;

  /** @param timer makes the timer, which is to call `fire` */
  constructor(now: () => Micros, timer = (fire: () => void): DeadlineTimer => new HoppingTimer(now, fire)) {
    this.#now = now;
    this.#timer = timer(() => this.#fire());
  }

  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  at(due: Micros, run: () => void): Deadline {
    const deadline: Deadline = { due, run, cancelled: false };
    this.#push(deadline);
    if (!this.#running && this.#heap[0] === deadline) this.#schedule();
    return deadline;
  }

  cancel(deadline: Deadline | undefined): void {
    if (!deadline || deadline.cancelled) return;
    deadline.cancelled = true;
    this.#cancelled++;
    // Cancelled ones stay in the heap until they surface; rebuild before they are most of it.
    if (this.#cancelled > 64 && this.#cancelled * 2 > this.#heap.length) this.#compact();
    if (this.size === 0) this.#clear();
  }

  close(): void {
    this.#clear();
    this.#timer.close();
  }

  #clear(): void {
    this.#timer.clear();
    this.#timerDue = Number.POSITIVE_INFINITY;
    this.#heap.length = 0;
    this.#cancelled = 0;
  }

  #fire(): void {
    this.#timerDue = Number.POSITIVE_INFINITY;
    this.#running = true;
    try {
      // Not heap[0] of an empty heap: compiled code would be given up each time for what it has not met before.
      while (this.#heap.length > 0) {
        const root = this.#heap[0] as Deadline;
        if (!root.cancelled && root.due > this.#now() + SLACK_US) break;
        this.#pop();
        if (root.cancelled) this.#cancelled--;
        else {
          root.cancelled = true; // A later cancel() of it must not count it again.
          root.run();
        }
      }
    } finally {
      this.#running = false;
      this.#schedule();
    }
    this.onFired?.();
  }

  #schedule(): void {
    if (this.#heap.length === 0) return;
    const root = this.#heap[0] as Deadline;
    if (root.due >= this.#timerDue) return;
    this.#timerDue = root.due;
    this.#timer.set(root.due);
  }

  #compact(): void {
    const live = this.#heap.filter((deadline) => !deadline.cancelled);
    this.#heap.length = 0;
    this.#cancelled = 0;
    for (const deadline of live) this.#push(deadline);
  }

  #push(deadline: Deadline): void {
    const heap = this.#heap;
    let child = heap.push(deadline) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = heap[parent] as Deadline;
      if (above.due <= deadline.due) break;
      heap[child] = above;
      child = parent;
    }
    heap[child] = deadline;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Deadline;
    const size = heap.length;
    if (size === 0) return;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && (heap[child + 1] as Deadline).due < (heap[child] as Deadline).due) child++;
      if ((heap[child] as Deadline).due >= last.due) break;
      heap[hole] = heap[child] as Deadline;
      hole = child;
    }
    heap[hole] = last;
  }
}
