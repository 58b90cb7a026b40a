import type { Interval } from './categories.ts';
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

  const parts = owners.parts(thread, woken ? slice.onAt : Math.min(slice.start, slice.onAt), slice.offAt);
  const onCpu = parts.filter((part) => part.to > slice.onAt);
  const running = distinct(onCpu);

  for (const interval of slice.intervals) {
    if (interval.phase === 'wake') {
      for (const step of served) {
        const from = Math.max(interval.from, step.from);
        const to = Math.min(interval.to, step.to);
        if (to > from) sink.paid(step, slice, interval, from, to, to - from, served.length);
      }
    } else if (interval.place === 'within' && onCpu.length > 1) within(slice, interval, onCpu, running, sink);
    else
      for (const part of parts) {
        const from = Math.max(interval.from, part.from);
        const to = Math.min(interval.to, part.to);
        if (to <= from) continue;
        const share = interval.place === 'exact' ? 1 : interval.ns / (interval.to - interval.from);
        for (const step of part.owners)
          sink.paid(step, slice, interval, from, to, (to - from) * share, part.owners.length);
      }
  }
  const everyone = running.length + (onCpu.some((part) => part.owners.length === 0) ? 1 : 0);
  for (const step of running) sink.ran(step, slice, timeOf(step, onCpu, slice), everyone);
}

/** The record does not say in whose part it was: it may have been all of it in any, and no more than the part is long. */
function within(
  slice: StoredSlice,
  interval: Interval,
  parts: readonly Part[],
  steps: readonly StepSpan[],
  sink: ChargeSink,
) {
  const candidates = Math.max(steps.length + (parts.some((part) => part.owners.length === 0) ? 1 : 0), 2);
  for (const step of steps) {
    const ns = Math.min(interval.ns, timeOf(step, parts, slice));
    sink.paid(step, slice, interval, interval.from, interval.to, ns, candidates);
  }
}

function timeOf(step: StepSpan, parts: readonly Part[], slice: StoredSlice): number {
  let ns = 0;
  for (const part of parts) if (part.owners.includes(step)) ns += part.to - Math.max(part.from, slice.onAt);
  return ns;
}

function distinct(parts: readonly Part[]): StepSpan[] {
  const steps: StepSpan[] = [];
  for (const part of parts) for (const step of part.owners) if (!steps.includes(step)) steps.push(step);
  return steps;
}
