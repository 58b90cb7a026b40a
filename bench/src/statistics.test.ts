import { describe, expect, it } from 'vitest';
import { bootstrap, bootstrapPair, median, quantile, samplesFor, seeded } from './statistics.ts';

describe('quantile', () => {
  it('interpolates between samples in any order', () => {
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
    expect(quantile([0, 10], 0.25)).toBe(2.5);
    expect(quantile([7], 0.99)).toBe(7);
  });

  it('of nothing is not a number, and never zero', () => {
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('bootstrap', () => {
  const random = seeded(7);
  const around = (center: number) => Array.from({ length: 400 }, () => center + random() - 0.5);

  const difference = (a: readonly number[], b: readonly number[]) => median(b) - median(a);

  it('tells two shifted samples apart', () => {
    const shifted = bootstrapPair(around(10), around(11), difference);
    expect(shifted.low).toBeGreaterThan(0.5);
    expect(shifted.high).toBeLessThan(1.5);
  });

  it('finds a difference between two of the same source about as seldom as a 95 % interval may', () => {
    const trials = 200;
    let found = 0;
    for (let trial = 0; trial < trials; trial++) {
      const { low, high } = bootstrapPair(around(10), around(10), difference, {
        rounds: 200,
        seed: trial + 1,
      });
      if (low > 0 || high < 0) found++;
    }
    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(trials * 0.12);
  });

  it('draws the same interval for the same seed', () => {
    const samples = around(3);
    expect(bootstrap(samples, median, { seed: 5 })).toEqual(bootstrap(samples, median, { seed: 5 }));
  });
});

it('a p99 needs a thousand samples', () => {
  expect(samplesFor(0.99)).toBe(1000);
});
