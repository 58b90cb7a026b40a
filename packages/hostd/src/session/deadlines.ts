import type { Micros } from '@prewake/sdk/protocol';

/** One pending call. */
export interface Deadline {
  readonly due: Micros;
  cancelled: boolean;
  run(): void;
}

/** A sleep is late by about 0.1 % of its length, so the last one before a deadline is at most this long. */
const LAST_HOP_US = 200_000;
/** Closer than a timer can hit: due now. A deadline may run this much early, microseconds. */
export const SLACK_US = 250;

/**
 * All of hostd's deadlines on one timer: a binary heap, and a timeout for its root only. While nothing is due
 * there is no timer, so hostd at rest does not wake. Long sleeps are made in shrinking hops.
 */
export class Deadlines {
  readonly #now: () => Micros;
  readonly #heap: Deadline[] = [];
  #cancelled = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Number.POSITIVE_INFINITY;
  #running = false;

  constructor(now: () => Micros) {
    this.#now = now;
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
    if (this.size === 0) this.close();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDue = Number.POSITIVE_INFINITY;
    this.#heap.length = 0;
    this.#cancelled = 0;
  }

  #fire = (): void => {
    this.#timer = undefined;
    this.#timerDue = Number.POSITIVE_INFINITY;
    this.#running = true;
    try {
      for (let root = this.#heap[0]; root; root = this.#heap[0]) {
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
  };

  #schedule(): void {
    const root = this.#heap[0];
    if (!root || root.due >= this.#timerDue) return;
    const left = root.due - this.#now();
    const hop = left <= LAST_HOP_US ? left : Math.min(left - LAST_HOP_US / 2, left * 0.95);
    clearTimeout(this.#timer);
    this.#timerDue = root.due;
    this.#timer = setTimeout(this.#fire, Math.max(1, Math.min(Math.floor(hop / 1000), 2 ** 31 - 1)));
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
