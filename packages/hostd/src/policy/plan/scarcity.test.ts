import { describe, expect, it } from 'vitest';
import { Scarcity } from './scarcity.ts';

const MINUTE = 60e6;

/** A budget that pays for `paid` of a share of 10 %, of which a price of e^log leaves e^-log to be planned. */
function settled(paid: number, minutes: number): Scarcity {
  const scarce = new Scarcity();
  for (let i = 0; i < minutes; i++) {
    const planned = 0.1 * Math.exp(-scarce.log);
    scarce.settle(MINUTE, Math.max(0, planned - 0.1 * paid) * MINUTE, 0.1);
  }
  return scarce;
}

describe('scarcity', () => {
  it('is none where the budget pays for all that is planned', () => {
    expect(settled(1, 100).log).toBe(0);
  });

  it('settles where little is planned that the budget does not pay', () => {
    const { log } = settled(0.25, 1000);
    expect(Math.exp(-log)).toBeGreaterThan(0.25);
    expect(Math.exp(-log)).toBeLessThan(0.3);
  });

  it('is bounded, and falls again once the budget pays', () => {
    const scarce = settled(0, 1000);
    expect(scarce.log).toBeLessThan(4.1);
    for (let i = 0; i < 30; i++) scarce.settle(MINUTE, 0, 0.1);
    expect(scarce.log).toBeLessThan(2.1);
    scarce.settle(1e15, 0, 0.1);
    expect(scarce.log).toBe(0);
  });

  it('is a number also where nothing may be armed', () => {
    const scarce = new Scarcity();
    scarce.settle(MINUTE, MINUTE, 0);
    scarce.settle(MINUTE, 0, 0);
    expect(scarce.log).toBeGreaterThan(3);
    expect(scarce.log).toBeLessThan(4);
  });
});
