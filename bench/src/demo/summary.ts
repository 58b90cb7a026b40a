import { CATEGORIES, type Category } from '@prewake/sdk/protocol';
import { bootstrapPair, type Interval, median, quantile, samplesFor, sum } from '../statistics.ts';
import type { StepRecord, WaitRecord } from './record.ts';

/** A distribution with what it rests on. NaN where there are no samples. */
export interface Spread {
  samples: number;
  p50: number;
  p99: number;
  sum: number;
}

export interface KindSummary {
  kind: string;
  steps: number;
  waits: number;
  waitMs: Spread;
  /** Woke on a CPU that was armed, by a window of its own or by the active window before it. */
  coveredWakeups: number;
  /** A window of its wait was open, but the thread woke on an unarmed CPU. */
  missedWakeups: number;
  /** Waits without a wakeup that is known: some end without their thread ever having slept. */
  unknownWakeups: number;
  /** Armed time within waits ÷ time waited. */
  armedShare: number;
  /** Waking → first instruction. */
  wakeupUs: Spread;
  /** Exclusive nanoseconds for each step. A category that is known for no step is absent. */
  slowpathUs: Partial<Record<Category, Spread>>;
  /** For how many steps each category was unknown. */
  unknown: Partial<Record<Category, number>>;
  reports: { complete: number; incomplete: number; missing: number };
}

/** All that is known of a step: hostd's part and the SDK's. */
const slowpathOf = (step: StepRecord): Partial<Record<Category, number>> => ({
  ...step.report?.self,
  ...step.userSpace,
});

const spread = (samples: number[]): Spread => ({
  samples: samples.length,
  p50: median(samples),
  p99: quantile(samples, 0.99),
  sum: sum(samples),
});

export function summarize(steps: Iterable<StepRecord>): KindSummary[] {
  const kinds = new Map<string, StepRecord[]>();
  const put = (kind: string, step: StepRecord) => {
    const list = kinds.get(kind);
    if (list) list.push(step);
    else kinds.set(kind, [step]);
  };
  for (const step of steps) {
    put(step.kind, step);
    if (step.kind === 'tool') put(`tool:${step.key}`, step);
  }
  return [...kinds.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, members]) => summarizeKind(kind, members));
}

function summarizeKind(kind: string, steps: StepRecord[]): KindSummary {
  const waits = steps.flatMap((step) => step.waits).filter((wait) => Number.isFinite(wait.waitUs));
  const slowpathUs: KindSummary['slowpathUs'] = {};
  const unknown: KindSummary['unknown'] = {};
  for (const category of CATEGORIES) {
    const known = steps.flatMap((step) => slowpathOf(step)[category] ?? []);
    if (known.length > 0) slowpathUs[category] = spread(known.map((ns) => ns / 1000));
    const missing = steps.length - known.length;
    if (missing > 0) unknown[category] = missing;
  }
  const reports = steps.flatMap((step) => step.report ?? []);
  return {
    kind,
    steps: steps.length,
    waits: waits.length,
    waitMs: spread(waits.map((wait) => wait.waitUs / 1000)),
    coveredWakeups: waits.filter((wait) => wait.wakeup?.covered).length,
    missedWakeups: waits.filter((wait) => wait.wakeup && wait.armed && !wait.wakeup.covered).length,
    unknownWakeups: waits.filter((wait) => !wait.wakeup).length,
    armedShare: sum(waits.map((wait) => wait.armedUs)) / sum(waits.map((wait) => wait.waitUs)),
    wakeupUs: spread(wakeupCosts(waits)),
    slowpathUs,
    unknown,
    reports: {
      complete: reports.filter((report) => report.complete).length,
      incomplete: reports.filter((report) => !report.complete).length,
      missing: steps.length - reports.length,
    },
  };
}

const wakeupCosts = (waits: readonly WaitRecord[]): number[] =>
  waits.flatMap((wait) => (wait.wakeup ? wait.wakeup.ns / 1000 : []));

export interface Comparison {
  what: string;
  unit: string;
  on: { samples: number; value: number };
  off: { samples: number; value: number };
  /** on − off. */
  difference: Interval;
  /** What the interval allows to say. */
  verdict: 'less with guards' | 'more with guards' | 'no difference can be told';
  /** Set where the samples are too few for this statistic to mean what it says. */
  caution?: string;
}

/** Guards on against guards off, over what both measured the same way. */
export function compare(on: readonly StepRecord[], off: readonly StepRecord[]): Comparison[] {
  const costs = (steps: readonly StepRecord[]) => wakeupCosts(steps.flatMap((step) => step.waits));
  const slowpath = (steps: readonly StepRecord[]) =>
    steps.flatMap((step) => (step.report ? sum(Object.values(step.report.self)) / 1000 : []));
  const waits = (steps: readonly StepRecord[]) =>
    steps
      .flatMap((step) => step.waits)
      .flatMap((wait) => (Number.isFinite(wait.waitUs) ? wait.waitUs / 1000 : []));
  return [
    row('wakeup latency, p50', 'µs', costs(on), costs(off), 0.5),
    row('wakeup latency, p90', 'µs', costs(on), costs(off), 0.9),
    row('wakeup latency, p99', 'µs', costs(on), costs(off), 0.99),
    row('slowpath of a step, p50', 'µs', slowpath(on), slowpath(off), 0.5),
    row('wait, p50', 'ms', waits(on), waits(off), 0.5),
  ].filter((comparison) => comparison !== undefined);
}

function row(what: string, unit: string, on: number[], off: number[], q: number): Comparison | undefined {
  if (on.length === 0 || off.length === 0) return undefined;
  const at = (samples: readonly number[]) => quantile(samples, q);
  const difference = bootstrapPair(on, off, (a, b) => at(a) - at(b));
  const enough = Math.min(on.length, off.length) >= samplesFor(q);
  const told = enough && (difference.high < 0 || difference.low > 0);
  return {
    what,
    unit,
    on: { samples: on.length, value: at(on) },
    off: { samples: off.length, value: at(off) },
    difference,
    verdict: !told
      ? 'no difference can be told'
      : difference.high < 0
        ? 'less with guards'
        : 'more with guards',
    ...(!enough && { caution: `needs ${samplesFor(q)} samples on each side` }),
  };
}
