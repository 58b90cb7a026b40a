import { KERNEL_CATEGORIES } from '@prewake/sdk/protocol';
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
import type { StoredSlice } from '../thread-log.ts';

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

export type Statistic = (typeof KERNEL_CATEGORIES)[number] | keyof typeof STATISTICS;

export function unitOf(statistic: Statistic): 'ns' | 'count' | 'kHz' {
  return statistic in STATISTICS ? STATISTICS[statistic as keyof typeof STATISTICS][0] : 'ns';
}

/** Whether a category, or a part of one, asks for a statistic: `wakeup` asks for all of `wakeup.*`. */
export function matches(statistic: string, asked: string): boolean {
  return statistic === asked || statistic.startsWith(`${asked}.`);
}

export const isStatistic = (asked: string): boolean =>
  [...KERNEL_CATEGORIES, ...Object.keys(STATISTICS)].some((statistic) => matches(statistic, asked));

/** What values are added to. */
export interface Sums {
  add(statistic: Statistic, value: number): void;
}

/** What a wakeup tells, to each that it served. */
export function ofWakeup(slice: StoredSlice, sums: Sums): void {
  if (slice.begin !== SliceBegin.woken || !(slice.known & Known.wakeup)) return;
  const waking = readyTime(slice);
  sums.add('wakeup.to_run', slice.onAt - waking);
  if (slice.previousEnd === SliceEnd.sleep && waking > slice.previousOffAt)
    sums.add('wakeup.wait', waking - slice.previousOffAt);
  if (slice.known & Known.idle && idleExit(slice) !== 'none') sums.add('wakeup.idle_state', slice.idleState);
  if (slice.known & Known.frequency && slice.khz > 0) sums.add('frequency.khz', slice.khz);
  if (slice.eventAt <= 0 || slice.eventAt > waking) return;
  if (slice.cause === WakeCause.timer && slice.known & Known.timer)
    sums.add('timer.to_waking', waking - slice.eventAt);
  if (slice.cause === WakeCause.kworker && slice.known & Known.work)
    sums.add('workqueue.to_waking', Math.max(0, waking - slice.eventAt - slice.workQueuedNs));
}

/** What a slice tells of what it did. */
export function ofSlice(slice: StoredSlice, sums: Sums): void {
  if (slice.rampNs > 0) sums.add('frequency.ramp', slice.rampNs);
  if (slice.known & Known.faultCount) {
    if (slice.minorFaults > 0) sums.add('page_fault.minor', slice.minorFaults);
    if (slice.majorFaults > 0) sums.add('page_fault.major', slice.majorFaults);
  }
  if (slice.known & Known.cache) {
    if (slice.cacheHits > 0) sums.add('page_cache.hit', slice.cacheHits);
    if (slice.cacheMisses > 0) sums.add('page_cache.miss', slice.cacheMisses);
  }
  if (slice.known & Known.block && slice.blockNs > 0) {
    if (slice.previousInside & Container.fault) sums.add('page_fault.block', slice.blockNs);
    else if (slice.previousInside & Container.vfs) sums.add('vfs.block', slice.blockNs);
  }
}

const EVENTS: Record<EventKind, Statistic> = {
  [EventKind.block]: 'block.each',
  [EventKind.ioUring]: 'io_uring.each',
  [EventKind.work]: 'workqueue.runtime',
  [EventKind.fault]: 'page_fault.each',
  [EventKind.open]: 'vfs.open',
  [EventKind.stat]: 'vfs.stat',
  [EventKind.readdir]: 'vfs.readdir',
  [EventKind.lookup]: 'vfs.lookup',
};

export function ofEvent(event: EventRecord, sums: Sums): void {
  const statistic = EVENTS[event.kind];
  if (event.kind === EventKind.work && event.queuedNs) sums.add('workqueue.queued', event.queuedNs);
  if (statistic) sums.add(statistic, event.durationNs);
}
