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

  const everyone = candidates(onCpu, running);
  // Where several ran, what the record does not place may have been all in the part of any, up to its length.
  const room = onCpu.length > 1 ? new Map(running.map((step) => [step, timeOf(step, onCpu)])) : undefined;
  const upTo = (step: StepSpan, ns: number): number => {
    const left = room?.get(step);
    if (left === undefined) return ns;
    const some = Math.min(ns, left);
    room?.set(step, left - some);
    return some;
  };

  for (const interval of slice.intervals) {
    if (interval.phase === 'wake') {
      for (const step of served) {
        const from = Math.max(interval.from, step.from);
        const to = Math.min(interval.to, step.to);
        if (to > from) sink.paid(step, slice, interval, from, to, to - from, served.length);
      }
    } else if (interval.place === 'within' && room) {
      for (const step of running) {
        const ns = upTo(step, interval.ns);
        sink.paid(step, slice, interval, interval.from, interval.to, ns, Math.max(2, everyone));
      }
    } else {
      const share = interval.place === 'exact' ? 1 : interval.ns / (interval.to - interval.from);
      for (const { from, to, owners: among } of clip(parts, interval.from, interval.to)) {
        // The collector's time is its own category, whatever the frequency.
        const paused = interval.place === 'even' ? owners.gcWithin(thread, from, to) : 0;
        const ns = (to - from - paused) * share;
        for (const step of among)
          sink.paid(
            step,
            slice,
            interval,
            from,
            to,
            interval.place === 'even' ? upTo(step, ns) : ns,
            among.length,
          );
      }
    }
  }
  const cpuNs = Math.max(0, slice.offAt - slice.onAt);
  for (const step of running) sink.ran(step, slice, Math.min(cpuNs, timeOf(step, onCpu)), everyone);
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
