import type { Micros } from '@prewake/sdk/protocol';
import { BINS, EDGES, LOG_WIDTHS, PER_OCTAVE } from './grid.ts';
import { kernelOf } from './kernels.ts';

/** Spread assumed before anything is known, squared bins: about an octave either way. */
const FIRST_VARIANCE = 50;
/** No hazard is below e^-40 a microsecond: a wakeup in ten thousand years. */
const LOWEST = -40;

/**
 * Bandwidths for each bin of standard deviation (Silverman's is 1.06). What others are compared with is smooth, so
 * that a deviation from it means something; what deviates is sharp, as waits have several modes.
 */
export const SMOOTH = 1.5;
export const SHARP = 0.37;

/**
 * A decayed histogram of ended waits. Each observation is spread over neighbouring bins, the less the more there
 * are and the closer they lie, so that few observations predict smoothly and a regular wait is predicted sharply.
 */
export class Histogram {
  readonly counts: Float32Array = new Float32Array(BINS + 1);
  /** Sum of counts. */
  total = 0;
  /** Observations ever. */
  events = 0;
  #bandwidth: number;
  #mean = 0;
  #variance = FIRST_VARIANCE;

  /** @param bandwidth of the kernel, for each bin of standard deviation */
  constructor(bandwidth: number) {
    this.#bandwidth = bandwidth;
  }

  clear(): void {
    if (this.events === 0) return;
    this.counts.fill(0);
    this.restore({ total: 0, events: 0, mean: 0, variance: FIRST_VARIANCE });
  }

  /** @param decay what each older observation weighs after it, 0–1 */
  add(bin: number, decay: number): void {
    const { counts } = this;
    this.#spread(bin);
    const bandwidth = this.#bandwidth * Math.sqrt(this.#variance) * (this.events + 1) ** -0.2;
    const { radius, parts } = kernelOf(bandwidth);
    for (let b = 0; b <= BINS; b++) counts[b] = (counts[b] as number) * decay;
    for (let i = -radius; i <= radius; i++) {
      const at = Math.min(BINS, Math.max(0, bin + i));
      counts[at] = (counts[at] as number) + (parts[i + radius] as number);
    }
    this.total = this.total * decay + 1;
    this.events++;
  }

  /** Writes the density, each bin's part of 1, with `parent`'s worth `strength` observations. */
  density(parent: Float64Array, strength: number, out: Float64Array): void {
    const { counts } = this;
    const by = 1 / (this.total + strength);
    for (let b = 0; b <= BINS; b++) {
      out[b] = ((counts[b] as number) + strength * (parent[b] as number)) * by;
    }
  }

  /** Writes the log hazards of `density(parent, strength)`, in one pass. */
  logHazards(parent: Float64Array, strength: number, out: Float32Array): void {
    const { counts } = this;
    const by = 1 / (this.total + strength);
    let alive = 1;
    for (let b = 0; b < BINS; b++) {
      const mass = ((counts[b] as number) + strength * (parent[b] as number)) * by;
      out[b] = logHazard(mass, alive, b);
      alive -= mass;
    }
    out[BINS] = LOWEST;
  }

  get mean(): number {
    return this.#mean;
  }

  get variance(): number {
    return this.#variance;
  }

  /** Takes up what was saved. */
  restore(state: { total: number; events: number; mean: number; variance: number }): void {
    this.total = state.total;
    this.events = state.events;
    this.#mean = state.mean;
    this.#variance = state.variance;
  }

  #spread(bin: number): void {
    if (this.events === 0) {
      this.#mean = bin;
      return;
    }
    const off = bin - this.#mean;
    const rate = Math.max(0.02, 1 / (this.events + 2));
    this.#mean += off * rate;
    this.#variance += (off * off - this.#variance) * rate;
  }
}

/** No duration is more likely than another, on the log scale. */
export const UNIFORM: Float64Array = new Float64Array(BINS + 1).fill(1 / (BINS + 1));

/** Log hazards, wakeups per microsecond given that the wait has lasted so long, of a density. */
export function logHazards(density: Float64Array, out: Float64Array | Float32Array): void {
  let alive = 1;
  for (let b = 0; b < BINS; b++) {
    const mass = density[b] as number;
    out[b] = logHazard(mass, alive, b);
    alive -= mass;
  }
  out[BINS] = LOWEST;
}

/** The median of a histogram, microseconds; NaN where it is empty. */
export function medianOf(histogram: Histogram): Micros {
  if (histogram.events === 0) return Number.NaN;
  let sum = 0;
  for (let b = 0; b <= BINS; b++) {
    sum += histogram.counts[b] as number;
    if (sum >= histogram.total / 2) return (EDGES[b] as number) * 2 ** (0.5 / PER_OCTAVE);
  }
  return Number.NaN;
}

/** Of a bin with `mass` of the density, where `alive` of it is left. */
function logHazard(mass: number, alive: number, bin: number): number {
  const part = alive > 1e-12 ? Math.min(1, mass / alive) : 1;
  return part > 1e-15 ? logOf(part / (1 - part / 2)) - (LOG_WIDTHS[bin] as number) : LOWEST;
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/**
 * The logarithm of a positive number to 1e-4, several times faster than Math.log: exponent from the bits of a
 * float, mantissa by a polynomial (least squares for log2 on [1, 2)).
 */
export function logOf(value: number): number {
  float[0] = value;
  const raw = bits[0] as number;
  bits[0] = (raw & 0x7fffff) | 0x3f800000;
  const m = float[0] as number;
  const log2 =
    m - 1 + (m - 1) * (m - 2) * (-0.898089208 + m * (0.690672623 + m * (-0.278328408 + m * 0.0440046898)));
  return ((raw >> 23) - 127 + log2) * Math.LN2;
}
