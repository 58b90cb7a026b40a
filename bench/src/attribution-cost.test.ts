import { expect, it } from 'vitest';
import { added, overCheapest, ownPart } from './attribution-cost.ts';
import type { CostSample } from './attribution-run.ts';
import type { ObserverName } from './observers.ts';
import { unaccounted } from './slices.ts';

const sample = (machine: number, own = 0): CostSample => ({
  wakeupsPerSecond: 2500,
  machine,
  own,
  beginMs: 0,
  programs: { ns: 0, runs: 0 },
  seconds: 10,
});
const rounds = (perf: number) =>
  new Map<ObserverName, CostSample[]>([
    ['none', [sample(10), sample(12)]],
    ['Prewake', [sample(11), sample(13)]],
    ['bpftrace', [sample(14), sample(16)]],
    ['perf sched record', [sample(10 + perf), sample(12 + perf)]],
  ]);

it('what an observer adds is against nothing in the same round', () => {
  expect(added(rounds(2), 'Prewake')).toEqual([1, 1]);
  expect(added(rounds(2), 'bpftrace')).toEqual([4, 4]);
});

it('compares with the cheaper of the others, and with none that is lost in the noise', () => {
  expect(overCheapest(rounds(2)).estimate).toBe(0.5);
  expect(overCheapest(rounds(8)).estimate).toBe(0.25);
  expect(overCheapest(rounds(-1)).estimate).toBeNaN();
});

it('its own part is its process and its programs, at two thousand wakeups a second', () => {
  // 10 s in which its programs took 0.125 s at 2,500 wakeups a second: 1 % of a core at 2,000.
  const counted = { ...sample(0), programs: { ns: 0.125e9, runs: 1 } };
  expect(ownPart([sample(0, 2.5)], counted)[0]).toBeCloseTo(2 + 1);
});

it('a slice that is neither recorded nor counted as lost shows', () => {
  const run = { switches: 1000, perSecond: 0, cpu: 0, early: 0, late: 0 };
  expect(unaccounted({ ...run, records: 900, lost: 100 })).toBe(0);
  expect(unaccounted({ ...run, records: 900, lost: 50 })).toBeCloseTo(5);
});
