import { KERNEL_CATEGORIES, type ReportFrame, type StepId } from '@prewake/sdk/protocol';
import { Known } from '../kernel/slice.ts';
import type { Tally } from './tally.ts';

/** A report of which nothing is known. Unknown is never zero. */
export function unknownReport(step: StepId, source: ReportFrame['source'], incomplete: string): ReportFrame {
  return {
    type: 'report',
    step,
    complete: false,
    incomplete,
    source,
    self: {},
    unknown: [...KERNEL_CATEGORIES],
    wakeups: { total: 0, covered: 0, missed: 0 },
    events: [],
  };
}

/** Slices tell of wakeups; counters don't. @param available {@link Known} bits that the host can fill in */
export function sourceOf(available: number): ReportFrame['source'] {
  if (available & Known.wakeup) return 'bpf';
  return available === 0 ? 'none' : 'schedstat';
}

/** @param available {@link Known} bits that the host can fill in */
export function reportOf(
  step: StepId,
  tally: Tally,
  available: number,
  why: string | undefined,
): ReportFrame {
  const incomplete = why ?? (tally.lost > 0 ? 'lost' : undefined);
  const { self, unknown } = tally.categories(available);
  const counts = tally.namedCounts(available);
  const inclusive = {
    ...(self.page_fault !== undefined &&
      tally.faultInclusiveNs > 0 && { page_fault: tally.faultInclusiveNs }),
    ...(self.vfs !== undefined && tally.vfsInclusiveNs > 0 && { vfs: tally.vfsInclusiveNs }),
  };
  return {
    type: 'report',
    step,
    complete: incomplete === undefined,
    ...(incomplete !== undefined && { incomplete }),
    source: sourceOf(available),
    self,
    ...(Object.keys(inclusive).length > 0 && { inclusive }),
    ...(Object.keys(counts).length > 0 && { counts }),
    unknown,
    ...(tally.sharedNs > 0 && { shared: { ns: Math.round(tally.sharedNs), candidates: tally.candidates } }),
    wakeups: { total: tally.wakeups, covered: tally.covered, missed: tally.missed },
    cpuNs: Math.round(tally.cpuNs),
    events: tally.events,
  };
}
