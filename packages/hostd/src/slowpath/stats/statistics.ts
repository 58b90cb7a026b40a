import { KERNEL_CATEGORIES, type KernelCategory } from '@prewake/sdk/protocol';
import {
  Container,
  EventKind,
  type EventRecord,
  Known,
  SliceBegin,
  SliceEnd,
  WakeCause,
} from '../../kernel/slice.ts';
import { idleExit, readyTime } from '../categories.ts';
import type { StoredSlice } from '../stored-slice.ts';
import type { Group } from './group.ts';

/** What is kept beside the categories' own times: each answers one question. The part before the first dot groups. */
const STATISTICS = {
  'wakeup.to_run': ['ns', 'waking → on the CPU'],
  'wakeup.wait': ['ns', 'how long the thread had slept of its own will: the epoll wait of an event loop'],
  'wakeup.idle_state': ['count', 'the idle state that the wakeup found the CPU in'],
  'frequency.khz': ['kHz', 'the CPU’s frequency when a woken thread began to run'],
  'frequency.ramp': ['ns', 'from a wakeup to the first slice that began at the target frequency'],
  'timer.to_waking': ['ns', 'the expiry that was asked for → waking'],
  'workqueue.to_waking': ['ns', 'a work item began to run → it woke the thread'],
  'workqueue.queued': ['ns', 'a single work item, queued → run'],
  'workqueue.runtime': ['ns', 'run time of a work item'],
  'page_fault.minor': ['count', 'minor faults of a slice'],
  'page_fault.major': ['count', 'major faults of a slice'],
  'page_fault.each': ['ns', 'a single fault'],
  'page_fault.block': ['ns', 'block wait inside a page fault'],
  'page_cache.hit': ['count', 'page-cache hits of a slice'],
  'page_cache.miss': ['count', 'page-cache misses of a slice'],
  'vfs.block': ['ns', 'block wait inside a VFS call: lookup → block'],
  'vfs.open': ['ns', 'a single open'],
  'vfs.stat': ['ns', 'a single stat'],
  'vfs.readdir': ['ns', 'a single readdir'],
  'vfs.lookup': ['ns', 'a single path lookup'],
  'block.each': ['ns', 'a single request, issue → complete'],
  'io_uring.each': ['ns', 'a single request, submit → complete'],
} as const satisfies Record<string, readonly ['ns' | 'count' | 'kHz', string]>;

export type Statistic = KernelCategory | keyof typeof STATISTICS;

/** Each has its index here as a number: the categories come first, in their order. */
export const STATISTIC_NAMES: readonly Statistic[] = [
  ...KERNEL_CATEGORIES,
  ...(Object.keys(STATISTICS) as (keyof typeof STATISTICS)[]),
];

const indexOf = (statistic: Statistic): number => STATISTIC_NAMES.indexOf(statistic);

export function unitOf(statistic: Statistic): 'ns' | 'count' | 'kHz' {
  return statistic in STATISTICS ? STATISTICS[statistic as keyof typeof STATISTICS][0] : 'ns';
}

/** Whether a category, or a part of one, asks for a statistic: `wakeup` asks for all of `wakeup.*`. */
export function matches(statistic: string, asked: string): boolean {
  return statistic === asked || statistic.startsWith(`${asked}.`);
}

export const isStatistic = (asked: string): boolean =>
  STATISTIC_NAMES.some((statistic) => matches(statistic, asked));

const S = {
  wakeupToRun: indexOf('wakeup.to_run'),
  wakeupWait: indexOf('wakeup.wait'),
  wakeupIdleState: indexOf('wakeup.idle_state'),
  frequencyKhz: indexOf('frequency.khz'),
  timerToWaking: indexOf('timer.to_waking'),
  workqueueToWaking: indexOf('workqueue.to_waking'),
  frequencyRamp: indexOf('frequency.ramp'),
  pageFaultMinor: indexOf('page_fault.minor'),
  pageFaultMajor: indexOf('page_fault.major'),
  pageCacheHit: indexOf('page_cache.hit'),
  pageCacheMiss: indexOf('page_cache.miss'),
  pageFaultBlock: indexOf('page_fault.block'),
  vfsBlock: indexOf('vfs.block'),
  workqueueQueued: indexOf('workqueue.queued'),
  blockEach: indexOf('block.each'),
  ioUringEach: indexOf('io_uring.each'),
  workqueueRuntime: indexOf('workqueue.runtime'),
  pageFaultEach: indexOf('page_fault.each'),
  vfsOpen: indexOf('vfs.open'),
  vfsStat: indexOf('vfs.stat'),
  vfsReaddir: indexOf('vfs.readdir'),
  vfsLookup: indexOf('vfs.lookup'),
};

/** What a wakeup tells, to each that it served. */
export function ofWakeup(slice: StoredSlice, sums: Group): void {
  if (slice.begin !== SliceBegin.woken || !(slice.known & Known.wakeup)) return;
  const waking = readyTime(slice);
  sums.add(S.wakeupToRun, slice.onAt - waking);
  if (slice.previousEnd === SliceEnd.sleep && waking > slice.previousOffAt)
    sums.add(S.wakeupWait, waking - slice.previousOffAt);
  if (slice.known & Known.idle && idleExit(slice) !== 'none') sums.add(S.wakeupIdleState, slice.idleState);
  if (slice.known & Known.frequency && slice.khz > 0) sums.add(S.frequencyKhz, slice.khz);
  if (slice.eventAt <= 0 || slice.eventAt > waking) return;
  if (slice.cause === WakeCause.timer && slice.known & Known.timer)
    sums.add(S.timerToWaking, waking - slice.eventAt);
  if (slice.cause === WakeCause.kworker && slice.known & Known.work)
    sums.add(S.workqueueToWaking, Math.max(0, waking - slice.eventAt - slice.workQueuedNs));
}

/** What a slice tells of what it did. */
export function ofSlice(slice: StoredSlice, sums: Group): void {
  if (slice.rampNs > 0) sums.add(S.frequencyRamp, slice.rampNs);
  if (slice.known & Known.faultCount) {
    if (slice.minorFaults > 0) sums.add(S.pageFaultMinor, slice.minorFaults);
    if (slice.majorFaults > 0) sums.add(S.pageFaultMajor, slice.majorFaults);
  }
  if (slice.known & Known.cache) {
    if (slice.cacheHits > 0) sums.add(S.pageCacheHit, slice.cacheHits);
    if (slice.cacheMisses > 0) sums.add(S.pageCacheMiss, slice.cacheMisses);
  }
  if (slice.known & Known.block && slice.blockNs > 0) {
    if (slice.previousInside & Container.fault) sums.add(S.pageFaultBlock, slice.blockNs);
    else if (slice.previousInside & Container.vfs) sums.add(S.vfsBlock, slice.blockNs);
  }
}

const EVENTS: Record<EventKind, number> = {
  [EventKind.block]: S.blockEach,
  [EventKind.ioUring]: S.ioUringEach,
  [EventKind.work]: S.workqueueRuntime,
  [EventKind.fault]: S.pageFaultEach,
  [EventKind.open]: S.vfsOpen,
  [EventKind.stat]: S.vfsStat,
  [EventKind.readdir]: S.vfsReaddir,
  [EventKind.lookup]: S.vfsLookup,
};

export function ofEvent(event: EventRecord, sums: Group): void {
  const statistic = EVENTS[event.kind];
  if (event.kind === EventKind.work && event.queuedNs) sums.add(S.workqueueQueued, event.queuedNs);
  if (statistic !== undefined) sums.add(statistic, event.durationNs);
}
