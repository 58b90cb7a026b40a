import { expect, it } from 'vitest';
import { holds, type LoadRun, memoryParts } from './load-run.ts';
import { metricIn } from './prometheus-text.ts';

const run: LoadRun = {
  rate: 1000,
  sessions: 10,
  report: { hints: 2000, ended: 2000, rate: 1000, errors: 0, closed: 0, blocked: 0 },
  waits: 2000,
  armed: 2000,
  onTime: 1990,
  warm: { waits: 1000, onTime: 990 },
  cpu: 0.1,
  early: 60,
  late: 60,
};

it('a rate holds when nothing is missing and windows are on time, unopened ones included', () => {
  expect(holds(run)).toBe(true);
  expect(holds({ ...run, waits: 1999 })).toBe(false);
  expect(holds({ ...run, report: { ...run.report, errors: 1 } })).toBe(false);
  expect(holds({ ...run, report: { ...run.report, closed: 1 } })).toBe(false);
  expect(holds({ ...run, report: { ...run.report, rate: 900 } })).toBe(false);
  expect(holds({ ...run, armed: 1900, onTime: 1900 })).toBe(true); // before it was warm
  expect(holds({ ...run, warm: { waits: 1000, onTime: 989 } })).toBe(false);
});

it('memory is compared after the first five seconds', () => {
  const samples = Array.from({ length: 60 }, (_, i) => (i < 10 ? 50 : i < 20 ? 60 : 66));
  expect(memoryParts(samples, 30)).toEqual({ early: 60, late: 66 });
  expect(memoryParts([50, 50, 70, 70], 2)).toEqual({ early: 50, late: 70 });
});

it('sums a metric over its labels, and over those asked for', () => {
  const text = '# HELP a b\na{x="1",le="0.002"} 3\na{x="2",le="+Inf"} 4.5\nab 9\nc 1\n';
  expect(metricIn(text, 'a')).toBe(7.5);
  expect(metricIn(text, 'a', 'le="0.002"')).toBe(3);
  expect(metricIn(text, 'c')).toBe(1);
  expect(metricIn(text, 'none')).toBe(0);
});
