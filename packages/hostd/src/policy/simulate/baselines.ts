import { planWindows } from '../plan/windows.ts';
import { BINS, binOf, EDGES, WIDTHS } from '../predict/grid.ts';
import { Histogram, invert, logHazards, newDensity, UNIFORM } from '../predict/histogram.ts';
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
      about:
        'a decayed histogram for each key, backed off to the kind, learned online; the price by hindsight',
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

/** Observations that what a key and a kind are backed off to is worth, how they forget, how far they are smoothed. */
const KEY_STRENGTH = 8;
const KIND_STRENGTH = 2;
const DECAY = 0.95;
const BANDWIDTH = 0.25;
const PER_NAT = 100;
const LOWEST = -30;
/** How near the share the price is brought, and in how many attempts at most. */
const NEAR = 0.998;
const ATTEMPTS = 6;

function plainHazard(rows: readonly TraceRow[], armedShare: number, leadUs: number): Summary {
  if (armedShare >= 1) return alwaysArmed(rows, leadUs);
  const timeAt = timeAtHazards(rows);
  let best = new CoverageTally(leadUs);
  for (const row of rows) best.add(row, []);
  // Windows open early, so a little more is armed than time is spent above the price: it is raised until that fits.
  let part = 1;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const tally = new CoverageTally(leadUs);
    const price = priceOf(timeAt, part * armedShare);
    for (const [row, hazards] of plainHazards(rows)) {
      tally.add(row, planWindows(hazards, price, { leadUs, maxWindows: BINS }));
    }
    const armed = tally.summary().armedShare ?? 0;
    if (armed <= armedShare && armed >= (best.summary().armedShare ?? 0)) best = tally;
    if (armed === 0 || (armed <= armedShare && armed >= NEAR * armedShare)) break;
    // Aims between the two, as what is above is of no use.
    part *= (((1 + NEAR) / 2) * armedShare) / armed;
  }
  return best.summary();
}

/** How much wait time is spent at each level of hazard. */
function timeAtHazards(rows: readonly TraceRow[]): Float64Array {
  const timeAt = new Float64Array(-LOWEST * PER_NAT);
  for (const [row, hazards] of plainHazards(rows)) {
    const us = row.waitMs * 1000;
    const last = binOf(us);
    for (let b = 0; b <= Math.min(last, BINS - 1); b++) {
      const level = Math.floor(((hazards[b] as number) - LOWEST) * PER_NAT);
      const index = Math.max(0, Math.min(timeAt.length - 1, level));
      const time = b === last ? us - (EDGES[b] as number) : (WIDTHS[b] as number);
      timeAt[index] = (timeAt[index] as number) + time;
    }
    if (last === BINS) timeAt[0] = (timeAt[0] as number) + us - (EDGES[BINS] as number);
  }
  return timeAt;
}

/** The log hazard above which lies `share` of all time. */
function priceOf(timeAt: Float64Array, share: number): number {
  const most = share * timeAt.reduce((a, b) => a + b, 0);
  let above = 0;
  for (let level = timeAt.length - 1; level >= 0; level--) {
    const time = timeAt[level] as number;
    if (above + time > most) return LOWEST + (level + (above + time - most) / time) / PER_NAT;
    above += time;
  }
  return LOWEST;
}

function* plainHazards(rows: readonly TraceRow[]): Generator<[TraceRow, Float64Array]> {
  const known = new Map<string, Histogram>();
  const of = (name: string) => {
    const histogram = known.get(name) ?? new Histogram(BANDWIDTH);
    known.set(name, histogram);
    return histogram;
  };
  const ofKind = newDensity();
  const ofKey = newDensity();
  const hazards = new Float64Array(BINS + 1);
  for (const row of rows) {
    const kind = of(row.kind);
    const key = of(`${row.kind}\0${row.key}`);
    kind.density(UNIFORM, KIND_STRENGTH, ofKind.density);
    key.density(ofKind.density, KEY_STRENGTH, ofKey.density);
    invert(ofKey);
    logHazards(ofKey, hazards);
    yield [row, hazards];
    for (const histogram of [kind, key]) histogram.add(binOf(row.waitMs * 1000), DECAY);
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
