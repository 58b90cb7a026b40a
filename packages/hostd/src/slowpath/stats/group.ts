import { Histogram } from './histogram.ts';
import type { Statistic } from './statistics.ts';

/** The histograms of one step, key, CPU, … of one user. */
export class Group {
  readonly user: number;
  readonly of: string;
  readonly histograms = new Map<Statistic, Histogram>();

  constructor(user: number, of: string) {
    this.user = user;
    this.of = of;
  }

  add(statistic: Statistic, value: number): void {
    let histogram = this.histograms.get(statistic);
    if (!histogram) {
      histogram = new Histogram();
      this.histograms.set(statistic, histogram);
    }
    histogram.add(value);
  }

  merge(other: Group): void {
    for (const [statistic, histogram] of other.histograms) {
      let mine = this.histograms.get(statistic);
      if (!mine) {
        mine = new Histogram();
        this.histograms.set(statistic, mine);
      }
      mine.merge(histogram);
    }
  }
}
