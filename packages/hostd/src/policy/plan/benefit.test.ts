import { describe, expect, it } from 'vitest';
import { Benefit } from './benefit.ts';

const limits = { samples: 30, minBenefitNs: 1000 };

/** Costs of both sides: `gain` apart, spread evenly over ±`spread`. */
function measured(gain: number, spread: number, times: number): Benefit {
  const benefit = new Benefit();
  for (let i = 0; i < times; i++) {
    const noise = (((i * 7919) % 101) / 50 - 1) * spread;
    benefit.add(60_000 + gain + noise, false, i % 2);
    benefit.add(60_000 - noise, true, i % 2);
  }
  return benefit;
}

describe('benefit', () => {
  it('favours arming until there is evidence on both sides', () => {
    const benefit = new Benefit();
    for (let i = 0; i < 1000; i++) benefit.add(50_000, true, 0);
    expect(benefit.estimate(limits)).toBeUndefined();
    expect(benefit.worth(limits)).toBe(1);
  });

  it('finds a gain, with an interval that holds it', () => {
    const estimate = measured(30_000, 20_000, 500).estimate(limits);
    expect(estimate?.lowNs).toBeLessThan(30_000);
    expect(estimate?.highNs).toBeGreaterThan(30_000);
    expect(estimate?.lowNs).toBeGreaterThan(0);
    expect(measured(30_000, 20_000, 500).worth(limits)).toBe(1);
  });

  it('finds none where there is none, or where arming makes it worse', () => {
    expect(measured(0, 500, 500).worth(limits)).toBe(0);
    expect(measured(-20_000, 500, 500).worth(limits)).toBe(0);
  });

  it('goes on arming while the interval is too wide to tell', () => {
    expect(measured(0, 400_000, 40).worth(limits)).toBe(1);
  });

  it('compares each CPU with itself: a slow CPU that is mostly uncovered is no gain', () => {
    const benefit = new Benefit();
    for (let i = 0; i < 300; i++) {
      const noise = (i % 10) * 10;
      benefit.add(20_000 + noise, true, 0);
      if (i % 10 === 0) benefit.add(20_000 + noise, false, 0);
      benefit.add(90_000 + noise, false, 1);
      if (i % 10 === 0) benefit.add(90_000 + noise, true, 1);
    }
    expect(Math.abs(benefit.estimate(limits)?.gainNs ?? 1e9)).toBeLessThan(200);
    expect(benefit.worth(limits)).toBe(0);
  });

  it('is bounded, saved and restored', () => {
    const benefit = measured(30_000, 20_000, 100);
    for (let cpu = 0; cpu < 1000; cpu++) benefit.add(1000, true, cpu);
    expect(benefit.save().length).toBeLessThanOrEqual(8);
    const again = new Benefit();
    again.restore(benefit.save());
    expect(again.estimate(limits)).toEqual(benefit.estimate(limits));
    expect(() => again.restore([[0, 1] as never])).toThrow(RangeError);
    benefit.add(Number.NaN, true, 0);
    expect(again.save()).toEqual(benefit.save());
  });
});
