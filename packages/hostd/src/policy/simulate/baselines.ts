import { planWindows } from '../plan/windows.ts';
import { BINS, binOf, EDGES, WIDTHS } from '../predict/grid.ts';
import { invert, logHazards, newDensity } from '../predict/histogram.ts';
import { CoverageTally, type Summary } from './coverage.ts';
import type { TraceRow } from './trace.ts';

/** What other policies, some of which know the whole trace, do on it with the same armed share. */
export interface Baseline {
  name: string;
  about: string;
  summary: Summary;
}

export function baselines(rows: readonly TraceRow[], armedShare: number, leadUs: number): Baseline[] {
  return [
    { name: 'always-armed', about: 'armed all the time', summary: alwaysArmed(rows, leadUs) },
    {
      name: 'fixed-timeout',
      about: 'armed for a fixed time from the start of each wait, the time by hindsight',
      summary: fixedTimeout(rows, armedShare, leadUs),
    },
    {
      name: 'plain-hazard',
      about: 'a histogram for each key, backed off to the kind, learned online; the price by hindsight',
      summary: plainHazard(rows, armedShare, leadUs),
    },
    {
      name: 'oracle',
      about: 'knows each wakeup and arms for the lead before it, the cheapest first',
      summary: oracle(rows, armedShare, leadUs),
    },
  ];
}

function alwaysArmed(rows: readonly TraceRow[], leadUs: number): Summary {
  const tally = new CoverageTally(leadUs);
  for (const row of rows) tally.add(row, [{ arm: 0, disarm: Number.POSITIVE_INFINITY }]);
  return tally.summary();
}

function fixedTimeout(rows: readonly TraceRow[], armedShare: number, leadUs: number): Summary {
  const waits = rows.map(({ waitMs }) => waitMs * 1000).sort((a, b) => a - b);
  const budget = armedShare * waits.reduce((a, b) => a + b, 0);
  // All waits up to one are armed throughout, the longer ones for as long as that one.
  let before = 0;
  let timeout = Number.POSITIVE_INFINITY;
  for (const [i, us] of waits.entries()) {
    const longer = waits.length - i;
    if (before + us * longer > budget) {
      timeout = (budget - before) / longer;
      break;
    }
    before += us;
  }
  const tally = new CoverageTally(leadUs);
  for (const row of rows) tally.add(row, timeout > 0 ? [{ arm: 0, disarm: timeout }] : []);
  return tally.summary();
}

/** A histogram's weight of what it is backed off to, in observations. */
const STRENGTH = 4;
/** Bins of the grid in one bar: of 1 to 4 what covered most of agent-waits.csv. */
const GROUP = 2;
const PER_NAT = 50;
const LOWEST = -30;

function plainHazard(rows: readonly TraceRow[], armedShare: number, leadUs: number): Summary {
  // First how much time is spent at each hazard, then the same again with the price that this gives.
  const timeAt = new Float64Array(-LOWEST * PER_NAT);
  let total = 0;
  for (const [row, hazards] of plainHazards(rows)) {
    const us = row.waitMs * 1000;
    total += us;
    const last = binOf(us);
    for (let b = 0; b <= Math.min(last, BINS - 1); b++) {
      const level = Math.floor(((hazards[b] as number) - LOWEST) * PER_NAT);
      const index = Math.max(0, Math.min(timeAt.length - 1, level));
      const time = b === last ? us - (EDGES[b] as number) : (WIDTHS[b] as number);
      timeAt[index] = (timeAt[index] as number) + time;
    }
  }
  let level = timeAt.length;
  for (let spent = 0; level > 0; level--) {
    spent += timeAt[level - 1] as number;
    if (spent > armedShare * total) break;
  }
  const price = armedShare >= 1 ? Number.NEGATIVE_INFINITY : LOWEST + level / PER_NAT;
  const tally = new CoverageTally(leadUs);
  for (const [row, hazards] of plainHazards(rows)) {
    tally.add(row, planWindows(hazards, price, { leadUs, maxWindows: BINS }));
  }
  return tally.summary();
}

function* plainHazards(rows: readonly TraceRow[]): Generator<[TraceRow, Float64Array]> {
  const counts = new Map<string, { bins: Float64Array; total: number }>();
  const of = newDensity();
  const { density } = of;
  const hazards = new Float64Array(BINS + 1);
  for (const row of rows) {
    density.fill(1 / (BINS + 1));
    for (const name of [row.kind, `${row.kind}\0${row.key}`]) {
      const known = counts.get(name);
      if (!known) continue;
      const each = 1 / (known.total + STRENGTH);
      for (let b = 0; b <= BINS; b++) {
        density[b] = ((known.bins[b] as number) + STRENGTH * (density[b] as number)) * each;
      }
    }
    invert(of);
    logHazards(of, hazards);
    yield [row, hazards];
    const first = GROUP * Math.floor(binOf(row.waitMs * 1000) / GROUP);
    for (const name of [row.kind, `${row.kind}\0${row.key}`]) {
      const known = counts.get(name) ?? { bins: new Float64Array(BINS + 1), total: 0 };
      counts.set(name, known);
      for (let b = first; b < Math.min(first + GROUP, BINS + 1); b++) {
        known.bins[b] = (known.bins[b] as number) + 1 / GROUP;
      }
      known.total++;
    }
  }
}

function oracle(rows: readonly TraceRow[], armedShare: number, leadUs: number): Summary {
  const cost = (row: TraceRow) => Math.min(row.waitMs * 1000, leadUs);
  const cheapest = [...rows].sort((a, b) => cost(a) - cost(b));
  let left = armedShare * rows.reduce((sum, { waitMs }) => sum + waitMs * 1000, 0);
  const tally = new CoverageTally(leadUs);
  for (const row of cheapest) {
    const affordable = cost(row) <= left;
    if (affordable) left -= cost(row);
    tally.addSums(row, affordable ? 1 : 0, affordable ? cost(row) : 0);
  }
  return tally.summary();
}
