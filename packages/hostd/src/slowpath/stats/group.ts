import { Histogram } from './histogram.ts';

/** The histograms of one step, key, CPU, … of one user, by the index of their statistic. */
export class Group {
  user: number;
  of: string;
  readonly histograms: (Histogram | undefined)[] = [];

  constructor(user: number, of: string) {
    this.user = user;
    this.of = of;
  }

  add(statistic: number, value: number): void {
    (this.histograms[statistic] ?? this.#begin(statistic)).add(value);
  }

  merge(other: Group): void {
    for (let i = 0; i < other.histograms.length; i++) {
      const theirs = other.histograms[i];
      if (theirs && theirs.count > 0) (this.histograms[i] ?? this.#begin(i)).merge(theirs);
    }
  }

  /** It is another's from now on. */
  reuse(user: number, of: string): this {
    this.user = user;
    this.of = of;
    this.clear();
    return this;
  }

  /** Forgets its values, and keeps its room. */
  clear(): void {
    for (const histogram of this.histograms) histogram?.clear();
  }

  #begin(statistic: number): Histogram {
    while (this.histograms.length < statistic) this.histograms.push(undefined);
    const histogram = new Histogram();
    this.histograms[statistic] = histogram;
    return histogram;
  }
}
