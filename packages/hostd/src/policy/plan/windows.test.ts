import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BINS, EDGES } from '../predict/grid.ts';
import { armedWithin, cutToCredit, isCovered, planWindows, shiftWindows } from './windows.ts';

const limits = { leadUs: 1000, maxWindows: 4 };
const edge = (bin: number) => EDGES[bin] as number;

function hazards(...high: number[]): Float64Array {
  const logs = new Float64Array(BINS + 1).fill(-20);
  for (const bin of high) logs[bin] = -10;
  return logs;
}

describe('windows', () => {
  it('arm where the hazard is above the price, the lead before', () => {
    expect(planWindows(hazards(40, 41, 80), -15, limits)).toEqual([
      { arm: edge(40) - 1000, disarm: edge(42) },
      { arm: edge(80) - 1000, disarm: edge(81) },
    ]);
    expect(planWindows(hazards(0), -15, limits)).toEqual([{ arm: 0, disarm: edge(1) }]);
    expect(planWindows(hazards(40), -5, limits)).toEqual([]);
  });

  it('are at most so many: the closest are joined', () => {
    const plan = planWindows(hazards(20, 36, 44, 46, 56), -15, limits);
    expect(plan).toHaveLength(4);
    expect(plan[2]).toEqual({ arm: edge(44) - 1000, disarm: edge(47) });
  });

  it('never spend more than credit and share allow, at any time', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 1_000_000 }), { maxLength: 10 });
    fc.assert(
      fc.property(
        gaps,
        fc.integer({ min: -1e6, max: 1e6 }),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        (all, credit, share) => {
          let at = 0;
          const windows = [];
          for (let i = 0; i + 1 < all.length; i += 2) {
            const arm = at + (all[i] ?? 0);
            at = arm + (all[i + 1] ?? 0) + 1;
            windows.push({ arm, disarm: at });
          }
          const kept = cutToCredit(windows, credit, share);
          for (const { disarm } of kept) {
            expect(armedWithin(kept, disarm)).toBeLessThanOrEqual(
              Math.max(0, credit + share * disarm) + 1e-3,
            );
          }
          expect(kept.length).toBeLessThanOrEqual(windows.length);
        },
      ),
    );
  });

  it('are shifted to a later start, without what is past', () => {
    const windows = [
      { arm: 0, disarm: 10 },
      { arm: 20, disarm: 30 },
    ];
    expect(shiftWindows(windows, 100, 105)).toEqual([
      { arm: 105, disarm: 110 },
      { arm: 120, disarm: 130 },
    ]);
    expect(shiftWindows(windows, 0, 10)).toEqual([{ arm: 20, disarm: 30 }]);
  });

  it('cover a wakeup that comes the lead after they open, or at any time where they open with the wait', () => {
    const windows = [{ arm: 5000, disarm: 9000 }];
    expect(isCovered(windows, 5999, 1000)).toBe(false);
    expect(isCovered(windows, 6000, 1000)).toBe(true);
    expect(isCovered(windows, 9000, 1000)).toBe(false);
    expect(isCovered([{ arm: 0, disarm: 100 }], 50, 1000)).toBe(true);
  });
});
