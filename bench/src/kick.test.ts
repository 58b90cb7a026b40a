import { expect, it } from 'vitest';
import { parseKicks } from './kick.ts';

it('sorts lateness by the way in which the CPU was told', () => {
  const late = parseKicks('none 50000\nthread 19000\nbefore 17500\nthread 21000\n');
  expect(late.get('none')).toEqual([50]);
  expect(late.get('thread')).toEqual([19, 21]);
  expect(late.get('before')).toEqual([17.5]);
  expect(late.get('interrupt')).toEqual([]);
});
