import { Known, type Slice, SliceBegin, SliceEnd, WakeCause } from '../kernel/slice.ts';
import { type Intervals, Phase, Place } from './intervals.ts';
import { CATEGORY_INDEX as C } from './known.ts';

/**
 * What a slice paid, by category. Pure but for `out`, which is emptied first. No nanosecond is in two intervals, so sums
 * never exceed wall time: inner categories are cut out of outer ones (an interrupt out of the block wait that it ends),
 * and durations whose place is not recorded are clamped to the time that is left.
 *
 * @param before what happened earlier delayed nobody: when the thread left the CPU before; 0 unknown
 */
export function paid(slice: Slice, before: number, out: Intervals): void {
  out.clear();
  if (isSum(slice)) {
    sum(slice, before, out);
    return;
  }
  if (slice.begin === SliceBegin.preempted) queued(slice, out);
  else if (slice.begin !== SliceBegin.unknown) {
    beforeWaking(slice, before, out);
    afterWaking(slice, out);
  }
  onCpu(slice, out);
}

/** A time that none of a slice's intervals begins before. */
export function earliest(slice: Slice, before: number): number {
  const ready = readyTime(slice);
  const start = Math.min(ready, slice.onAt, slice.readyAt || ready);
  if (isSum(slice))
    return slice.known & Known.runqueue && slice.onAt > slice.readyAt
      ? Math.min(start, before || start)
      : start;
  const wait = Math.max(slice.blockNs, slice.ioUringNs, slice.eventAt > 0 ? ready - slice.eventAt : 0);
  return Math.min(start, Math.max(before, ready - wait));
}

/**
 * What is known of the idle exit: `none` where the CPU was not idle, `remote` where it can be told (another CPU woke
 * the thread, then this one left its idle state), `own` where the CPU's own interrupt woke it: the exit lies before
 * the handler, or the time from waking to the exit event is the handler's, and what the exit cost is unknown.
 */
export function idleExit(slice: Slice): 'none' | 'remote' | 'own' {
  if (slice.idleState < 0) return 'none';
  return slice.wakerCpu !== slice.cpu && slice.idleExitAt > readyTime(slice) ? 'remote' : 'own';
}

/** Counters since the thread's last record (schedstat) rather than one stretch on a CPU: only lengths mean something. */
export function isSum(slice: Slice): boolean {
  return slice.end === SliceEnd.open && !(slice.known & Known.wakeup);
}

function sum(slice: Slice, before: number, out: Intervals): void {
  const from = Math.min(before || slice.readyAt, slice.readyAt);
  const to = slice.offAt;
  const ns = Math.min(slice.onAt - slice.readyAt, to - from);
  if (slice.known & Known.runqueue && ns > 0) out.add(C.runqueue, Phase.queue, Place.within, from, to, ns);
}

/** When the thread became runnable. */
export function readyTime(slice: Slice): number {
  return slice.wakingAt || slice.readyAt || slice.onAt;
}

function exact(out: Intervals, category: number, phase: Phase, from: number, to: number): void {
  if (to > from) out.add(category, phase, Place.exact, from, to, to - from);
}

/** Preempted: runnable until it ran again; first throttled, where the cgroup's quota took it off. */
function queued(slice: Slice, out: Intervals): void {
  if (!(slice.known & Known.runqueue) || slice.readyAt === 0) return;
  const free = Math.min(slice.onAt, slice.readyAt + throttled(slice));
  exact(out, C.throttled, Phase.queue, slice.readyAt, free);
  exact(out, C.runqueue, Phase.queue, free, slice.onAt);
}

function throttled(slice: Slice): number {
  return slice.known & Known.throttled ? Math.max(0, slice.throttledNs) : 0;
}

