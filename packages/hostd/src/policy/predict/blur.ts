import { BINS } from './grid.ts';

/**
 * Adds `weight` times what blurring over neighbouring bins would change, and writes that to `change`. As an expert
 * it says that histograms are more jagged than waits are, or, with a weight below zero, less.
 */
export function blur(logHazards: Float64Array, weight: number, change: Float64Array): void {
  let before = logHazards[0] as number;
  let here = logHazards[1] as number;
  for (let b = 1; b < BINS - 1; b++) {
    const after = logHazards[b + 1] as number;
    const off = (before + here + after) * (1 / 3) - here;
    change[b] = off;
    logHazards[b] = here + weight * off;
    before = here;
    here = after;
  }
}
