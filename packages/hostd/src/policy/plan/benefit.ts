/** What a wakeup costs beyond this is queueing and not the machine's sleep: it must not drown the difference. */
const MOST_NS = 2e6;
/** Observations that an average remembers: machines change. */
const MEMORY = 1000;
/**
 * An interval whose half is less than this part of the standard deviation of a wakeup's cost would have shown a gain
 * that anybody notices. About a hundred wakeups on each side reach it, however noisy they are.
 */
const NARROW = 0.2;
/** Two-sided 95 %. */
const QUANTILE = 1.96;
/** CPUs of a class that are told apart; the rest share. */
const MAX_CPUS = 8;

/**
 * How far classes are held to differ in what they gain before it is measured, as a part of the mean, and how far at
 * most.
 */
const DIFFER = 0.5;
const MOST_RELATIVE = 4;

export interface BenefitLimits {
  /** Wakeups on each side before measurement decides. */
  samples: number;
  /** A gain below this is none, nanoseconds. */
  minBenefitNs: number;
}

export interface BenefitEstimate {
  /** Cost of a wakeup that was left unarmed less that of one that was armed for, nanoseconds; its 95 % interval. */
  gainNs: number;
  lowNs: number;
  highNs: number;
  /** Standard deviation of what it costs, nanoseconds. */
  spreadNs: number;
  /** Wakeups compared, that an armed window was over and that were left unarmed at random. */
  covered: number;
  uncovered: number;
}

/** One CPU: its number, then n, mean and variance of the covered and of the uncovered. */
export type SavedBenefit = [number, number, number, number, number, number, number][];

/** Mean and variance of a cost. */
class Moments {
  n = 0;
  mean = 0;
  variance = 0;

  add(value: number): void {
    this.n = Math.min(MEMORY, this.n + 1);
    const off = value - this.mean;
    this.mean += off / this.n;
    this.variance += (off * (value - this.mean) - this.variance) / this.n;
  }

  /** Squared standard error of the mean. */
  get error(): number {
    return this.n > 1 ? this.variance / (this.n - 1) : Number.POSITIVE_INFINITY;
  }
}

interface Cpu {
  covered: Moments;
  uncovered: Moments;
}

/**
 * What arming gains a class: of wakeups for which a window was planned, the cost of those that were left unarmed at
 * random less that of the others, compared on each CPU for itself, as CPUs differ. Chance alone tells the two
 * apart: what was not planned, or not granted, is of other waits, and other waits cost something else.
 */
export class Benefit {
  #cpus = new Map<number, Cpu>();

  /** @param covered whether it was armed for: not whether it found its CPU armed, which chance did not decide */
  add(ns: number, covered: boolean, cpu: number): void {
    if (!(ns >= 0)) return;
    const key = this.#cpus.has(cpu) || this.#cpus.size < MAX_CPUS - 1 ? cpu : -1;
    let at = this.#cpus.get(key);
    if (!at) {
      at = { covered: new Moments(), uncovered: new Moments() };
      this.#cpus.set(key, at);
    }
    (covered ? at.covered : at.uncovered).add(Math.min(ns, MOST_NS));
  }

  /** Undefined where no CPU has seen both sides often enough. */
  estimate(limits: BenefitLimits): BenefitEstimate | undefined {
    let weights = 0;
    let gain = 0;
    let error = 0;
    let variance = 0;
    let covered = 0;
    let uncovered = 0;
    for (const cpu of this.#cpus.values()) {
      covered += cpu.covered.n;
      uncovered += cpu.uncovered.n;
      if (cpu.covered.n < 2 || cpu.uncovered.n < 2) continue;
      const weight = (cpu.covered.n * cpu.uncovered.n) / (cpu.covered.n + cpu.uncovered.n);
      weights += weight;
      gain += weight * (cpu.uncovered.mean - cpu.covered.mean);
      error += weight ** 2 * (cpu.uncovered.error + cpu.covered.error);
      variance += weight * ((cpu.uncovered.variance + cpu.covered.variance) / 2);
    }
    if (weights === 0 || covered < limits.samples || uncovered < limits.samples) return undefined;
    const gainNs = gain / weights;
    const half = (QUANTILE * Math.sqrt(error)) / weights;
    const spreadNs = Math.sqrt(variance / weights);
    return { gainNs, lowNs: gainNs - half, highNs: gainNs + half, spreadNs, covered, uncovered };
  }

  /**
   * What arming is worth against the prior: 1 until there is evidence, 0 where the gain can't be told from none by
   * an interval that would show one, otherwise 1.
   */
  worth(limits: BenefitLimits, estimate: BenefitEstimate | undefined = this.estimate(limits)): 0 | 1 {
    if (!estimate) return 1;
    // All of the interval is below what counts as a gain, or it holds zero and is narrow.
    const { lowNs, highNs, spreadNs } = estimate;
    const narrow = (highNs - lowNs) / 2 <= Math.max(2 * limits.minBenefitNs, NARROW * spreadNs);
    return highNs < limits.minBenefitNs || (lowNs <= 0 && narrow) ? 0 : 1;
  }

  save(): SavedBenefit {
    return [...this.#cpus].map(([cpu, { covered, uncovered }]) => [
      cpu,
      covered.n,
      covered.mean,
      covered.variance,
      uncovered.n,
      uncovered.mean,
      uncovered.variance,
    ]);
  }

  /** @throws RangeError where it is not what was saved */
  restore(saved: SavedBenefit): void {
    for (const entry of saved) {
      if (entry.length !== 7 || !entry.every((value) => Number.isFinite(value) && value >= -1)) {
        throw new RangeError('no measured benefit');
      }
      const [cpu, ...moments] = entry;
      const covered = Object.assign(new Moments(), { n: moments[0], mean: moments[1], variance: moments[2] });
      const uncovered = Object.assign(new Moments(), {
        n: moments[3],
        mean: moments[4],
        variance: moments[5],
      });
      if (this.#cpus.size < MAX_CPUS) this.#cpus.set(cpu, { covered, uncovered });
    }
  }
}

/**
 * What arming gains a class against what it gains on the mean: the nearer to 1 the less is known.
 *
 * @param meanNs above 0
 */
export function relativeGain({ gainNs, lowNs }: BenefitEstimate, meanNs: number): number {
  const differ = (DIFFER * meanNs) ** 2;
  const error = ((gainNs - lowNs) / QUANTILE) ** 2;
  const relative = 1 + (gainNs / meanNs - 1) * (differ / (differ + error));
  return Math.min(MOST_RELATIVE, Math.max(1 / MOST_RELATIVE, relative));
}
