import { difference, type LocalSample } from '../measure/local.ts';
import type { Measures } from '../measure/measures.ts';
import type { LocalMeasures } from '../measure/step-measures.ts';
import { KERNEL_CATEGORIES, type ReportFrame } from '../protocol/index.ts';
import type { LiveStep } from '../step.ts';
import type { Figures } from './report-attributes.ts';

/** What this process itself saw, at the step's end. Its parent's own part is what is left without it. */
export function localFigures(step: LiveStep, measures: Measures): Figures | undefined {
  const local = step.measured?.local;
  const to = measures.sampleLocal();
  if (!local || !to) return undefined;
  const spent = difference(local.from, to);
  const outer = step.parent?.measured?.local;
  if (outer) {
    outer.childCpuNs += spent.cpuNs ?? 0;
    outer.childRunqueueNs += spent.runqueueNs ?? 0;
  }
  const candidates = candidatesOf(local, measures);
  const own = (all: number | undefined, children: number) =>
    all === undefined ? undefined : Math.max(0, all - children);
  const runqueue = own(spent.runqueueNs, local.childRunqueueNs);
  const cpuNs = own(spent.cpuNs, local.childCpuNs);
  const known = runqueue !== undefined;
  return {
    source: 'local',
    complete: true,
    self: known ? { runqueue } : {},
    unknown: KERNEL_CATEGORIES.filter((category) => !(known && category === 'runqueue')),
    counts: counts(spent),
    ...(candidates > 1 && known ? { shared: { ns: runqueue, candidates } } : {}),
    // Of several steps at once, nobody can say whose time on the CPU it was.
    ...(cpuNs !== undefined && candidates <= 1 ? { cpuNs } : {}),
    pressure: spent.psi,
  };
}

function counts(spent: LocalSample): Record<string, number> {
  return {
    'page_fault.minor': spent.minorFaults,
    'page_fault.major': spent.majorFaults,
    'context_switch.voluntary': spent.voluntary,
    'context_switch.involuntary': spent.involuntary,
  };
}

function candidatesOf(local: LocalMeasures, measures: Measures): number {
  const overlapped = measures.overlaps > local.overlapsBefore;
  return Math.max(1, local.leavesBefore, measures.overlap.leaves, overlapped ? 2 : 1);
}

/** For a step whose kernel part nobody measured. */
export function noFigures(why: string): Figures {
  return { source: 'none', complete: false, incomplete: why, self: {}, unknown: [...KERNEL_CATEGORIES] };
}

/** hostd's report, or what there is without it, with what the SDK measured by itself: event loop and collector. */
export function withOwn(figures: Figures | ReportFrame, step: LiveStep, measures: Measures): Figures {
  const { measured } = step;
  const self = { ...figures.self };
  const eventLoop = measured?.loopFollowed && step.waits > 0 ? measured.eventLoop * 1e3 : undefined;
  const gc = measured?.gcKnown ? measured.gc * 1e3 : undefined;
  if (eventLoop === undefined) delete self.event_loop;
  else self.event_loop = eventLoop;
  if (gc === undefined) delete self.gc;
  else self.gc = gc;
  const lost =
    measured !== undefined && measures.losses > measured.lossesBefore && figures.source !== 'local';
  return {
    ...figures,
    self,
    unknown: figures.unknown.filter((category) => category !== 'event_loop' && category !== 'gc'),
    ...(lost && figures.complete ? { complete: false, incomplete: 'lost' } : {}),
  };
}
