import { readFileSync } from 'node:fs';
import { isCovered, parseTrace, simulate, type TraceRow } from '@prewake/hostd/internal';
import type { Aim, Bench, Figure } from './result.ts';
import { type Interval, quantile, seeded } from './statistics.ts';

const trace = new URL('../data/agent-waits.csv', import.meta.url);
const LEAD_US = 1000;

const AIMS: { armedShare: number; coverage: number; lead?: number }[] = [
  { armedShare: 0.1, coverage: 62, lead: 4 },
  { armedShare: 0.25, coverage: 77, lead: 4 },
  { armedShare: 0.5, coverage: 91 },
];

export interface Outcome {
  session: string;
  covered: boolean;
}

/** Coverage in percent, with an interval over sessions: waits of one session are not independent. */
export function coverageBySession(outcomes: readonly Outcome[], rounds = 2000): Interval {
  const sessions = new Map<string, { waits: number; covered: number }>();
  for (const { session, covered } of outcomes) {
    const sums = sessions.get(session) ?? { waits: 0, covered: 0 };
    sessions.set(session, sums);
    sums.waits++;
    sums.covered += covered ? 1 : 0;
  }
  const all = [...sessions.values()];
  const percent = (some: readonly { waits: number; covered: number }[]) => {
    let waits = 0;
    let covered = 0;
    for (const sums of some) {
      waits += sums.waits;
      covered += sums.covered;
    }
    return (100 * covered) / waits;
  };
  const random = seeded(1);
  const drawn = Array.from({ length: rounds }, () =>
    percent(all.map(() => all[Math.floor(random() * all.length)] as { waits: number; covered: number })),
  );
  return { estimate: percent(all), low: quantile(drawn, 0.025), high: quantile(drawn, 0.975) };
}

/** Replays the trace at one armed share: what hostd's own policy covers, beside the others. */
export function figuresAt(rows: readonly TraceRow[], aims: (typeof AIMS)[number]): Figure[] {
  const { armedShare } = aims;
  const windows: { arm: number; disarm: number }[][] = rows.map(() => []);
  const simulation = simulate(rows, { armedShare, leadUs: LEAD_US }, (wait, armMs, disarmMs) =>
    windows[wait]?.push({ arm: armMs * 1000, disarm: disarmMs * 1000 }),
  );
  const outcomes = rows.map(({ session, waitMs }, i) => ({
    session,
    covered: isCovered(windows[i] ?? [], waitMs * 1000, LEAD_US),
  }));
  const at = `${armedShare * 100} % armed`;
  const atLeast = (limit: number): Aim => ({ limit, direction: 'at least' });
  const own = coverageBySession(outcomes);
  const of = (name: string) => {
    const policy = simulation.policies.find((it) => it.name === name);
    if (!policy) throw new Error(`simulate knows no policy ${name}`);
    return { coverage: 100 * (policy.summary.coverage ?? Number.NaN), armed: policy.summary.armedShare };
  };
  const plain = of('plain-hazard');
  return [
    {
      what: `Prewake, ${at}: wakeups covered`,
      unit: '%',
      value: own.estimate,
      interval: { low: own.low, high: own.high },
      samples: rows.length,
      aim: atLeast(aims.coverage),
    },
    {
      what: `Prewake, ${at}: wait time armed`,
      unit: '%',
      value: 100 * (of('prewake').armed ?? Number.NaN),
      aim: { limit: 100 * armedShare, direction: 'at most' },
    },
    { what: `plain hazard, ${at}: wakeups covered`, unit: '%', value: plain.coverage },
    {
      what: `Prewake over plain hazard, ${at}`,
      unit: 'points',
      value: own.estimate - plain.coverage,
      ...(aims.lead && { aim: atLeast(aims.lead) }),
    },
    { what: `fixed timeout, ${at}: wakeups covered`, unit: '%', value: of('fixed-timeout').coverage },
    { what: `oracle, ${at}: wakeups covered`, unit: '%', value: of('oracle').coverage },
  ];
}

export const prediction: Bench = {
  name: 'prediction',
  title: 'wakeups of recorded agents that a window would have covered',
  seconds: 20,
  async run({ quick, progress }) {
    const rows = parseTrace(readFileSync(trace, 'utf8'), 'agent-waits.csv').slice(
      0,
      quick ? 1000 : undefined,
    );
    const figures: Figure[] = [];
    for (const aims of AIMS) {
      progress(`${aims.armedShare * 100} % armed`);
      figures.push(...figuresAt(rows, aims));
    }
    return {
      name: prediction.name,
      title: prediction.title,
      figures,
      caveats: [
        `${rows.length} waits of ${new Set(rows.map(({ session }) => session)).size} coding-agent sessions (bench/data), replayed in file order; each is decided knowing the rows before only.`,
        'Intervals are over sessions. An aim here is missed when even the interval’s upper end falls short.',
        'Plain hazard, fixed timeout and oracle get their price or time by hindsight of the whole trace; Prewake adapts its own online.',
        'A recorded trace has no signals (headers, first token, a child’s exit) and no deadlines: hostd has them in practice.',
      ],
    };
  },
};
