import { familyOf } from './contexts.ts';
import { BINS } from './grid.ts';
import { type Density, Histogram, newDensity, SMOOTH } from './histogram.ts';
import { Weights } from './mixture.ts';
import { Regression } from './regression.ts';
import { Rows } from './rows.ts';

/** All waits of a kind, for one user. */
export interface KindStats {
  readonly id: number;
  readonly name: string;
  readonly histogram: Histogram;
  /** What classes are backed off to, and its log hazards: refreshed now and then, as one wait changes them little. */
  readonly density: Density;
  readonly logHazards: Float32Array;
  readonly weights: Weights;
  readonly regression: Regression;
}

/** All waits of a kind and key, for one user. */
export interface ClassStats {
  readonly id: number;
  readonly kind: string;
  readonly key: string;
  readonly family: number;
  readonly histogram: Histogram;
  /** Log hazards, backed off to the kind, refreshed now and then, as a kind's. */
  readonly logHazards: Float32Array;
  readonly weights: Weights;
  /** Mean length, log2 of microseconds; NaN before the first. */
  meanLog: number;
}

export function newKind(id: number, name: string, experts: number, features: number): KindStats {
  return {
    id,
    name,
    histogram: new Histogram(SMOOTH),
    density: newDensity(),
    logHazards: new Float32Array(BINS + 1),
    weights: Weights.ofKind(experts),
    regression: new Regression(features),
  };
}

/** Room for what is learned of classes, of `experts` experts. */
export function classRows(experts: number): Rows {
  return new Rows(Float32Array.BYTES_PER_ELEMENT * (2 * (BINS + 1) + 2 * experts));
}

export function newClass(id: number, kind: string, key: string, experts: number, rows: Rows): ClassStats {
  const { page, offset } = rows.take();
  const row = new Float32Array(page, offset, 2 * (BINS + 1) + 2 * experts);
  return {
    id,
    kind,
    key,
    family: familyOf(key),
    histogram: new Histogram(SMOOTH, row.subarray(0, BINS + 1)),
    logHazards: row.subarray(BINS + 1, 2 * (BINS + 1)),
    weights: Weights.ofClass(row.subarray(2 * (BINS + 1))),
    meanLog: Number.NaN,
  };
}
