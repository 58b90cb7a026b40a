/** Quantiles and bootstrap intervals. Samples are plain numbers in whatever unit the caller uses. */

/** The sample below which a part `q` (0–1) of the samples lies, linearly interpolated; NaN without samples. */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) return Number.NaN;
  const sorted = Float64Array.from(samples).sort();
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  const below = sorted[low] as number;
  return below + ((sorted[Math.min(low + 1, sorted.length - 1)] as number) - below) * (at - low);
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

export const sum = (samples: Iterable<number>): number => {
  let total = 0;
  for (const sample of samples) total += sample;
  return total;
};

/** How many samples a quantile needs before its tail holds at least ten of them: 1,000 for a p99. */
export const samplesFor = (q: number): number => Math.ceil(10 / (1 - q));

/** A 32-bit xorshift generator: the same seed draws the same resamples. */
export function seeded(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export interface Interval {
  estimate: number;
  /** 95 %, percentile bootstrap. */
  low: number;
  high: number;
}

/** A statistic of one sample set and its bootstrap 95 % interval. */
export function bootstrap(
  samples: readonly number[],
  statistic: (samples: readonly number[]) => number,
  { rounds = 2000, seed = 1 } = {},
): Interval {
  const random = seeded(seed);
  return interval(statistic(samples), rounds, () => statistic(resample(samples, random)));
}

/** A statistic of two independent sample sets (a difference, a ratio) and its bootstrap 95 % interval. */
export function bootstrapPair(
  a: readonly number[],
  b: readonly number[],
  statistic: (a: readonly number[], b: readonly number[]) => number,
  { rounds = 2000, seed = 1 } = {},
): Interval {
  const random = seeded(seed);
  return interval(statistic(a, b), rounds, () => statistic(resample(a, random), resample(b, random)));
}

function interval(estimate: number, rounds: number, draw: () => number): Interval {
  const drawn = Array.from({ length: rounds }, draw);
  return { estimate, low: quantile(drawn, 0.025), high: quantile(drawn, 0.975) };
}

function resample(samples: readonly number[], random: () => number): number[] {
  return samples.map(() => samples[Math.floor(random() * samples.length)] as number);
}
