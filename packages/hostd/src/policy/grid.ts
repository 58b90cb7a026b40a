import type { Micros } from '@prewake/sdk/protocol';

/**
 * The time grid on which hazards are learned and windows planned: steps of one octave's part from 1 ms on, so that
 * resolution is relative. Below it is one bin: a wait that short is covered from its start or not at all.
 */
const FIRST_US = 1000;
const PER_OCTAVE = 8;
const OCTAVES = 22; // up to 70 minutes

/** Bins with a finite end. */
export const BINS = PER_OCTAVE * OCTAVES + 1;

/** Bin b is [EDGES[b], EDGES[b + 1]). */
export const EDGES: Float64Array = Float64Array.from({ length: BINS + 1 }, (_, b) =>
  b === 0 ? 0 : FIRST_US * 2 ** ((b - 1) / PER_OCTAVE),
);

export const WIDTHS: Float64Array = Float64Array.from({ length: BINS }, (_, b) => edge(b + 1) - edge(b));

/** The bin of a duration: 0 to BINS - 1, and BINS for all that is beyond the grid. */
export function binOf(us: Micros): number {
  if (!(us >= FIRST_US)) return 0;
  return Math.min(BINS, 1 + Math.floor(Math.log2(us / FIRST_US) * PER_OCTAVE));
}

/** The lower edge of a bin, microseconds. */
export function edge(bin: number): Micros {
  return EDGES[bin] ?? Number.POSITIVE_INFINITY;
}
