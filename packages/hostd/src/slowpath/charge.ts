import { isSum, paid } from './categories.ts';
import type { GcPauses } from './gc-pauses.ts';
import { type Interval, Intervals, Phase, Place } from './intervals.ts';
import { type Owners, type Part, sameClaim, servedByWakeup } from './owners.ts';
import type { Claim } from './pool-owners.ts';
import type { StepSpan } from './step-table.ts';
import type { StoredSlice } from './stored-slice.ts';
import type { ThreadLog } from './thread-log.ts';

/** Is told what slices cost which step: of each either {@link whole}, or {@link divided} and then the parts. */
export interface ChargeSink {
  /** All that a slice cost is one step's, or nobody's. */
  whole(step: StepSpan | undefined, slice: StoredSlice, intervals: Intervals): void;
  divided(slice: StoredSlice, intervals: Intervals): void;
  /** `ns` of an interval, from `from` on; experienced or undecided among `candidates` steps. 0: it is this one's alone. */
  paid(
    step: StepSpan,
    slice: StoredSlice,
    interval: Interval,
    from: number,
    ns: number,
    candidates: number,
  ): void;
  /** A wakeup was for this step. */
  woken(step: StepSpan, slice: StoredSlice): void;
  /** The step ran in the slice, for `cpuNs`. */
  ran(step: StepSpan, slice: StoredSlice, cpuNs: number, candidates: number): void;
}

/** Whose a thread is, is found out at once for what it did within so long, nanoseconds. */
const STRETCH = 20e6;

/**
 * What can't be decided among more steps than this is not shared: it would say little, and hundreds of steps that
 * nobody tells apart would make each slice cost hundreds of charges.
 */
const MOST_CANDIDATES = 32;

const intervals = new Intervals();

/** Charges slices of a thread, from index `first` up to before `end`, to the steps that paid for them. */
export function charge(
  thread: ThreadLog,
  first: number,
  end: number,
  owners: Owners,
  sink: ChargeSink,
): void {
  const { slices } = thread;
  const gc = owners.gc(thread);
  for (let i = first; i < end; ) {
    let { start: from, offAt: to } = slices[i] as StoredSlice;
    let next = i + 1;
    for (; next < end; next++) {
      const { start, offAt } = slices[next] as StoredSlice;
      if (offAt > from + STRETCH) break;
      from = Math.min(from, start);
      to = Math.max(to, offAt);
    }
    const parts = owners.parts(thread, from, to);
    let part = 0;
    for (; i < next; i++) {
      const slice = slices[i] as StoredSlice;
      // They nearly always ascend by their start, too.
      if ((parts[part] as Part).from > slice.start) part = 0;
      while (part < parts.length - 1 && (parts[part] as Part).to <= slice.start) part++;
      const { open, nobody, to } = parts[part] as Part;
      if (open.length < (nobody ? 1 : 2) && to >= slice.offAt && !gc?.within(slice.onAt, slice.offAt)) {
        paid(slice, slice.before, intervals);
        sink.whole(open[0], slice, intervals);
      } else divide(thread, i, parts.slice(part), owners, sink);
    }
  }
}

