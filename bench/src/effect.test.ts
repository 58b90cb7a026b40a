import { expect, it } from 'vitest';
import { costs, coveredFigures, latenesses, ratioOf, samePairs } from './effect-figures.ts';
import type { EffectRun } from './effect-setups.ts';
import { ACTIVE_US, asLines, fixedWindow, parseWakeups, plannedShare, workload } from './effect-waits.ts';
import { verdict } from './result.ts';
import { sum } from './statistics.ts';

const rows = Array.from({ length: 300 }, (_, i) => ({
  session: `s${i % 6}`,
  kind: i % 2 ? 'llm' : 'tool',
  key: `a key/${i % 3}`,
  startMs: i,
  waitMs: i % 5 === 0 ? 10 : 100 * i,
  inputTokens: undefined,
}));

it('the workload replays recorded waits within its bounds, with a periodic timer in between', () => {
  const waits = workload(rows, 2, 90);
  expect(waits).toHaveLength(90);
  expect(waits.every(({ us }) => us >= 500 && us <= 150_000)).toBe(true);
  expect(waits.filter(({ kind }) => kind === 'timer').length).toBe(30);
  expect(asLines(waits)).toMatch(/^((tool|llm|timer) [\w.:-]+ \d+\.\d\n){90}$/);
  expect(workload(rows, 3, 90)).not.toEqual(waits);
});

it('a fixed window arms just the share that it is for', () => {
  const waits = workload(rows, 0, 200);
  for (const share of [0.1, 0.2, 0.7]) {
    const window = fixedWindow(waits, share);
    const armed = sum(waits.map(({ us }) => Math.min(us, window)));
    expect(armed / sum(waits.map(({ us }) => us))).toBeCloseTo(share, 6);
  }
});

it('what is planned and the active windows together are the share of all time', () => {
  const waits = workload(rows, 0, 200);
  const waited = sum(waits.map(({ us }) => us));
  const awake = waits.length * ACTIVE_US;
  const armed = plannedShare(waits, 0.1) * waited + awake;
  expect(armed / (waited + awake)).toBeCloseTo(0.1, 6);
  expect(plannedShare(waits, 0)).toBe(0);
});

it('reads what the waiter prints', () => {
  expect(parseWakeups('150000 0\n98000 1\nelapsed 1.5\n')).toEqual({
    lateUs: [150, 98],
    armed: [false, true],
    elapsed: 1.5,
  });
});

const run = (lateUs: number[], covered: boolean[], armed: number): EffectRun => ({
  lateUs,
  covered,
  elapsed: 10,
  armed,
  polled: armed,
});

it('compares covered wakeups with the same waits of the same round, and no others', () => {
  const own = [run([100, 900], [true, false], 1), run([110, 120], [false, true], 1)];
  const always = [run([90, 91], [true, true], 10), run([92, 93], [true, true], 10)];
  expect(samePairs(own, always)).toEqual([
    [100, 90],
    [120, 93],
  ]);
});

it('gives a ratio of quantiles its interval, and misses the aim only when all of it is above', () => {
  const pairs = Array.from({ length: 400 }, (_, i) => [150 + (i % 7), 100 + (i % 7)] as const);
  const ratio = ratioOf(pairs, 0.5, 200);
  expect(ratio.estimate).toBeCloseTo(153 / 103);
  expect(ratio.low).toBeLessThanOrEqual(ratio.estimate);
  const own = [
    run(
      pairs.map(([a]) => a),
      pairs.map(() => true),
      1,
    ),
  ];
  const always = [
    run(
      pairs.map(([, b]) => b),
      pairs.map(() => true),
      10,
    ),
  ];
  const figures = coveredFigures('x', own, always);
  expect(figures.filter(({ aim }) => aim).map(verdict)).toEqual(['missed', 'missed']);
});

it('shows a quantile only with enough samples for it', () => {
  const names = (count: number) =>
    latenesses('x', Array.from({ length: count }, Math.random)).map(({ what }) => what);
  expect(names(10)).toEqual([]);
  expect(names(999)).toEqual(['x: p50', 'x: p90']);
  expect(names(1000)).toEqual(['x: p50', 'x: p90', 'x: p99']);
});

it('gives costs as parts of the time, and no polling time where the kernel does not count it', () => {
  const [armed, polled] = costs('x', [run([], [], 1), run([], [], 3)]);
  expect(armed?.value).toBeCloseTo(20);
  expect(polled?.value).toBeCloseTo(20);
  expect(costs('x', [{ ...run([], [], 1), polled: Number.NaN }])).toHaveLength(1);
});
