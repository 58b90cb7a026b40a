import { dueAt } from './due.ts';
import { BINS, LOG_WIDTHS, PER_OCTAVE, positionOf } from './grid.ts';
import { Histogram, invert, logHazards, newDensity, UNIFORM } from './histogram.ts';

/** Recursive least squares forgets slowly: services drift. */
const FORGET = 0.999;
/** Waits learned before it says anything. */
const WARM_UP = 5;
/** An outlier counts as this many octaves. */
const MAX_ERROR = 4;
/** How uncertain weights are before the first wait: of the constant term, and of features, which are about 1 or less. */
const FIRST_VARIANCES = [100, 0.1] as const;
/** The same of weights that another regression has learned. */
const INHERITED_VARIANCE = 1;
/** No hazard is held to be e^6 times the class's, or less than its e^6th part. */
const MAX_DEVIATION = 6;
const DECAY = 0.997;
const PRIOR_STRENGTH = 4;
/** Of the histogram of errors, for each bin of standard deviation: errors have one mode where waits have several. */
const BANDWIDTH = 0.6;
const MIDDLE = Math.floor(BINS / 2);

export interface SavedRegression {
  events: number;
  weights: number[];
  covariance: number[];
  /** The histogram of errors, saved apart. */
  errors: unknown;
}

/**
 * Predicts the log of a wait's length from numbers that are known at its start, and keeps how far that was off as
 * a histogram: what depends smoothly on input tokens or on recent waits needs no context for each value.
 */
export class Regression {
  readonly size: number;
  readonly weights: Float64Array;
  #covariance: Float64Array;
  readonly errors = new Histogram(BANDWIDTH);
  /** Log hazards a bin, at an error of 0 in the middle. */
  #logHazards = new Float64Array(BINS + 1);
  /** The same with BINS more on either side, so that a shift needs no bounds. */
  #shiftable = new Float32Array(3 * BINS + 2);
  #gain: Float64Array;
  #density = newDensity();
  events = 0;

  constructor(size: number) {
    this.size = size;
    this.weights = new Float64Array(size);
    this.#gain = new Float64Array(size);
    this.#covariance = new Float64Array(size * size);
    for (let i = 0; i < size; i++) this.#covariance[i * size + i] = FIRST_VARIANCES[i === 0 ? 0 : 1];
  }

  /** A regression that knows what another does, and makes it its own; of how far that is off it knows nothing yet. */
  static startingFrom(other: Regression): Regression {
    const own = new Regression(other.size);
    own.weights.set(other.weights);
    for (let i = 0; i < own.size; i++) own.#covariance[i * own.size + i] = INHERITED_VARIANCE;
    return own;
  }

  /** Writes log hazards less `base`. False while it knows too little. */
  deviation(features: readonly number[], base: Float32Array, out: Float64Array): boolean {
    if (this.errors.events < WARM_UP) return false;
    // The middle of bin b stands at b + 0.5.
    const from = BINS + MIDDLE + 0.5 - clamp(this.#position(features), MIDDLE - BINS, MIDDLE + BINS);
    const whole = Math.floor(from);
    const part = from - whole;
    const hazards = this.#shiftable;
    let low = hazards[whole] as number;
    for (let b = 0; b < BINS; b++) {
      const next = hazards[b + whole + 1] as number;
      const own = low + (next - low) * part - (LOG_WIDTHS[b] as number);
      low = next;
      const off = own - (base[b] as number);
      out[b] = off > MAX_DEVIATION ? MAX_DEVIATION : Math.max(off, -MAX_DEVIATION);
    }
    return true;
  }

  learn(features: readonly number[], us: number): void {
    const { size, weights } = this;
    const predicted = this.#position(features);
    const position = positionOf(us);
    if (this.events >= WARM_UP) {
      this.errors.add(Math.round(clamp(MIDDLE + position - predicted, 0, BINS - 1)), DECAY);
      if (dueAt(this.errors.events)) this.#refresh();
    }
    const error = clamp((position - predicted) / PER_OCTAVE, -MAX_ERROR, MAX_ERROR);
    const gain = this.#gain;
    const covariance = this.#covariance;
    let scale = FORGET;
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let j = 0; j < size; j++) sum += (covariance[i * size + j] as number) * (features[j] as number);
      gain[i] = sum;
      scale += sum * (features[i] as number);
    }
    for (let i = 0; i < size; i++) {
      weights[i] = (weights[i] as number) + ((gain[i] as number) / scale) * error;
      for (let j = 0; j < size; j++) {
        const at = i * size + j;
        const less = ((gain[i] as number) * (gain[j] as number)) / scale;
        // Bounded: forgetting must not blow up directions that are never seen.
        covariance[at] = clamp(((covariance[at] as number) - less) / FORGET, -1e4, 1e4);
      }
    }
    this.events++;
  }

  save(): Omit<SavedRegression, 'errors'> {
    return { events: this.events, weights: [...this.weights], covariance: [...this.#covariance] };
  }

  /** Takes up what was saved; `errors` are restored before.
   * @throws RangeError where it is not what was saved */
  restore({ events, weights, covariance }: SavedRegression): void {
    if (weights.length !== this.size || covariance.length !== this.size ** 2)
      throw new RangeError('features');
    if (![events, ...weights, ...covariance].every(Number.isFinite)) throw new RangeError('no number');
    this.events = events;
    this.weights.set(weights);
    this.#covariance.set(covariance);
    if (this.errors.events > 0) this.#refresh();
  }

  #refresh(): void {
    this.errors.density(UNIFORM, PRIOR_STRENGTH, this.#density.density);
    invert(this.#density);
    logHazards(this.#density, this.#logHazards);
    // Hazards by the bin and not by time: they are shifted to where the prediction stands.
    for (let b = 0; b < BINS; b++) {
      this.#logHazards[b] = (this.#logHazards[b] as number) + (LOG_WIDTHS[b] as number);
    }
    const hazards = this.#shiftable;
    hazards.fill(this.#logHazards[0] as number, 0, BINS);
    hazards.set(this.#logHazards.subarray(0, BINS), BINS);
    hazards.fill(this.#logHazards[BINS - 1] as number, 2 * BINS);
  }

  #position(features: readonly number[]): number {
    let octaves = 0;
    for (let i = 0; i < this.size; i++) octaves += (this.weights[i] as number) * (features[i] as number);
    return clamp(octaves * PER_OCTAVE, -BINS, 2 * BINS);
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
