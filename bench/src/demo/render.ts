import { CATEGORIES } from '@prewake/sdk/protocol';
import { samplesFor } from '../statistics.ts';
import type { Phase } from './phase.ts';
import type { Comparison, KindSummary } from './summary.ts';
import { bold, dim, figure, percent, table } from './text.ts';

/** The report of one run for people. */
export function renderPhase(phase: Phase, kinds: readonly KindSummary[]): string {
  const lines = [bold(TITLES[phase.guards]), '', waitTable(kinds), '', ...LEGEND, ''];
  lines.push(bold('Slowpath by category, µs a step'), '', slowpathTable(kinds), '', ...SLOWPATH_LEGEND, '');
  lines.push(...footnotes(phase, kinds));
  return lines.join('\n');
}

const TITLES = {
  on: 'Guards on: hostd holds guards on a CPU from just before a predicted wakeup until just after',
  off: 'Guards off: hostd records in the same way, and holds nothing',
};

const LEGEND = [
  dim(
    'covered: woke on a CPU whose guard was armed. missed: its guard was armed, but it woke on another CPU.',
  ),
  dim(
    'unknown: no wakeup belongs to this wait, for its thread was busy when it ended. The rest woke unarmed.',
  ),
  dim(
    'armed: part of the waiting time with a guard armed. wakeup: from what woke the thread to its first instruction.',
  ),
];

const SLOWPATH_LEGEND = [
  dim(
    'Kernel time between an event and the step’s next instruction; each nanosecond has one category (docs/attribution.md).',
  ),
  dim(
    'event_loop and gc are the agent’s own. known, unknown: steps with and without a figure; unknown is never counted as 0.',
  ),
];

function waitTable(kinds: readonly KindSummary[]): string {
  return table(
    [
      'step',
      'count',
      'waits',
      'wait p50 ms',
      'p99 ms',
      'covered',
      'missed',
      'unknown',
      'armed',
      'wakeup p50 µs',
    ],
    kinds.map((kind) => [
      kind.kind,
      String(kind.steps),
      String(kind.waits),
      figure(kind.waitMs.p50),
      figure(kind.waitMs.p99),
      String(kind.coveredWakeups),
      String(kind.missedWakeups),
      String(kind.unknownWakeups),
      percent(kind.armedShare),
      figure(kind.wakeupUs.p50),
    ]),
  );
}

function slowpathTable(kinds: readonly KindSummary[]): string {
  const rows: string[][] = [];
  for (const kind of kinds)
    for (const category of CATEGORIES) {
      const spread = kind.slowpathUs[category];
      const unknown = kind.unknown[category] ?? 0;
      if (!spread || (spread.sum === 0 && unknown === 0)) continue;
      rows.push([
        `${kind.kind} ${category}`,
        String(spread.samples),
        figure(spread.p50),
        figure(spread.p99),
        figure(spread.sum),
        String(unknown),
      ]);
    }
  return table(['step category', 'known', 'p50', 'p99', 'sum', 'unknown'], rows);
}

function footnotes(phase: Phase, kinds: readonly KindSummary[]): string[] {
  const recorder = phase.status.recorder as { source: string; reason?: string; lost?: number };
  const never = CATEGORIES.filter(
    (category) => kinds.length > 0 && kinds.every((kind) => kind.slowpathUs[category] === undefined),
  );
  const windows = phase.steps.flatMap((step) => step.waits.flatMap((wait) => wait.windows));
  const released = windows.filter((window) => window.releasedAt !== undefined).length;
  const refused = phase.steps.flatMap((step) => step.waits.flatMap((wait) => wait.refusals)).length;
  const reports = phase.steps.filter((step) => step.report).length;
  const incomplete = phase.steps.filter((step) => step.report && !step.report.complete).length;
  const fewest = Math.min(...kinds.map((kind) => kind.waitMs.samples).filter((samples) => samples > 0));
  const buckets = (phase.budgets.buckets ?? []) as {
    bucket: string;
    tokens: number;
    capacity: number;
    degraded: boolean;
  }[];
  return [
    `recorder   ${recorder.source}${recorder.reason ? ` (${recorder.reason})` : ''}, ${recorder.lost ?? 'unknown'} records lost`,
    `windows    ${windows.length} armed, ${released} released, ${refused} refused; ${phase.leasesLeft} leases left at the end`,
    `reports    ${reports} of ${phase.steps.length} steps, ${incomplete} incomplete`,
    `spans      ${phase.spans.total}, ${phase.spans.withSlowpath} with slowpath, ${phase.spans.incomplete} incomplete`,
    `budget     ${buckets.map((it) => `${it.bucket} ${figure(it.tokens)}/${figure(it.capacity)}${it.degraded ? ' degraded' : ''}`).join(', ') || 'none'}; ${phase.budgetChanges.length} changes`,
    `idle       ${phase.idleUsage.map((it) => `${it.state}: ${figure(it.usage)} entries, ${figure(it.timeUs / 1000)} ms`).join('; ') || 'this kernel has no cpuidle'}`,
    `unknown    ${never.length > 0 ? `${never.join(', ')} (prewake doctor says what each needs)` : 'nothing'}`,
    ...(fewest < samplesFor(0.99)
      ? [`           a p99 needs ${samplesFor(0.99)} samples: here it is little more than the largest value`]
      : []),
  ];
}

/** Both runs side by side; says no more than the intervals allow. */
export function renderComparison(
  comparisons: readonly Comparison[],
  sameResult: boolean,
  realModel: boolean,
): string {
  const rows = comparisons.map((it) => [
    it.what,
    it.unit,
    `${figure(it.on.value)} (${it.on.samples})`,
    `${figure(it.off.value)} (${it.off.samples})`,
    figure(it.difference.estimate),
    `${figure(it.difference.low)} … ${figure(it.difference.high)}`,
    it.caution ? `${it.verdict}: ${it.caution}` : it.verdict,
  ]);
  return [
    bold('Guards on and off, side by side'),
    '',
    table(
      ['', 'unit', 'on (samples)', 'off (samples)', 'on − off', '95 % interval', 'what it allows to say'],
      rows,
    ),
    '',
    `The agent's answers are ${sameResult ? 'the same, byte for byte,' : 'NOT the same'} in both runs${!sameResult && realModel ? ', as is usual with a real model' : ''}.`,
    '95 % interval: bootstrap of the difference. Where it includes 0, chance alone could be all of it.',
    'One run of each, one after the other: what else the machine did in between is in the difference.',
    'npm run bench has the interleaved rounds.',
  ].join('\n');
}
