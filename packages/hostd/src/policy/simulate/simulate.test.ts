import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { simulate } from './simulate.ts';
import { parseTrace, type TraceRow } from './trace.ts';

const file = new URL('../../../../../bench/data/agent-waits.csv', import.meta.url);
const agentWaits = parseTrace(readFileSync(file, 'utf8'), 'agent-waits.csv');

/** The windows of each wait, `[arm, disarm, …]` in milliseconds. */
function windowsOf(rows: readonly TraceRow[], armedShare: number): number[][] {
  const windows = rows.map((): number[] => []);
  simulate(rows, { armedShare, leadUs: 1000 }, (wait, arm, disarm) => windows[wait]?.push(arm, disarm));
  return windows;
}

const row = fc.record({
  session: fc.constantFrom('a', 'b'),
  kind: fc.constantFrom('llm', 'tool'),
  key: fc.constantFrom('x', 'y z', ''),
  startMs: fc.integer({ min: 0, max: 1_000_000 }),
  waitMs: fc.oneof(fc.constantFrom(0, 10, 500, 3_600_000), fc.double({ min: 0, max: 20_000, noNaN: true })),
  inputTokens: fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined }),
});

describe('simulate on agent-waits.csv', () => {
  it.each([
    [0.1, 0.62, 0.04, 0.57],
    [0.25, 0.77, 0.04, 0.72],
    [0.5, 0.91, 0.03, 0.89],
  ])('with %d of the time armed covers at least %d of wakeups', (armedShare, covered, beyondPlain, plain) => {
    const { policies } = simulate(agentWaits, { armedShare, leadUs: 1000 });
    const of = Object.fromEntries(policies.map(({ name, summary }) => [name, summary]));
    expect(of.prewake?.coverage).toBeGreaterThanOrEqual(covered);
    expect(of.prewake?.armedShare).toBeLessThanOrEqual(armedShare);
    expect(of.prewake?.coverage).toBeGreaterThanOrEqual((of['plain-hazard']?.coverage ?? 1) + beyondPlain);
    // The others are held to the same share, and a baseline that is no rival would prove nothing.
    expect(of['plain-hazard']?.armedShare).toBeLessThanOrEqual(armedShare);
    expect(of['plain-hazard']?.coverage).toBeGreaterThan(plain);
    expect(of['plain-hazard']?.armedShare).toBeGreaterThan(0.99 * armedShare);
    expect(of['plain-hazard']?.coverage).toBeGreaterThan(of['fixed-timeout']?.coverage ?? 1);
    expect(of['fixed-timeout']?.armedShare).toBeCloseTo(armedShare, 3);
    expect(of.oracle?.coverage).toBe(1);
    expect(of['always-armed']).toMatchObject({ coverage: 1, armedShare: 1 });
  });

  it('decides the same for the same trace', () => {
    const rows = agentWaits.slice(0, 1500);
    expect(windowsOf(rows, 0.2)).toEqual(windowsOf(rows, 0.2));
  });

  it('knows nothing of a wait before it has ended', () => {
    const rows = agentWaits.slice(0, 1200);
    const before = windowsOf(rows, 0.2);
    for (const changed of [0, 17, 600, 1199]) {
      const other = rows.map((known, i) =>
        i === changed ? { ...known, waitMs: known.waitMs * 7 + 90 } : known,
      );
      expect(windowsOf(other, 0.2).slice(0, changed + 1)).toEqual(before.slice(0, changed + 1));
    }
    // The probe itself would notice: a wait of another length does change what comes after.
    const other = rows.map((known, i) => (i === 17 ? { ...known, waitMs: 90_000 } : known));
    expect(windowsOf(other, 0.2)).not.toEqual(before);
  });
});

describe('simulate', () => {
  it('never peeks, whatever the trace', () => {
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 60 }),
        fc.nat(),
        fc.nat(1e6),
        (rows, pick, waitMs) => {
          const changed = pick % rows.length;
          const other = rows.map((known, i) => (i === changed ? { ...known, waitMs } : known));
          expect(windowsOf(other, 0.3).slice(0, changed + 1)).toEqual(
            windowsOf(rows, 0.3).slice(0, changed + 1),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keeps to its armed share on any trace, with disjoint ascending windows', () => {
    const share = fc.double({ min: 0, max: 0.99, noNaN: true });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 120 }), share, (rows, armedShare) => {
        const result = simulate(rows, { armedShare, leadUs: 1000 });
        expect(result.policies[0]?.summary.armedShare ?? 0).toBeLessThanOrEqual(armedShare + 1e-12);
        const plain = result.policies.find(({ name }) => name === 'plain-hazard');
        expect(plain?.summary.armedShare ?? 0).toBeLessThanOrEqual(armedShare + 1e-12);
        for (const windows of windowsOf(rows, armedShare)) {
          expect(windows.every((at, i) => at >= (i > 0 ? (windows[i - 1] ?? 0) : 0))).toBe(true);
          expect(windows.length).toBeLessThanOrEqual(8);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('arms throughout at a share of 1, and nothing at 0', () => {
    const rows = agentWaits.slice(0, 50);
    const all = rows.map(() => [0, Number.POSITIVE_INFINITY]);
    expect(windowsOf(rows, 1)).toEqual(all);
    expect(windowsOf(rows, 0).flat()).toEqual([]);
  });

  it('sums up an empty trace without inventing figures', () => {
    const { policies } = simulate([], { armedShare: 0.1, leadUs: 1000 });
    for (const { summary } of policies) {
      expect(summary).toEqual({ waits: 0, coverage: null, armedShare: null, byKind: {} });
    }
  });
});
