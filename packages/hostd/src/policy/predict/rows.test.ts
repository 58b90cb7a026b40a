import { expect, it } from 'vitest';
import { Rows } from './rows.ts';

it('gives rows that share pages and no byte', () => {
  const rows = new Rows(10);
  const views = Array.from({ length: 50 }, (_, i) => {
    const { page, offset } = rows.take();
    const view = new Uint8Array(page, offset, 10);
    expect(view.every((byte) => byte === 0)).toBe(true);
    return view.fill(i + 1);
  });
  for (const [i, view] of views.entries()) expect(view.every((byte) => byte === i + 1)).toBe(true);
  expect(new Set(views.map(({ buffer }) => buffer)).size).toBe(7);
});