/** Charges a slice in which owners may change, or be undecided, or experience its wakeup together. */
export function divide(
  thread: ThreadLog,
  index: number,
  around: readonly Part[],
  owners: Owners,
  sink: ChargeSink,
): void {
  const slice = thread.slices[index] as StoredSlice;
  paid(slice, slice.before, intervals);
  sink.divided(slice, intervals);
  const woken = servedByWakeup(slice);
  const wakeup = woken ? owners.ofWakeup(thread, index) : undefined;
  const served = !wakeup || (!wakeup.decided && leftOpen(wakeup.owners, slice)) ? [] : wakeup.owners;
  const together = wakeup ? sharedBy(wakeup) : 0;
  for (const step of served) sink.woken(step, slice);

  const parts = clip(around, woken ? slice.onAt : slice.start, slice.offAt).map((part) =>
    leftOpen(part.owners, slice) ? { ...part, owners: [], nobody: true } : part,
  );
  const onCpu = isSum(slice) ? parts : clip(parts, slice.onAt, slice.offAt);
  const running = distinct(onCpu);

  const everyone = running.length > 1 || onCpu.some(isOpenTo) ? running.length : 0;
  // Where several ran, what the record does not place may have been all in the part of any, up to its length.
  const room = onCpu.length > 1 ? new Map(running.map((step) => [step, timeOf(step, onCpu)])) : undefined;
  const upTo = (step: StepSpan, ns: number): number => {
    const left = room?.get(step);
    if (left === undefined) return ns;
    const some = Math.min(ns, left);
    room?.set(step, left - some);
    return some;
  };

  const gc = owners.gc(thread);
  for (let i = 0; i < intervals.length; i++) {
    const interval = intervals.at(i);
    if (interval.phase === Phase.wake) {
      for (const step of served) {
        const from = Math.max(interval.from, step.from);
        const to = Math.min(interval.to, step.to);
        if (to > from) sink.paid(step, slice, interval, from, to - from, together);
      }
    } else if (interval.place === Place.within && room) {
      for (const step of running) {
        const ns = upTo(step, interval.ns);
        sink.paid(step, slice, interval, interval.from, ns, running.length);
      }
    } else {
      for (const part of clip(parts, interval.from, interval.to)) {
        const ns = partOf(interval, part.from, part.to, gc);
        for (const step of part.owners) {
          const own = interval.place === Place.even ? upTo(step, ns) : ns;
          sink.paid(step, slice, interval, part.from, own, sharedBy(part));
        }
      }
    }
  }
  const cpuNs = Math.max(0, slice.offAt - slice.onAt);
  for (const step of running) sink.ran(step, slice, Math.min(cpuNs, timeOf(step, onCpu)), everyone);
}

/** Where there are too many steps to charge, all of them that had a part in the slice lack it, and say so. */
function leftOpen(steps: readonly StepSpan[], slice: StoredSlice): boolean {
  if (steps.length <= MOST_CANDIDATES) return false;
  for (const step of steps) if (step.from <= slice.offAt) step.incomplete ??= 'too_many_candidates';
  return true;
}

/** What of an interval is in [from, to]. The collector's time is its own category, whatever the frequency. */
function partOf(interval: Interval, from: number, to: number, gc: GcPauses | undefined): number {
  const paused = interval.place === Place.even ? (gc?.within(from, to) ?? 0) : 0;
  const all = interval.to - interval.from;
  return to - from === all && paused === 0 ? interval.ns : ((to - from - paused) * interval.ns) / all;
}

/** Among how many steps something can't be decided; 0 where it can. */
function sharedBy({ owners, nobody }: Claim): number {
  return owners.length > 1 || nobody ? owners.length : 0;
}

/** What is not placed in a slice may have been in a part of it that is nobody's. */
function isOpenTo({ owners, nobody }: Claim): boolean {
  return owners.length === 0 || nobody;
}

/** What of the parts is in [from, to], cut only where owners change. */
function clip(parts: readonly Part[], from: number, to: number): Part[] {
  const inside: Part[] = [];
  for (const part of parts) {
    if (part.from >= to) break;
    if (part.to <= from) continue;
    const last = inside.at(-1);
    const end = Math.min(part.to, to);
    if (last && sameClaim(last, part)) last.to = end;
    else inside.push({ ...part, from: Math.max(part.from, from), to: end });
  }
  return inside;
}

function timeOf(step: StepSpan, parts: readonly Part[]): number {
  let ns = 0;
  for (const part of parts) if (part.owners.includes(step)) ns += part.to - part.from;
  return ns;
}

function distinct(parts: readonly Part[]): StepSpan[] {
  const steps: StepSpan[] = [];
  for (const part of parts) for (const step of part.owners) if (!steps.includes(step)) steps.push(step);
  return steps;
}
