import { expect, it } from 'vitest';
import { verdict } from './result.ts';

const aim = { limit: 2, direction: 'at most' } as const;

it('an aim is missed when the whole interval is worse, and only then', () => {
  const figure = { what: '', unit: '' };
  expect(verdict({ ...figure, value: 2.5, interval: { low: 1.9, high: 3 }, aim })).toBe('met');
  expect(verdict({ ...figure, value: 2.5, interval: { low: 2.1, high: 3 }, aim })).toBe('missed');
  expect(
    verdict({
      ...figure,
      value: 1,
      interval: { low: 0.5, high: 1.5 },
      aim: { ...aim, direction: 'at least' },
    }),
  ).toBe('missed');
  expect(verdict({ ...figure, value: Number.NaN, aim })).toBe('missed');
  expect(verdict({ ...figure, value: 1 })).toBeUndefined();
});
