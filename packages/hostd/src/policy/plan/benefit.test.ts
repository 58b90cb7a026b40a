import { describe, expect, it } from 'vitest';
import { Benefit, relativeGain } from './benefit.ts';

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

/**
 * What arming is held to be worth after each thousand waits of 300,000, a fiftieth of them left unarmed. Costs are
 * as they are on machines: skewed, with a median of 150 µs and a tenth beyond 280.
 */
function verdicts(gain: number): number[] {
  const benefit = new Benefit();
  const found: number[] = [];
  let seed = 7;
  const random = () => {
    seed = (seed + 0x9e3779b9) >>> 0;
    let bits = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return (((bits ^ (bits >>> 16)) >>> 0) + 0.5) / 2 ** 32;
  };
  for (let i = 0; i < 300_000; i++) {
    const normal = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    const cost = 100_000 + 50_000 * Math.exp(normal);
    const covered = random() >= 0.02;
    benefit.add(covered ? cost : cost + gain, covered, i % 2);
    if (i % 1000 === 999) found.push(benefit.worth(limits));
  }
  return found;
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
    expect(measured(0, 50_000, 40).worth(limits)).toBe(1);
  });

  it('finds none in noise as large as that of real wakeups, where there is none', () => {
    const found = verdicts(0);
    // A hundred wakeups that were left unarmed are 5,000 waits.
    expect(found[0]).toBe(1);
    const later = found.slice(10);
    expect(later.filter((worth) => worth === 0).length).toBeGreaterThan(0.9 * later.length);
  });

  it('finds the gain in it where there is one', () => {
    expect(verdicts(50_000).every((worth) => worth === 1)).toBe(true);
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

  it('is told against the mean as far as it is known to differ', () => {
    const relative = (benefit: Benefit, meanNs: number) => {
      const estimate = benefit.estimate(limits);
      return estimate ? relativeGain(estimate, meanNs) : Number.NaN;
    };
    expect(relative(measured(60_000, 20_000, 500), 30_000)).toBeGreaterThan(1.9);
    expect(relative(measured(15_000, 20_000, 500), 30_000)).toBeLessThan(0.55);
    const noisy = relative(measured(40_000, 60_000, 30), 10_000);
    expect(noisy).toBeGreaterThan(1);
    expect(noisy).toBeLessThan(2);
    expect(relative(measured(60_000, 500, 500), 1000)).toBe(4);
    expect(relative(measured(-60_000, 500, 500), 1000)).toBe(0.25);
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
