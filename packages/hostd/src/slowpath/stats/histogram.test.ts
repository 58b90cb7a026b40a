import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from './histogram.ts';

const values = fc.array(fc.integer({ min: 0, max: 2 ** 47 }), { minLength: 1, maxLength: 200 });

function of(list: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of list) histogram.add(value);
  return histogram;
}

describe('Histogram', () => {
  it('puts a value into a bucket that ends at most an eighth above it', () => {
    const powers = Array.from({ length: 48 }, (_, i) => 2 ** i).flatMap((p) => [p - 1, p, p + 1]);
    for (const value of powers) {
      const [[end]] = of([value]).buckets() as [[number, number]];
      expect(end).toBeGreaterThanOrEqual(value);
      expect(end).toBeLessThanOrEqual(value * 1.125);
    }
  });

  it('answers a quantile within an eighth of the true one', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0.001, max: 1, noNaN: true }), (list, part) => {
        const sorted = [...list].sort((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(part * list.length)) - 1] as number;
        const answer = of(list).quantile(part);
        expect(answer).toBeGreaterThanOrEqual(exact);
        expect(answer).toBeLessThanOrEqual(exact * 1.125);
      }),
    );
  });

  it('merges into what it would have been with all values', () => {
    fc.assert(
      fc.property(values, values, (some, others) => {
        const merged = of(some);
        merged.merge(of(others));
        const all = of([...some, ...others]);
        expect(merged.buckets()).toEqual(all.buckets());
        expect([merged.count, merged.max]).toEqual([all.count, all.max]);
      }),
    );
  });
});
