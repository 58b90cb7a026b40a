import type { Sample } from './counter.ts';

/** How many values were at most each of some bounds. */
export class Histogram {
  readonly #bounds: readonly number[];
  /** Of each bound those above the one before it. */
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  /** @param bounds ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    const at = this.#bounds.findIndex((bound) => value <= bound);
    if (at >= 0) this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#count++;
    this.#sum += value;
  }

  samples(name: string): Sample[] {
    let upTo = 0;
    const bucket = (le: number | string, value: number) => ({
      labels: { le },
      value,
      metricName: `${name}_bucket`,
    });
    return [
      ...this.#bounds.map((bound, at) => {
        upTo += this.#counts[at] as number;
        return bucket(bound, upTo);
      }),
      bucket('+Inf', this.#count),
      { labels: {}, value: this.#sum, metricName: `${name}_sum` },
      { labels: {}, value: this.#count, metricName: `${name}_count` },
    ];
  }
}
