import { type Slice, SliceEnd } from '../kernel/slice.ts';
import type { ThreadRole } from '../kernel/threads.ts';
import { SlicePool } from './slice-pool.ts';
import type { StoredSlice } from './stored-slice.ts';
import { ThreadLog } from './thread-log.ts';

/** The threads of a process and of its children, with the slices that are kept of all of them. */
export class ThreadTable {
  readonly #byTid = new Map<number, ThreadLog>();
  readonly #limits: { threads: number; slices: number };
  readonly #pool = new SlicePool();
  readonly #roleOf: (thread: ThreadLog) => ThreadRole;
  /** Threads of the pool wake each other, too, and give each other nothing. One function for all slices. */
  readonly #submits = (tgid: number, tid: number): boolean => {
    if (tid === tgid) return true;
    const thread = this.#byTid.get(tid);
    return thread?.tgid === tgid && this.#roleOf(thread) !== 'pool';
  };
  #kept = 0;

  constructor(limits: { threads: number; slices: number }, roleOf: (thread: ThreadLog) => ThreadRole) {
    this.#limits = limits;
    this.#roleOf = roleOf;
  }

  /** Slices that are kept. */
  get kept(): number {
    return this.#kept;
  }

  get full(): boolean {
    return this.#kept >= this.#limits.slices;
  }

  get(tid: number): ThreadLog | undefined {
    return this.#byTid.get(tid);
  }

  values(): IterableIterator<ThreadLog> {
    return this.#byTid.values();
  }

  /**
   * @param since when the process was tracked, nanoseconds: counters begin there
   * @returns false where there was no room.
   */
  add(slice: Slice, since: number): boolean {
    const thread = this.#of(slice.tgid, slice.tid);
    if (!thread || this.full) return false;
    thread.add(slice, since, this.#pool.take(), this.#submits);
    this.#kept++;
    if (slice.end === SliceEnd.exit) thread.exited = true;
    return true;
  }

  /** A thread is gone. Its last slice comes after this: it is forgotten once that is settled. */
  exit(tgid: number, tid: number): void {
    const thread = this.#of(tgid, tid);
    if (thread) thread.exited = true;
  }

  /** The oldest slice that is kept of each thread. */
  oldest(): StoredSlice[] {
    const oldest: StoredSlice[] = [];
    for (const { slices } of this.#byTid.values()) if (slices[0]) oldest.push(slices[0]);
    return oldest;
  }

  /**
   * Hands on the slices that ended up to `until`, the first `count` of each thread, and forgets them; then the threads
   * of which nothing more can come.
   */
  settle(
    until: number,
    settled: (thread: ThreadLog, count: number) => void,
    gone: (thread: ThreadLog) => void,
  ): void {
    for (const [tid, thread] of this.#byTid) {
      const { slices } = thread;
      let count = 0;
      while (count < slices.length && (slices[count] as StoredSlice).offAt <= until) count++;
      if (count > 0) {
        settled(thread, count);
        this.#forget(thread, count);
      }
      if (thread.exited && thread.slices.length === 0 && thread.offAt <= until) {
        this.#byTid.delete(tid);
        gone(thread);
      }
    }
  }

  #forget(thread: ThreadLog, count: number): void {
    this.#pool.give(thread.slices.splice(0, count));
    this.#kept -= count;
  }

  #of(tgid: number, tid: number): ThreadLog | undefined {
    let thread = this.#byTid.get(tid);
    // The tid of a thread whose exit was lost can be given to another process.
    if (thread && thread.tgid === tgid) return thread;
    if (thread) this.#forget(thread, thread.slices.length);
    else if (this.#byTid.size >= this.#limits.threads) return undefined;
    thread = new ThreadLog(tgid, tid);
    this.#byTid.set(tid, thread);
    return thread;
  }
}
