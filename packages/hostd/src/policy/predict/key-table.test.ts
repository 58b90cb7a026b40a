import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyTable } from './key-table.ts';

describe('key table', () => {
  it('does what a Map does, below its bound', () => {
    const key = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 2 ** 40, max: 2 ** 40 + 40 }));
    const op = fc.tuple(fc.constantFrom('set', 'set', 'use', 'delete'), key);
    fc.assert(
      fc.property(fc.array(op, { maxLength: 400 }), (ops) => {
        const table = new KeyTable<string>(1000);
        const map = new Map<number, string>();
        for (const [i, [name, key]] of ops.entries()) {
          if (name === 'set') {
            table.set(key, `${i}`);
            map.set(key, `${i}`);
          } else if (name === 'delete') expect(table.delete(key)).toBe(map.delete(key));
          else expect(table.use(key)).toBe(map.get(key));
          expect(table.size).toBe(map.size);
        }
        expect(new Map(table.entries())).toEqual(map);
        for (const [key, value] of map) expect(table.peek(key)).toBe(value);
      }),
      { numRuns: 300 },
    );
  });

  it('holds no more than its bound, and keeps what is used', () => {
    const table = new KeyTable<number>(100);
    table.set(2 ** 45 + 7, -1);
    for (let i = 1; i < 5000; i++) {
      table.set(i * 2 ** 24, i);
      expect(table.use(2 ** 45 + 7)).toBe(-1);
      expect(table.size).toBeLessThanOrEqual(100);
    }
    expect(table.use(Number.NaN)).toBeUndefined();
    expect([...table.entries()]).toHaveLength(100);
  });
});
