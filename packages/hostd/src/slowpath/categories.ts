import type { KernelCategory } from '@prewake/sdk/protocol';
import { Known, type Slice, SliceBegin, SliceEnd, WakeCause } from '../kernel/slice.ts';

/**
 * `ns` nanoseconds of one category between `from` and `to`:
 * - `exact`: all of the time between, ns = to − from;
 * - `within`: somewhere between, the record does not say where;
 * - `even`: a share of every nanosecond between (frequency).
 */
export interface Interval {
  readonly category: KernelCategory;
  readonly from: number;
  readonly to: number;
  readonly ns: number;
  readonly place: 'exact' | 'within' | 'even';
  /** `wake`: before the thread was on the CPU because something woke it. `queue`: it was runnable. `run`: on the CPU. */
  readonly phase: 'wake' | 'queue' | 'run';
}

type Span = readonly [from: number, to: number];

/**
 * What a slice paid, by category. Pure. No nanosecond is in two intervals, so sums never exceed wall time:
 * inner categories are cut out of outer ones (an interrupt out of the block wait that it ends), and durations
 * whose place is not recorded are clamped to the time that is left.
 *
 * @param previousOffAt when the thread left the CPU before; 0 unknown. What happened before that delayed nobody.
 */
export function paid(slice: Slice, previousOffAt = 0): Interval[] {
  const out: Interval[] = [];
  if (isSum(slice)) return sum(slice, previousOffAt);
  if (slice.begin === SliceBegin.preempted) queued(slice, out);
  else if (slice.begin !== SliceBegin.unknown) {
    beforeWaking(slice, previousOffAt, out);
    afterWaking(slice, out);
  }
  onCpu(slice, out);
  return out;
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

function sum(slice: Slice, previousOffAt: number): Interval[] {
  const [from, to] = [Math.min(previousOffAt || slice.readyAt, slice.readyAt), slice.offAt];
  const ns = Math.min(slice.onAt - slice.readyAt, to - from);
  if (!(slice.known & Known.runqueue) || ns <= 0) return [];
  return [{ category: 'runqueue', phase: 'queue', place: 'within', from, to, ns }];
}

/** When the thread became runnable. */
export function readyTime(slice: Slice): number {
  return slice.wakingAt || slice.readyAt || slice.onAt;
}

function exact(
  out: Interval[],
  category: KernelCategory,
  phase: Interval['phase'],
  from: number,
  to: number,
) {
  if (to > from) out.push({ category, phase, place: 'exact', from, to, ns: to - from });
}

/** Preempted: runnable until it ran again; first throttled, where the cgroup's quota took it off. */
function queued(slice: Slice, out: Interval[]): void {
  if (!(slice.known & Known.runqueue) || slice.readyAt === 0) return;
  const free = Math.min(slice.onAt, slice.readyAt + throttled(slice));
  exact(out, 'throttled', 'queue', slice.readyAt, free);
  exact(out, 'runqueue', 'queue', free, slice.onAt);
}

function throttled(slice: Slice): number {
  return slice.known & Known.throttled ? Math.max(0, slice.throttledNs) : 0;
}

/** Event → waking, and the wait that it ended. */
function beforeWaking(slice: Slice, previousOffAt: number, out: Interval[]): void {
  const waking = readyTime(slice);
  const taken: Span[] = [];
  const take = (category: KernelCategory, known: number, from: number, to: number) => {
    const start = Math.max(from, previousOffAt);
    const end = Math.min(to, waking);
    if (!(slice.known & known) || end <= start) return;
    exact(out, category, 'wake', start, end);
    taken.push([start, end]);
  };
  const event = slice.eventAt;
  if (event > 0 && event < waking) {
    if (slice.cause === WakeCause.hardirq) take('irq', Known.irq, event, waking);
    else if (slice.cause === WakeCause.softirq) take('softirq', Known.softirq, event, waking);
    else if (slice.cause === WakeCause.kworker)
      take('workqueue', Known.work, event, event + slice.workQueuedNs);
    else if (slice.cause === WakeCause.timer) {
      take('timer', Known.timer, event, event + slice.timerLateNs);
      take('irq', Known.irq, event + slice.timerLateNs, waking);
    }
  }
  const wait = (category: KernelCategory, known: number, ns: number) => {
    if (!(slice.known & known) || ns <= 0) return;
    for (const [from, to] of without([Math.max(waking - ns, previousOffAt), waking], taken)) {
      exact(out, category, 'wake', from, to);
      taken.push([from, to]);
    }
  };
  wait('block', Known.block, slice.blockNs);
  wait('io_uring', Known.ioUring, slice.ioUringNs);
}

/** Waking → on the CPU. */
function afterWaking(slice: Slice, out: Interval[]): void {
  if (!(slice.known & Known.wakeup)) return;
  const waking = readyTime(slice);
  let from = waking;
  if (slice.known & Known.idle && slice.idleExitAt > waking) {
    from = Math.min(slice.idleExitAt, slice.onAt);
    const handler = slice.cause === WakeCause.softirq ? 'softirq' : 'irq';
    if (idleExit(slice) === 'remote') exact(out, 'wakeup.idle_exit', 'wake', waking, from);
    else if (slice.idleState >= 0 && slice.known & Known[handler]) exact(out, handler, 'wake', waking, from);
    else from = waking;
  }
  const free = Math.min(slice.onAt, from + throttled(slice));
  exact(out, 'throttled', 'wake', from, free);
  exact(out, 'wakeup.scheduling', 'wake', free, slice.onAt);
}

/** What was taken from the slice while it was on the CPU, and the frequency's part of the rest. */
function onCpu(slice: Slice, out: Interval[]): void {
  const { onAt: from, offAt: to, known } = slice;
  let left = Math.max(0, to - from);
  const stolen = (category: KernelCategory, bit: number, wanted: number) => {
    const ns = known & bit ? Math.min(wanted, left) : 0;
    if (ns <= 0) return;
    out.push({ category, phase: 'run', place: 'within', from, to, ns });
    left -= ns;
  };
  stolen('irq', Known.irq, slice.irqNs);
  stolen('softirq', Known.softirq, slice.softirqNs);
  stolen('page_fault', Known.faultTime, slice.faultNs);
  stolen('vfs', Known.vfs, slice.vfsNs);
  if (known & Known.frequency && slice.khz > 0 && slice.targetKhz > slice.khz && left > 0) {
    const ns = left * (1 - slice.khz / slice.targetKhz);
    out.push({ category: 'frequency', phase: 'run', place: 'even', from, to, ns });
  }
}

/** The parts of a span that none of the others covers. */
function without(span: Span, others: readonly Span[]): Span[] {
  let parts: Span[] = span[1] > span[0] ? [span] : [];
  for (const [from, to] of others)
    parts = parts.flatMap(([a, b]): Span[] => {
      if (to <= a || from >= b) return [[a, b]];
      const left: Span[] = [];
      if (from > a) left.push([a, from]);
      if (to < b) left.push([to, b]);
      return left;
    });
  return parts;
}
