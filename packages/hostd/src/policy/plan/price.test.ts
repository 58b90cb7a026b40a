import { describe, expect, it } from 'vitest';
import { BINS, binOf, EDGES } from '../predict/grid.ts';
import { Price } from './price.ts';
import { armedWithin, cutToCredit, planWindows } from './windows.ts';

const limits = { leadUs: 0, maxWindows: 100 };

/** Waits whose hazards are known: high around where they end, lower the longer they last. */
function* waits(
  count: number,
  scaleOf: (i: number) => number,
): Generator<{ us: number; logs: Float64Array }> {
  for (let i = 0; i < count; i++) {
    const us = scaleOf(i) * (1 + ((i * 7919) % 997) / 500);
    const logs = new Float64Array(BINS + 1);
    for (let b = 0; b <= BINS; b++)
      logs[b] = -Math.log(1 + (EDGES[b] as number)) - 0.02 * Math.abs(b - binOf(us));
    yield { us, logs };
  }
}

function run(
  share: number,
  scaleOf: (i: number) => number,
  count = 3000,
): { share: number; prices: number[] } {
  const price = new Price(share, 0);
  let armed = 0;
  let waited = 0;
  const prices: number[] = [];
  for (const { us, logs } of waits(count, scaleOf)) {
    const windows = cutToCredit(planWindows(logs, price.log, limits), price.credit, share);
    const spent = armedWithin(windows, us);
    armed += spent;
    waited += us;
    expect(armed).toBeLessThanOrEqual(share * waited + 1e-3);
    price.observe(logs, us, spent);
    prices.push(price.log);
  }
  return { share: armed / waited, prices };
}

describe('price', () => {
  it.each([0.02, 0.1, 0.3, 0.7])('meets an armed share of %d, and is never above it', (share) => {
    expect(run(share, () => 2e6).share).toBeGreaterThan(0.85 * share);
  });

  it('meets it when the load changes', () => {
    expect(run(0.1, (i) => (i < 1000 ? 50_000 : 5e6)).share).toBeGreaterThan(0.08);
  });

  it('is dearer where less may be armed', () => {
    const end = (share: number) => run(share, () => 2e6).prices.at(-1) ?? 0;
    expect(end(0.02)).toBeGreaterThan(end(0.3));
  });

  it('starts where it left off', () => {
    const { prices } = run(0.1, () => 2e6);
    const price = new Price(0.1, 0);
    price.restore(prices.at(-1) ?? null);
    expect(price.log).toBe(prices.at(-1));
    price.restore(Number.NaN);
    expect(price.log).toBe(prices.at(-1));
  });

  it('is nothing for a share of 1 and beyond all for 0', () => {
    expect(new Price(1, 0).log).toBe(Number.NEGATIVE_INFINITY);
    expect(new Price(0, 0).log).toBe(Number.POSITIVE_INFINITY);
  });
});
