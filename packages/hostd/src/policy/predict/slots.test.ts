import { describe, expect, it } from 'vitest';
import { SlotTable } from './slots.ts';

describe('slot table', () => {
  it('gives a slot to what comes again, with what came first in it, and none to what comes once', () => {
    const table = new SlotTable(100);
    expect(table.second(7, 0.9)).toBeUndefined();
    table.first(7, 40);
    expect(table.size).toBe(0);
    expect([...table.once()]).toEqual([[7, 40]]);
    const slot = table.second(7, 0.9);
    expect(slot?.histogram.events).toBe(1);
    expect(slot?.histogram.counts[40]).toBeGreaterThan(0);
    expect(table.use(7)).toBe(slot);
    expect([...table.once()]).toEqual([]);
    expect(table.second(7, 0.9)).toBeUndefined();
  });

  it('holds no more than its bound under a flood, and begins each slot anew', () => {
    const table = new SlotTable(64);
    for (let i = 1; i < 5000; i++) {
      table.first(i * 977, i % 90);
      if (i % 2) continue;
      const slot = table.second(i * 977, 0.9);
      expect(slot?.histogram.events).toBe(1);
      expect(slot?.histogram.counts.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    }
    expect(table.size).toBeLessThanOrEqual(64);
    expect([...table.once()].length).toBeLessThanOrEqual(64);
  });
});
