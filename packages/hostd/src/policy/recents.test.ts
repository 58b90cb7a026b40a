import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Recents } from './recents.ts';

describe('recents', () => {
  it('forgets what has not been used of late', () => {
    const recents = new Recents<string, number>(3);
    for (const [i, key] of ['a', 'b', 'c'].entries()) recents.set(key, i);
    // The first eviction takes everybody's first chance; the next spares who was used since.
    expect(recents.set('d', 3)).toBe(0);
    recents.use('b');
    expect(recents.set('e', 4)).toBe(2);
    expect(recents.peek('b')).toBe(1);
    expect(recents.set('b', 5)).toBe(1);
  });

  it('holds what it says it holds, never more than its bound', () => {
    const op = fc.tuple(fc.constantFrom('set', 'use', 'delete', 'room'), fc.integer({ min: 0, max: 9 }));
    fc.assert(
      fc.property(fc.array(op, { maxLength: 200 }), (ops) => {
        const recents = new Recents<number, string>(4);
        const gone: string[] = [];
        for (const [name, key] of ops) {
          if (name === 'set') gone.push(recents.set(key, `v${key}`) ?? '');
          else if (name === 'use') expect(recents.use(key) ?? `v${key}`).toBe(`v${key}`);
          else if (name === 'delete') recents.delete(key);
          else recents.makeRoom();
          expect(recents.size).toBeLessThanOrEqual(4);
          expect([...recents.entries()].every(([k, v]) => recents.peek(k) === v && v === `v${k}`)).toBe(true);
          expect([...recents.values()]).toHaveLength(recents.size);
        }
      }),
    );
  });
});
