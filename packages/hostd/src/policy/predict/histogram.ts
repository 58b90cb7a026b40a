import type { Micros } from '@prewake/sdk/protocol';
import { BINS, EDGES, LOG_WIDTHS, PER_OCTAVE } from './grid.ts';
import { kernelOf } from './kernels.ts';

/** Spread assumed before anything is known, squared bins: an octave and a half either way. */
const FIRST_VARIANCE = 50;
/** Weight of the newest observation at which counts are brought back to a scale of 1. */
const MOST_SCALE = 1e6;

const LEAST_MASS = 1e-12;

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
  /** Counts times `scale`: instead of older observations shrinking, newer ones grow. */
  readonly scaled: Float32Array;
  /** What the newest observation weighs in `scaled`. */
  scale = 1;
  /** No bin from here on has a count. */
  end = 0;
  /** Sum of counts. */
  total = 0;
  /** Observations ever. */
  events = 0;
  #bandwidth: number;
  #mean = 0;
  #variance = FIRST_VARIANCE;

  /** @param bandwidth of the kernel, for each bin of standard deviation */
  constructor(bandwidth: number, scaled: Float32Array = new Float32Array(BINS + 1)) {
    this.#bandwidth = bandwidth;
    this.scaled = scaled;
  }

  clear(): void {
    if (this.events === 0) return;
    this.scaled.fill(0, 0, this.end);
    this.scale = 1;
    this.end = 0;
    this.restore({ total: 0, events: 0, mean: 0, variance: FIRST_VARIANCE });
  }

  /** @param decay what each older observation weighs after it, 0–1 */
  add(bin: number, decay: number): void {
    this.#spread(bin);
    const { radius, parts } = kernelOf(this.#bandwidth * Math.sqrt(this.#variance) * narrowing(this.events));
    this.scale /= decay;
    if (this.scale > MOST_SCALE) this.#normalise();
    const { scaled, scale } = this;
    for (let i = -radius; i <= radius; i++) {
      const at = Math.min(BINS, Math.max(0, bin + i));
      scaled[at] = (scaled[at] as number) + scale * (parts[i + radius] as number);
    }
    this.end = Math.max(this.end, Math.min(BINS, bin + radius) + 1);
    this.total = this.total * decay + 1;
    this.events++;
  }

  /** Counts as they weigh now. */
  get counts(): Float32Array {
    this.#normalise();
    return this.scaled;
  }

  /** Writes the density, each bin's part of 1, with `parent`'s worth `strength` observations. */
  density(parent: Float64Array, strength: number, out: Float64Array): void {
    const { scaled } = this;
    const by = 1 / (this.total + strength);
    const ofCounts = by / this.scale;
    const ofParent = by * strength;
    for (let b = 0; b <= BINS; b++) {
      out[b] = ofCounts * (scaled[b] as number) + ofParent * (parent[b] as number);
    }
  }

  /**
   * Writes how the hazards of `density(parent.density, strength)` differ from the parent's, in steps of
   * STEP of their logarithm, up to `end`: from there on there is no difference.
   */
  deviation(parent: Density, strength: number, out: Int8Array): void {
    const { scaled, end } = this;
    const { density, inverse } = parent;
    const ofCounts = 1 / this.scale;
    let alive = this.total + strength;
    for (let b = 0; b < end; b++) {
      const mass = ofCounts * (scaled[b] as number) + strength * (density[b] as number);
      const half = mass / 2;
      out[b] = stepsOf((mass * (inverse[b] as number)) / Math.max(alive - half, half));
      alive -= mass;
    }
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

  /** @param counts as they were saved */
  restoreCounts(counts: Float32Array): void {
    this.scaled.set(counts);
    this.scale = 1;
    this.end = counts.findLastIndex((count) => count > 0) + 1;
  }

  #normalise(): void {
    const { scaled } = this;
    const by = 1 / this.scale;
    for (let b = 0; b < this.end; b++) scaled[b] = (scaled[b] as number) * by;
    this.scale = 1;
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

/** How much narrower kernels become with evidence (Silverman's rule). */
const NARROWING = Float64Array.from({ length: 256 }, (_, events) => (events + 1) ** -0.2);

function narrowing(events: number): number {
  return events < NARROWING.length ? (NARROWING[events] as number) : (events + 1) ** -0.2;
}

/** No duration is more likely than another, on the log scale. */
export const UNIFORM: Float64Array = new Float64Array(BINS + 1).fill(1 / (BINS + 1));

/** A density that others are compared with. */
export interface Density {
  /** Each bin's part of 1. */
  readonly density: Float64Array;
  /** The inverse of each bin's hazard. */
  readonly inverse: Float64Array;
}

export function newDensity(): Density {
  const of = { density: Float64Array.from(UNIFORM), inverse: new Float64Array(BINS + 1) };
  invert(of);
  return of;
}

/** Brings inverse hazards up to date with the density. */
export function invert({ density, inverse }: Density): void {
  let alive = 1;
  for (let b = 0; b < BINS; b++) {
    const mass = Math.max(LEAST_MASS, density[b] as number);
    inverse[b] = Math.max(alive - mass / 2, mass / 2) / mass;
    alive -= mass;
  }
}

/** Log hazards, wakeups per microsecond given that the wait has lasted so long. */
export function logHazards({ inverse }: Density, out: Float64Array | Float32Array): void {
  for (let b = 0; b < BINS; b++) out[b] = -logOf(inverse[b] as number) - (LOG_WIDTHS[b] as number);
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

/** What an 8-bit deviation counts in: a sixteenth of a nat, 8 nats either way. */
export const STEP: number = 1 / 16;

/** 16 × ln of mantissas, to a four-hundredth of a nat. */
const MANTISSAS = Float64Array.from({ length: 256 }, (_, i) => Math.log(1 + (i + 0.5) / 256) / STEP);
const OCTAVE = Math.LN2 / STEP;

/** The logarithm of a positive number in whole steps, held within what 8 bits hold. */
function stepsOf(value: number): number {
  float[0] = value;
  const raw = bits[0] as number;
  const steps = ((raw >> 23) - 127) * OCTAVE + (MANTISSAS[(raw >> 15) & 0xff] as number);
  return steps > 0 ? Math.min(127, steps + 0.5) : Math.max(-127, steps - 0.5);
}
