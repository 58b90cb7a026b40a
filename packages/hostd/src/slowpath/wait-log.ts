import type { AttributionOptions } from './options.ts';
import type { StepSpan } from './step-table.ts';
import type { StoredSlice } from './stored-slice.ts';

/** A wait (`<session>/<id>`), and when a window was open for it. Times in nanoseconds. */
export class OpenWait {
  readonly name: string;
  readonly step: StepSpan;
  readonly thread: number;
  readonly from: number;
  to = Infinity;
  /** Alternating: opened, closed, opened, … */
  readonly windows: number[] = [];

  constructor(name: string, step: StepSpan, thread: number, from: number) {
    this.name = name;
    this.step = step;
    this.thread = thread;
    this.from = from;
  }

  /** Whether a window was open for this wait at `t`. */
  windowAt(t: number): boolean {
    let changes = 0;
    while (changes < this.windows.length && (this.windows[changes] as number) <= t) changes++;
    return changes % 2 === 1;
  }
}

/** A wait's windows beyond this many are not kept: a stream renews one, it does not open more. */
const MAX_WINDOW_CHANGES = 64;

/** The waits of a process: open ones, and ended ones until their wakeup is found and settled. */
export class WaitLog {
  readonly #limit: number;
  readonly #open = new Map<string, OpenWait>();
  /** Ascending by end, but for frames that came out of order. */
  #ended: OpenWait[] = [];
  /** The last of each name among them. */
  readonly #endedByName = new Map<string, OpenWait>();
  #unresolved: OpenWait[] = [];

  constructor(options: AttributionOptions) {
    this.#limit = options.limits.waits;
  }

  /** @returns false where there was no room. */
  begin(name: string, step: StepSpan, thread: number, at: number): boolean {
    if (this.#open.size >= this.#limit) return false;
    this.#open.set(name, new OpenWait(name, step, thread, at));
    return true;
  }

  end(name: string, at: number, cancelled: boolean): void {
    const wait = this.#open.get(name);
    if (!wait) return;
    this.#open.delete(name);
    wait.to = at;
    if (this.#ended.length >= 4 * this.#limit)
      for (const old of this.#ended.splice(0, this.#limit)) this.#forget(old);
    this.#ended.push(wait);
    this.#endedByName.set(name, wait);
    // Nobody learns from a wait that was given up.
    if (!cancelled && this.#unresolved.length < this.#limit) this.#unresolved.push(wait);
  }

  /** A window was opened for a wait, or closed: also after the wait's end, of which hostd learns a little later. */
  window(name: string, at: number, open: boolean): void {
    const wait = this.#open.get(name) ?? this.#endedByName.get(name);
    if (!wait || wait.windows.length >= MAX_WINDOW_CHANGES || (wait.windows.length % 2 === 0) !== open)
      return;
    wait.windows.push(at);
  }

  /** The steps of the waits on a thread that ended in [from, to) and had begun before. */
  endedIn(thread: number, from: number, to: number): StepSpan[] {
    const steps: StepSpan[] = [];
    let low = 0;
    let high = this.#ended.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ended[middle] as OpenWait).to < from) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < this.#ended.length; i++) {
      const wait = this.#ended[i] as OpenWait;
      if (wait.to >= to) break;
      if (wait.thread === thread && wait.from < from && !steps.includes(wait.step)) steps.push(wait.step);
    }
    return steps;
  }

  /**
   * Looks for the wakeups of ended waits.
   * @param find the slice, null where there was none, undefined where it can't be told yet
   */
  resolve(
    find: (wait: OpenWait) => StoredSlice | null | undefined,
    found: (wait: OpenWait, slice: StoredSlice) => void,
  ): void {
    if (this.#unresolved.length === 0) return;
    this.#unresolved = this.#unresolved.filter((wait) => {
      const slice = find(wait);
      if (slice) found(wait, slice);
      return slice === undefined;
    });
  }

  prune(before: number): void {
    const kept = this.#ended.filter((wait) => wait.to >= before);
    if (kept.length === this.#ended.length) return;
    for (const wait of this.#ended) if (wait.to < before) this.#forget(wait);
    this.#ended = kept;
  }

  #forget(wait: OpenWait): void {
    // The name may be a later wait's by now.
    if (this.#endedByName.get(wait.name) === wait) this.#endedByName.delete(wait.name);
  }
}
