import type { Micros } from '@prewake/sdk/protocol';

/**
 * The time grid on which hazards are learned and windows planned: five steps an octave from 2 ms on, so that
 * resolution is relative. What is shorter is one bin: covered from the wait's start, or not at all.
 */
const FIRST_US = 2000;
export const PER_OCTAVE = 5;
const OCTAVES = 19; // up to 17 minutes

/** Bins with a finite end. Durations beyond the grid are in bin BINS, for which nothing is planned. */
export const BINS: number = PER_OCTAVE * OCTAVES + 1;

/** Bin b is [EDGES[b], EDGES[b + 1]), microseconds. */
export const EDGES: Float64Array = Float64Array.from({ length: BINS + 1 }, (_, b) =>
  b === 0 ? 0 : FIRST_US * 2 ** ((b - 1) / PER_OCTAVE),
);

export const WIDTHS: Float64Array = Float64Array.from({ length: BINS }, (_, b) => edge(b + 1) - edge(b));

export const LOG_WIDTHS: Float64Array = WIDTHS.map(Math.log);

/** The bin of a duration: 0 to BINS - 1, and BINS for all that is beyond the grid. */
export function binOf(us: Micros): number {
  if (!(us >= FIRST_US)) return 0;
  return Math.min(BINS, Math.floor(positionOf(us)));
}

/** Where a duration stands on the grid, in bins with a fraction; not bounded above, 0 and less below the first edge. */
export function positionOf(us: Micros): number {
  return 1 + Math.log2(Math.max(us, 1) / FIRST_US) * PER_OCTAVE;
}

/** The lower edge of a bin, microseconds. */
export function edge(bin: number): Micros {
  return EDGES[bin] ?? Number.POSITIVE_INFINITY;
}
