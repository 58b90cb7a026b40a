import { type Interval, isSum } from './categories.ts';
import { type Owners, type Part, servedByWakeup } from './owners.ts';
import type { StepSpan } from './step-table.ts';
import type { StoredSlice, ThreadLog } from './thread-log.ts';

/** Is told what one slice cost which step. */
export interface ChargeSink {
  /** `ns` of an interval, of which the step's own part is [from, to]; experienced or undecided among `candidates`. */
  paid(
    step: StepSpan,
    slice: StoredSlice,
    interval: Interval,
    from: number,
    to: number,
    ns: number,
    candidates: number,
  ): void;
  /** A wakeup was for this step. */
  woken(step: StepSpan, slice: StoredSlice): void;
  /** The step ran in the slice, for `cpuNs`. */
  ran(step: StepSpan, slice: StoredSlice, cpuNs: number, candidates: number): void;
}

/** Charges one slice of a thread to the steps that paid for it. */
export function charge(thread: ThreadLog, index: number, owners: Owners, sink: ChargeSink): void {
  const slice = thread.slices[index] as StoredSlice;
  const woken = servedByWakeup(slice);
  const served = woken ? owners.ofWakeup(thread, index) : [];
  for (const step of served) sink.woken(step, slice);

  const summed = isSum(slice);
  const parts = owners.parts(thread, woken ? slice.onAt : Math.min(slice.start, slice.onAt), slice.offAt);
  const onCpu = summed ? parts : clip(parts, slice.onAt, slice.offAt);
  const running = distinct(onCpu);

  for (const interval of slice.intervals) {
    if (interval.phase === 'wake') {
      for (const step of served) {
        const from = Math.max(interval.from, step.from);
        const to = Math.min(interval.to, step.to);
        if (to > from) sink.paid(step, slice, interval, from, to, to - from, served.length);
      }
    } else if (interval.place === 'within' && onCpu.length > 1) within(slice, interval, onCpu, running, sink);
    else {
      const share = interval.place === 'exact' ? 1 : interval.ns / (interval.to - interval.from);
      for (const part of clip(parts, interval.from, interval.to)) {
        const { from, to } = part;
        // The collector's time is its own category, whatever the frequency.
        const paused = interval.place === 'even' ? owners.gcWithin(thread, from, to) : 0;
        for (const step of part.owners)
          sink.paid(step, slice, interval, from, to, (to - from - paused) * share, part.owners.length);
      }
    }
  }
  const everyone = candidates(onCpu, running);
  const cpuNs = Math.max(0, slice.offAt - slice.onAt);
  for (const step of running) sink.ran(step, slice, Math.min(cpuNs, timeOf(step, onCpu)), everyone);
}

/** The record does not say in whose part it was: it may have been all of it in any, and no more than the part is long. */
function within(
  slice: StoredSlice,
  interval: Interval,
  parts: readonly Part[],
  steps: readonly StepSpan[],
  sink: ChargeSink,
): void {
  for (const step of steps) {
    const ns = Math.min(interval.ns, timeOf(step, parts));
    sink.paid(step, slice, interval, interval.from, interval.to, ns, Math.max(2, candidates(parts, steps)));
  }
}

/** Among how many it can't be decided: the steps, and nobody where no step's code ran for a part of the time. */
function candidates(parts: readonly Part[], steps: readonly StepSpan[]): number {
  return steps.length + (parts.some(({ owners }) => owners.length === 0) ? 1 : 0);
}

function clip(parts: readonly Part[], from: number, to: number): Part[] {
  const inside: Part[] = [];
  for (const part of parts)
    if (part.to > from && part.from < to)
      inside.push({ from: Math.max(part.from, from), to: Math.min(part.to, to), owners: part.owners });
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
