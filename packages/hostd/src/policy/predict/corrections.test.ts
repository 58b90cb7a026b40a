import { describe, expect, it } from 'vitest';
import { Corrections } from './corrections.ts';
import { BINS } from './grid.ts';

const ALIKE = new Float64Array(BINS + 1).fill(0.02);

/** What a context's log hazards are raised by in each bin. */
function raised(of: Corrections, key: number): number[] {
  const hazards = new Float64Array(BINS + 1);
  of.apply([key, Number.NaN], hazards);
  return [...hazards];
}

describe('corrections', () => {
  it('raise hazards where more waits ended than were expected, and lower them before', () => {
    const corrections = new Corrections();
    for (let i = 0; i < 200; i++) corrections.learn([7, Number.NaN], ALIKE, 50, 50);
    const by = raised(corrections, 7);
    expect(by[50]).toBeGreaterThan(0.5);
    expect(by[20]).toBeLessThan(-0.2);
    expect(by[90]).toBe(0);
    expect(raised(corrections, 8).every((more) => more === 0)).toBe(true);
  });

  it('add up, and are the same after a restart to a thousandth', () => {
    const corrections = new Corrections();
    for (let i = 0; i < 50; i++) corrections.learn([7, 9], ALIKE, 30, 30);
    const both = new Float64Array(BINS + 1);
    corrections.apply([7, 9], both);
    expect(both[30]).toBeCloseTo(2 * (raised(corrections, 7)[30] ?? Number.NaN), 6);
    const again = new Corrections();
    again.restore(JSON.parse(JSON.stringify(corrections.save())));
    expect(raised(again, 9)[30]).toBeCloseTo(raised(corrections, 9)[30] ?? Number.NaN, 2);
    expect(() => again.restore([[7, [1, 2]]])).toThrow(RangeError);
    expect(() => again.restore([[7, new Array(32).fill(Number.NaN)]])).toThrow(RangeError);
  });

  it('keep what comes often, however many come once', () => {
    const corrections = new Corrections();
    let once = 1000;
    for (let i = 0; i < 200; i++) {
      corrections.learn([7, Number.NaN], ALIKE, 50, 50);
      for (let other = 0; other < 100; other++) corrections.learn([once++, Number.NaN], ALIKE, 10, 10);
    }
    expect(raised(corrections, 7)[50]).toBeGreaterThan(0.5);
  });
});
