import { describe, expect, it } from 'vitest';
import { duration, harmless, table } from './output.ts';

describe('table', () => {
  it('aligns words to the left and numbers to the right', () => {
    const rows = [
      ['a', 5],
      ['long', 1234],
      ['', undefined],
    ];
    expect(table(['name', 'n'], rows, 'none')).toBe('name     n\na        5\nlong  1234\n         –');
  });

  it('says so where there is nothing', () => expect(table(['name'], [], 'none')).toBe('none'));

  it('does not let a name steer the terminal', () => {
    expect(table(['name'], [['\u001b[2Jx\u202e\n']], '')).toBe('name\n�[2Jx��');
    expect(harmless('Grep – µs')).toBe('Grep – µs');
  });
});

describe('duration', () => {
  it.each([
    [0, '0 ns'],
    [999, '999 ns'],
    [1234, '1.23 µs'],
    [56_789_000, '56.8 ms'],
    [-2e9, '-2.00 s'],
    [999.4, '999 ns'],
    [999.5, '1.00 µs'],
    [999_499, '999 µs'],
    [999_500, '1.00 ms'],
    [999.9e6, '1.00 s'],
    [59.94e9, '59.9 s'],
    [59.96e9, '1.00 min'],
    [-1230e9, '-20.5 min'],
    [59.96 * 60e9, '1.00 h'],
    [5 * 3600e9, '5.00 h'],
    [23.96 * 3600e9, '1.00 d'],
    [400 * 86_400e9, '400 d'],
    [12_345 * 86_400e9, '12345 d'],
  ])('%d', (ns, text) => expect(duration(ns)).toBe(text));
});
