import { type Slice, SliceBegin, SliceEnd, WakeCause } from '../kernel/slice.ts';
import { ALL_KNOWN } from './options.ts';

/** A slice with everything known and nothing paid, for tests: a thread woken at 1000 ns, on the CPU from then to 2000. */
export function makeSlice(fields: Partial<Slice> = {}): Slice {
  const wakingAt = fields.wakingAt ?? fields.onAt ?? 1000;
  const onAt = fields.onAt ?? wakingAt;
  return {
    tgid: 100,
    tid: 100,
    cpu: 0,
    known: ALL_KNOWN,
    begin: SliceBegin.woken,
    cause: WakeCause.task,
    causeId: -1,
    causeName: '',
    wakerCpu: 1,
    wakingAt,
    eventAt: 0,
    timerLateNs: 0,
    workQueuedNs: 0,
    idleExitAt: 0,
    idleState: -1,
    readyAt: wakingAt,
    onAt,
    offAt: onAt + 1000,
    end: SliceEnd.sleep,
    offInside: 0,
    irqNs: 0,
    softirqNs: 0,
    faultNs: 0,
    vfsNs: 0,
    blockNs: 0,
    ioUringNs: 0,
    throttledNs: 0,
    faultInclusiveNs: 0,
    vfsInclusiveNs: 0,
    irqs: 0,
    softirqs: 0,
    minorFaults: 0,
    majorFaults: 0,
    cacheHits: 0,
    cacheMisses: 0,
    vfsCalls: 0,
    dentryMisses: 0,
    blockRequests: 0,
    khz: 0,
    targetKhz: 0,
    ...fields,
  };
}
