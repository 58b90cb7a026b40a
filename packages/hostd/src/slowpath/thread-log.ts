import { Known, type Slice, SliceBegin, SliceEnd, WakeCause } from '../kernel/slice.ts';
import type { ThreadRole } from '../kernel/threads.ts';
import { earliest, isSum, readyTime } from './categories.ts';
import { StoredSlice } from './stored-slice.ts';

/** Whether a thread may give work to those of the pool of a process. */
type Submits = (tgid: number, tid: number) => boolean;

/** The slices of one thread, ascending. */
export class ThreadLog {
  readonly tgid: number;
  readonly tid: number;
  readonly slices: StoredSlice[] = [];
  /** When the last slice ended, also where it has been settled; 0 before the first. */
  offAt = 0;
  /** When it last slept of its own will: what was to be announced by then has been written, but in the middle of a turn. */
  sleptAt = 0;
  #end: SliceEnd | undefined;
  #inside = 0;
  #jobAt = 0;
  #jobBy = -1;
  #rampFrom = 0;
  exited = false;
  /** What the thread is, once somebody has looked: see owners.ts. */
  role: ThreadRole | undefined;

  constructor(tgid: number, tid: number) {
    this.tgid = tgid;
    this.tid = tid;
  }

  /**
   * @param since when its process was tracked, nanoseconds: counters begin there
   * @param kept what the slice is kept in
   * @param submits who may have given the thread work, where it is of the pool
   */
  add(slice: Slice, since: number, kept = new StoredSlice(), submits: Submits = () => false): StoredSlice {
    kept.copy(slice);
    kept.previousOffAt = this.offAt;
    kept.previousEnd = this.#end;
    kept.previousInside = this.#inside;
    kept.before = this.offAt || (isSum(slice) ? since : 0);
    kept.start = earliest(slice, kept.before);
    kept.rampNs = this.#ramp(slice);
    this.#job(slice, submits);
    kept.jobAt = this.#jobAt;
    kept.jobBy = this.#jobBy;
    this.slices.push(kept);
    this.offAt = Math.max(this.offAt, slice.offAt);
    if (slice.end === SliceEnd.sleep) this.sleptAt = slice.offAt;
    this.#end = slice.end;
    this.#inside = slice.offInside;
    return kept;
  }

  /** Work begins where it was woken by who can give it some; whatever else woke it woke it in the middle of that. */
  #job(slice: Slice, submits: Submits): void {
    if (slice.begin === SliceBegin.new || isSum(slice)) {
      this.#jobAt = slice.readyAt;
      this.#jobBy = 0;
    } else if (
      slice.begin === SliceBegin.woken &&
      slice.cause === WakeCause.task &&
      (this.#end === undefined || this.#end === SliceEnd.sleep) &&
      submits(slice.tgid, slice.causeId)
    ) {
      this.#jobAt = slice.wakingAt;
      this.#jobBy = slice.causeId;
    }
  }

  #ramp(slice: Slice): number {
    if (!(slice.known & Known.frequency) || slice.khz <= 0 || slice.targetKhz <= 0) return 0;
    const from = this.#rampFrom;
    const reached = slice.khz >= slice.targetKhz;
    if (slice.begin === SliceBegin.woken) this.#rampFrom = reached ? 0 : slice.onAt;
    else if (reached) this.#rampFrom = 0;
    return reached && from > 0 && slice.begin !== SliceBegin.woken ? slice.onAt - from : 0;
  }

  /** Index of the first slice that ended after `t`. */
  firstAfter(t: number): number {
    let i = this.slices.length;
    while (i > 0 && (this.slices[i - 1] as StoredSlice).offAt > t) i--;
    return i;
  }

  /** The slice at a time, or the last one before; undefined where it is not kept any more. */
  sliceAt(t: number): StoredSlice | undefined {
    return this.slices[this.#startedBy(t) - 1];
  }

  /** When slices begin, within a time. */
  starts(from: number, to: number, out: number[]): void {
    for (let i = this.#startedBy(from); i < this.slices.length; i++) {
      const { start } = this.slices[i] as StoredSlice;
      if (start >= to) break;
      out.push(start);
    }
  }

  /** How many slices have begun by `t`. */
  #startedBy(t: number): number {
    let low = 0;
    let high = this.slices.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.slices[middle] as StoredSlice).start <= t) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The last wakeup that had the thread on the CPU by `to`; null where it had become ready by `from` already. */
  wakeupIn(from: number, to: number): StoredSlice | null {
    for (let i = this.slices.length - 1; i >= 0; i--) {
      const slice = this.slices[i] as StoredSlice;
      if (slice.onAt > to || slice.begin !== SliceBegin.woken) continue;
      return readyTime(slice) > from ? slice : null;
    }
    return null;
  }

  /**
   * When the activity that a wakeup began was over: the thread slept of its own will. Preemption and
   * uninterruptible sleep only interrupt it. Infinity where that is not recorded yet.
   */
  activityEnd(index: number): number {
    for (let i = index; i < this.slices.length; i++) {
      const slice = this.slices[i] as StoredSlice;
      if (slice.end === SliceEnd.sleep || slice.end === SliceEnd.exit) return slice.offAt;
      const next = this.slices[i + 1];
      if (next && next.begin === SliceBegin.woken && slice.end !== SliceEnd.uninterruptible)
        return slice.offAt;
    }
    return Infinity;
  }
}
