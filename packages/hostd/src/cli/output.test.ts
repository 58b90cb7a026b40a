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
  ])('%d', (ns, text) => expect(duration(ns)).toBe(text));
});
