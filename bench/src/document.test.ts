import { expect, it } from 'vitest';
import { benches } from './benches.ts';
import { renderDocument, renderResult } from './document.ts';

const result = {
  name: 'x',
  title: 'a title',
  figures: [
    {
      what: 'slow',
      unit: 'ms',
      value: 3,
      interval: { low: 2.5, high: 3.5 },
      samples: 20,
      aim: { limit: 2, direction: 'at most' as const },
    },
    { what: 'known', unit: '%', value: 50 },
  ],
  caveats: ['not all of it'],
};
const run = { date: '2026-01-02', node: 'v24', kernel: '6.18', cpu: 'a CPU', cpus: 2, quick: false };

it('the document says what was measured where, what was aimed at, and what it does not show', () => {
  const text = renderDocument([{ ...result, run }]);
  expect(text).toContain('## x: a title');
  expect(text).toContain('2 × a CPU, Linux 6.18, Node v24, 2026-01-02');
  expect(text).toMatch(/\| slow \| 3\S* \| ms \| 2\.50? … 3\.50? \| 20 \| at most 2\S* \| missed \|/);
  expect(text).toMatch(/\| known \| 50\S* \| % \| {2}\| {2}\| {2}\| {2}\|/);
  expect(text).toContain('- not all of it');
  expect(renderResult(result)).toContain('missed');
});

it('names each benchmark once', () => {
  const names = benches.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
