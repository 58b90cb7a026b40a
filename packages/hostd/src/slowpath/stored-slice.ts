import { type Slice, SliceBegin, SliceEnd, WakeCause } from '../kernel/slice.ts';

/** A slice that is kept until no step can need it any more. Then the object is used for another: see slice-pool.ts. */
export class StoredSlice implements Slice {
  tgid = 0;
  tid = 0;
  cpu = 0;
  known = 0;
  begin: SliceBegin = SliceBegin.unknown;
  cause: WakeCause = WakeCause.none;
  causeId = 0;
  causeName = '';
  originCause: WakeCause = WakeCause.none;
  originId = 0;
  originName = '';
  wakerCpu = 0;
  wakingAt = 0;
  eventAt = 0;
  timerLateNs = 0;
  workQueuedNs = 0;
  idleExitAt = 0;
  idleState = 0;
  readyAt = 0;
  onAt = 0;
  offAt = 0;
  end: SliceEnd = SliceEnd.open;
  offInside = 0;
  irqNs = 0;
  softirqNs = 0;
  faultNs = 0;
  vfsNs = 0;
  blockNs = 0;
  ioUringNs = 0;
  throttledNs = 0;
  faultInclusiveNs = 0;
  vfsInclusiveNs = 0;
  irqs = 0;
  softirqs = 0;
  minorFaults = 0;
  majorFaults = 0;
  cacheHits = 0;
  cacheMisses = 0;
  vfsCalls = 0;
  dentryMisses = 0;
  blockRequests = 0;
  khz = 0;
  targetKhz = 0;

  /** When the thread left the CPU before, 0 unknown, how, and inside of what. */
  previousOffAt = 0;
  previousEnd: SliceEnd | undefined;
  previousInside = 0;
  /** What happened earlier delayed nobody: {@link previousOffAt}, or since when counters count. */
  before = 0;
  /** It tells of no earlier time. */
  start = 0;
  /** On a thread of the pool: when it was woken for what it does, 0 unknown; and by which thread, 0: none could be. */
  jobAt = 0;
  jobBy = -1;
  /** In the first slice that began at the target frequency after a wakeup below it: how long that took. Else 0. */
  rampNs = 0;

  /** Takes over what a decoder tells, whose object is not to be kept. */
  copy(slice: Slice): void {
    this.tgid = slice.tgid;
    this.tid = slice.tid;
    this.cpu = slice.cpu;
    this.known = slice.known;
    this.begin = slice.begin;
    this.cause = slice.cause;
    this.causeId = slice.causeId;
    this.causeName = slice.causeName;
    this.originCause = slice.originCause;
    this.originId = slice.originId;
    this.originName = slice.originName;
    this.wakerCpu = slice.wakerCpu;
    this.wakingAt = slice.wakingAt;
    this.eventAt = slice.eventAt;
    this.timerLateNs = slice.timerLateNs;
    this.workQueuedNs = slice.workQueuedNs;
    this.idleExitAt = slice.idleExitAt;
    this.idleState = slice.idleState;
    this.readyAt = slice.readyAt;
    this.onAt = slice.onAt;
    this.offAt = slice.offAt;
    this.end = slice.end;
    this.offInside = slice.offInside;
    this.irqNs = slice.irqNs;
    this.softirqNs = slice.softirqNs;
    this.faultNs = slice.faultNs;
    this.vfsNs = slice.vfsNs;
    this.blockNs = slice.blockNs;
    this.ioUringNs = slice.ioUringNs;
    this.throttledNs = slice.throttledNs;
    this.faultInclusiveNs = slice.faultInclusiveNs;
    this.vfsInclusiveNs = slice.vfsInclusiveNs;
    this.irqs = slice.irqs;
    this.softirqs = slice.softirqs;
    this.minorFaults = slice.minorFaults;
    this.majorFaults = slice.majorFaults;
    this.cacheHits = slice.cacheHits;
    this.cacheMisses = slice.cacheMisses;
    this.vfsCalls = slice.vfsCalls;
    this.dentryMisses = slice.dentryMisses;
    this.blockRequests = slice.blockRequests;
    this.khz = slice.khz;
    this.targetKhz = slice.targetKhz;
  }
}
