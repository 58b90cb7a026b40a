import { expect, it } from 'vitest';
import { blur } from './blur.ts';
import { BINS } from './grid.ts';

it('blurs by its weight, from what was there before, and says what it changed', () => {
  const hazards = new Float64Array(BINS + 1);
  hazards[10] = 3;
  const change = new Float64Array(BINS + 1);
  blur(hazards, 0.5, change);
  expect([...hazards.subarray(8, 13)]).toEqual([0, 0.5, 2, 0.5, 0]);
  expect([...change.subarray(8, 13)]).toEqual([0, 1, -2, 1, 0]);
});