/** Event → waking, and the wait that it ended. */
function beforeWaking(slice: Slice, before: number, out: Intervals): void {
  const { known, eventAt: event } = slice;
  const waking = readyTime(slice);
  if (event > 0 && event < waking) {
    const from = Math.max(event, before);
    if (slice.cause === WakeCause.hardirq) {
      if (known & Known.irq) exact(out, C.irq, Phase.wake, from, waking);
    } else if (slice.cause === WakeCause.softirq) {
      if (known & Known.softirq) exact(out, C.softirq, Phase.wake, from, waking);
    } else if (slice.cause === WakeCause.kworker) {
      const run = Math.min(event + slice.workQueuedNs, waking);
      if (known & Known.work) exact(out, C.workqueue, Phase.wake, from, run);
    } else if (slice.cause === WakeCause.timer) {
      const expired = event + slice.timerLateNs;
      if (known & Known.timer) exact(out, C.timer, Phase.wake, from, Math.min(expired, waking));
      if (known & Known.irq) exact(out, C.irq, Phase.wake, Math.max(expired, before), waking);
    }
  }
  if (known & Known.block && slice.blockNs > 0)
    rest(out, C.block, Math.max(waking - slice.blockNs, before), waking);
  if (known & Known.ioUring && slice.ioUringNs > 0)
    rest(out, C.io_uring, Math.max(waking - slice.ioUringNs, before), waking);
}

/** What of [from, to] none of the intervals so far has. */
function rest(
  out: Intervals,
  category: number,
  from: number,
  to: number,
  first = 0,
  taken = out.length,
): void {
  let free = from;
  for (let i = first; i < taken && free < to; i++) {
    const other = out.at(i);
    if (other.to <= free || other.from >= to) continue;
    rest(out, category, free, other.from, i + 1, taken);
    free = other.to;
  }
  exact(out, category, Phase.wake, free, to);
}

/** Waking → on the CPU. */
function afterWaking(slice: Slice, out: Intervals): void {
  if (!(slice.known & Known.wakeup)) return;
  const waking = readyTime(slice);
  let from = waking;
  if (slice.known & Known.idle && slice.idleExitAt > waking) {
    from = Math.min(slice.idleExitAt, slice.onAt);
    const soft = slice.cause === WakeCause.softirq;
    if (idleExit(slice) === 'remote') exact(out, C['wakeup.idle_exit'], Phase.wake, waking, from);
    else if (slice.idleState >= 0 && slice.known & (soft ? Known.softirq : Known.irq))
      exact(out, soft ? C.softirq : C.irq, Phase.wake, waking, from);
    else from = waking;
  }
  const free = Math.min(slice.onAt, from + throttled(slice));
  exact(out, C.throttled, Phase.wake, from, free);
  exact(out, C['wakeup.scheduling'], Phase.wake, free, slice.onAt);
}

/** What was taken from the slice while it was on the CPU, and the frequency's part of the rest. */
function onCpu(slice: Slice, out: Intervals): void {
  const { known } = slice;
  let left = Math.max(0, slice.offAt - slice.onAt);
  if (known & Known.irq) left -= stolen(slice, out, C.irq, slice.irqNs, left);
  if (known & Known.softirq) left -= stolen(slice, out, C.softirq, slice.softirqNs, left);
  if (known & Known.faultTime) left -= stolen(slice, out, C.page_fault, slice.faultNs, left);
  if (known & Known.vfs) left -= stolen(slice, out, C.vfs, slice.vfsNs, left);
  if (known & Known.frequency && slice.khz > 0 && slice.targetKhz > slice.khz && left > 0) {
    const ns = left * (1 - slice.khz / slice.targetKhz);
    out.add(C.frequency, Phase.run, Place.even, slice.onAt, slice.offAt, ns);
  }
}

function stolen(slice: Slice, out: Intervals, category: number, wanted: number, left: number): number {
  const ns = Math.min(wanted, left);
  if (ns <= 0) return 0;
  out.add(category, Phase.run, Place.within, slice.onAt, slice.offAt, ns);
  return ns;
}
