import type { EffectRun } from './effect-setups.ts';
import { type Aim, type Figure, figureOf } from './result.ts';
import { bootstrap, type Interval, quantile, samplesFor, seeded, sum } from './statistics.ts';

const PARTS: [string, number][] = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p99', 0.99],
];

/** Quantiles of lateness, each where there are enough samples for it. */
export function latenesses(what: string, lateUs: readonly number[]): Figure[] {
  return PARTS.filter(([, q]) => lateUs.length >= samplesFor(q)).map(([name, q]) =>
    figureOf(
      `${what}: ${name}`,
      'µs',
      bootstrap(lateUs, (all) => quantile(all, q)),
      lateUs.length,
    ),
  );
}

/** Wakeups that `runs` covered, and the same waits of the same rounds in `others`. */
export function samePairs(runs: readonly EffectRun[], others: readonly EffectRun[]): [number, number][] {
  return runs.flatMap((run, round) =>
    run.lateUs.flatMap((late, i): [number, number][] =>
      run.covered[i] ? [[late, others[round]?.lateUs[i] as number]] : [],
    ),
  );
}

/** A quantile of the first of each pair over the same quantile of the second; pairs are drawn together. */
export function ratioOf(pairs: readonly (readonly [number, number])[], q: number, rounds = 2000): Interval {
  const ratio = (some: readonly (readonly [number, number])[]) =>
    quantile(
      some.map(([a]) => a),
      q,
    ) /
    quantile(
      some.map(([, b]) => b),
      q,
    );
  const random = seeded(1);
  const drawn = Array.from({ length: rounds }, () =>
    ratio(pairs.map(() => pairs[Math.floor(random() * pairs.length)] as [number, number])),
  );
  return { estimate: ratio(pairs), low: quantile(drawn, 0.025), high: quantile(drawn, 0.975) };
}

const share = (runs: readonly EffectRun[], part: (run: EffectRun) => number): number[] =>
  runs.map((run) => (100 * part(run)) / run.elapsed);

const mean = (all: readonly number[]) => sum(all) / all.length;

/** What the guard of a set-up costs: armed CPU time and time in which the idle loop polled. */
export function costs(name: string, runs: readonly EffectRun[], armedAim?: Aim): Figure[] {
  const figure = (what: string, all: number[], aim?: Aim) =>
    figureOf(`${name}: ${what}`, '% of one CPU’s time', bootstrap(all, mean), all.length, aim);
  const polled = share(runs, ({ polled }) => polled);
  return [
    figure(
      'armed',
      share(runs, ({ armed }) => armed),
      armedAim,
    ),
    ...(polled.every(Number.isFinite)
      ? [figure('polling instead of sleeping, all CPUs together', polled)]
      : []),
  ];
}

/** Covered wakeups of a set-up, and how they compare with the same waits under the guard that is always on. */
export function coveredFigures(name: string, runs: readonly EffectRun[], always: readonly EffectRun[]) {
  const pairs = samePairs(runs, always);
  const all = sum(runs.map(({ lateUs }) => lateUs.length));
  const covered: Figure = {
    what: `${name}: wakeups covered`,
    unit: '%',
    value: (100 * pairs.length) / all,
    samples: all,
  };
  if (pairs.length < samplesFor(0.9)) return [covered];
  const aim: Aim = { limit: 1.1, direction: 'at most' };
  return [
    covered,
    ...latenesses(
      `${name}: covered wakeups`,
      pairs.map(([late]) => late),
    ),
    ...PARTS.slice(0, 2).map(([part, q]) =>
      figureOf(
        `${name}: covered wakeups ÷ the same waits always-on, ${part}`,
        '×',
        ratioOf(pairs, q),
        pairs.length,
        aim,
      ),
    ),
  ];
}
