import { Known, type Slice, SliceBegin, SliceEnd } from '../kernel/slice.ts';
import type { ThreadRole } from '../kernel/threads.ts';
import { type Interval, isSum, paid, readyTime } from './categories.ts';

/** A slice that is kept until no step can need it any more. */
export interface StoredSlice extends Slice {
  /** When the thread left the CPU before, 0 unknown, how, and inside of what. */
  readonly previousOffAt: number;
  readonly previousEnd: SliceEnd | undefined;
  readonly previousInside: number;
  readonly intervals: readonly Interval[];
  /** In the first slice that began at the target frequency after a wakeup below it: how long that took. Else 0. */
  readonly rampNs: number;
  /** The earliest time of which it tells. */
  readonly start: number;
}

/** The slices of one thread, ascending. */
export class ThreadLog {
  readonly tgid: number;
  readonly tid: number;
  readonly slices: StoredSlice[] = [];
  /** When the last slice ended, also where it has been settled; 0 before the first. */
  offAt = 0;
  /** When it last slept of its own will: what its code had to announce until then has been written. */
  sleptAt = 0;
  #end: SliceEnd | undefined;
  #inside = 0;
  #rampFrom = 0;
  exited = false;
  /** What the thread is, once somebody has looked: see owners.ts. */
  role: ThreadRole | undefined;

  constructor(tgid: number, tid: number) {
    this.tgid = tgid;
    this.tid = tid;
  }

  /** @param since when its process was tracked, nanoseconds: counters begin there */
  add(slice: Slice, since: number): StoredSlice {
    const intervals = paid(slice, this.offAt || (isSum(slice) ? since : 0));
    let start = Math.min(readyTime(slice), slice.onAt);
    for (const { from } of intervals) if (from < start) start = from;
    // Copied: decoders reuse one object.
    const stored: StoredSlice = {
      ...copy(slice),
      previousOffAt: this.offAt,
      previousEnd: this.#end,
      previousInside: this.#inside,
      intervals,
      rampNs: this.#ramp(slice),
      start,
    };
    this.slices.push(stored);
    this.offAt = Math.max(this.offAt, slice.offAt);
    if (slice.end === SliceEnd.sleep) this.sleptAt = slice.offAt;
    this.#end = slice.end;
    this.#inside = slice.offInside;
    return stored;
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

/** A slice's fields by value: a decoder's may be accessors. */
function copy(s: Slice): Slice {
  return {
    tgid: s.tgid,
    tid: s.tid,
    cpu: s.cpu,
    known: s.known,
    begin: s.begin,
    cause: s.cause,
    causeId: s.causeId,
    causeName: s.causeName,
    wakerCpu: s.wakerCpu,
    wakingAt: s.wakingAt,
    eventAt: s.eventAt,
    timerLateNs: s.timerLateNs,
    workQueuedNs: s.workQueuedNs,
    idleExitAt: s.idleExitAt,
    idleState: s.idleState,
    readyAt: s.readyAt,
    onAt: s.onAt,
    offAt: s.offAt,
    end: s.end,
    offInside: s.offInside,
    irqNs: s.irqNs,
    softirqNs: s.softirqNs,
    faultNs: s.faultNs,
    vfsNs: s.vfsNs,
    blockNs: s.blockNs,
    ioUringNs: s.ioUringNs,
    throttledNs: s.throttledNs,
    faultInclusiveNs: s.faultInclusiveNs,
    vfsInclusiveNs: s.vfsInclusiveNs,
    irqs: s.irqs,
    softirqs: s.softirqs,
    minorFaults: s.minorFaults,
    majorFaults: s.majorFaults,
    cacheHits: s.cacheHits,
    cacheMisses: s.cacheMisses,
    vfsCalls: s.vfsCalls,
    dentryMisses: s.dentryMisses,
    blockRequests: s.blockRequests,
    khz: s.khz,
    targetKhz: s.targetKhz,
  };
}
