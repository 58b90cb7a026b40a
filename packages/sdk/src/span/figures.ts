import type { LocalSample } from '../measure/local.ts';
import type { Measures } from '../measure/measures.ts';
import { KERNEL_CATEGORIES, type ReportFrame } from '../protocol/index.ts';
import type { LiveStep } from '../step.ts';
import type { Figures } from './report-attributes.ts';

/** What this process itself saw, at the step's end. Its parent's own part is what is left without it. */
export function localFigures(step: LiveStep, measures: Measures): Figures | undefined {
  const local = step.measured?.local;
  const at = local && measures.sampleLocal();
  if (!at) return undefined;
  step.parent?.measured?.local?.childEnded(at);
  const own = local.own(at);
  const { runqueueNs: runqueue, cpuNs } = own;
  const known = runqueue !== undefined;
  const candidates = local.candidates(measures.begun);
  return {
    source: 'local',
    complete: true,
    self: known ? { runqueue } : {},
    unknown: KERNEL_CATEGORIES.filter((category) => !(known && category === 'runqueue')),
    counts: counts(own),
    ...(candidates > 1 ? { shared: { ns: runqueue ?? 0, candidates } } : {}),
    // Of several steps at once, nobody can say whose time on the CPU it was.
    ...(cpuNs !== undefined && candidates <= 1 ? { cpuNs } : {}),
    pressure: local.pressure(at),
  };
}

function counts(own: LocalSample): Record<string, number> {
  return {
    'page_fault.minor': own.minorFaults,
    'page_fault.major': own.majorFaults,
    'context_switch.voluntary': own.voluntary,
    'context_switch.involuntary': own.involuntary,
  };
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
