import { EventKind, type Slice, SliceBegin, WakeCause } from '../../slice.ts';
import type { Collector } from '../collector.ts';
import type { Testimony } from './witness.ts';

/** What we recorded between the first and the last fork of a thread, in the witness's words. */
export function ourTestimony(records: Collector, tid: number): Testimony {
  const marks = records.forks.filter((fork) => fork.parentTid === tid).map((fork) => fork.at);
  const from = marks[0] as number;
  const to = marks.at(-1) as number;
  // Neither of us counts a stay on a CPU whose beginning the kernel did not trace.
  const slices = records.slices.filter(
    (slice) => slice.offAt > from && slice.offAt < to && slice.begin !== SliceBegin.unknown,
  );
  const woken = slices.filter((slice) => slice.begin === SliceBegin.woken);
  const preempted = slices.filter((slice) => slice.begin === SliceBegin.preempted);
  const works = woken.filter((slice) => slice.cause === WakeCause.kworker);
  const timers = woken.filter((slice) => slice.cause === WakeCause.timer);
  const blocks = records.events.filter(
    (event) => event.kind === EventKind.block && event.at > from && event.at < to,
  );
  const sum = (of: readonly Slice[], what: (slice: Slice) => number): number =>
    of.reduce((total, slice) => total + what(slice), 0);
  return new Map([
    ['forks', records.forks.filter((fork) => fork.at >= from && fork.at < to).length],
    ['slices', slices.length],
    ['slices_ns', sum(slices, (s) => s.offAt - s.onAt)],
    ['wakeups', woken.length],
    ['wakeups_ns', sum(woken, (s) => s.onAt - s.wakingAt)],
    ['preempted', preempted.length],
    ['preempted_ns', sum(preempted, (s) => s.onAt - s.readyAt)],
    ['idle_exits', woken.filter((s) => s.idleExitAt > 0).length],
    ['remote_exits', woken.filter((s) => s.idleExitAt > s.wakingAt).length],
    ['remote_exits_ns', sum(woken, (s) => Math.max(0, s.idleExitAt - s.wakingAt))],
    ['sleeps', woken.filter((s) => s.blockNs > 0).length],
    ['sleeps_ns', sum(woken, (s) => s.blockNs)],
    ['timers', timers.length],
    ['timers_ns', sum(timers, (s) => s.timerLateNs)],
    ['works', works.length],
    ['works_ns', sum(works, (s) => s.workQueuedNs)],
    ['irqs', sum(slices, (s) => s.irqs)],
    ['irqs_ns', sum(slices, (s) => s.irqNs)],
    ['softirqs', sum(slices, (s) => s.softirqs)],
    ['softirqs_ns', sum(slices, (s) => s.softirqNs)],
    ['cache_adds', sum(slices, (s) => s.cacheMisses)],
    ['cache_hits', sum(slices, (s) => s.cacheHits)],
    ['requests', sum(slices, (s) => s.blockRequests)],
    ['completed', blocks.length],
    ['completed_ns', blocks.reduce((total, event) => total + event.durationNs, 0)],
  ]);
}
