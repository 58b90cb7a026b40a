/** One value of a metric, in the form that prom-client's workers send theirs in. */
export interface Sample {
  labels: Readonly<Record<string, string | number>>;
  value: number;
  /** Where it is not the metric's own. */
  metricName?: string;
}

/** Counts by labels. Plain numbers: counting is on the way of each hint, and writing them is for a scrape. */
export class Counter<Label extends string> {
  readonly #samples = new Map<string, Sample>();

  inc(labels: Readonly<Record<Label, string>>): void {
    const key = Object.values(labels).join('\0');
    const sample = this.#samples.get(key);
    if (sample) sample.value++;
    else this.#samples.set(key, { labels, value: 1 });
  }

  samples(): Sample[] {
    return [...this.#samples.values()];
  }
}
