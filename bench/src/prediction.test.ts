import { readFileSync } from 'node:fs';
import { parseTrace } from '@prewake/hostd/internal';
import { expect, it } from 'vitest';
import { coverageBySession, figuresAt } from './prediction.ts';

it('coverage is by waits, and its interval is over sessions', () => {
  const all = (session: string, waits: number, covered: boolean) =>
    Array.from({ length: waits }, () => ({ session, covered }));
  const even = coverageBySession([...all('a', 30, true), ...all('b', 10, false)]);
  expect(even.estimate).toBe(75);
  // Both sessions the one or both the other: nothing narrower is known from two.
  expect([even.low, even.high]).toEqual([0, 100]);
});

it('replays a trace through hostd’s policy, beside the others, with its own aims', () => {
  const file = new URL('../data/agent-waits.csv', import.meta.url);
  const rows = parseTrace(readFileSync(file, 'utf8'), 'agent-waits.csv').slice(0, 500);
  const figures = figuresAt(rows, { armedShare: 0.25, coverage: 77, lead: 4 });
  const of = (part: string) => figures.find(({ what }) => what.includes(part));
  const covered = of('Prewake, 25 % armed: wakeups covered');
  expect(covered?.samples).toBe(500);
  expect(covered?.value).toBeGreaterThan(of('fixed timeout')?.value ?? Number.NaN);
  expect(of('oracle')?.value).toBeGreaterThanOrEqual(covered?.value ?? Number.NaN);
  expect(of('over plain hazard')?.aim).toEqual({ limit: 4, direction: 'at least' });
});
