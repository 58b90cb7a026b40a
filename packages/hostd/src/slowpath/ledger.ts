import type { ChargeSink } from './charge.ts';
import type { Interval, Intervals } from './intervals.ts';
import type { AttributionOptions } from './options.ts';
import type { StatsOwner } from './stats/slowpath-stats.ts';
import { StepSums } from './step-sums.ts';
import type { StepSpan } from './step-table.ts';
import type { StoredSlice } from './stored-slice.ts';
import { Tally } from './tally.ts';

/** Writes charges that stand down: into the steps' sums, the process's totals and the statistics. */
export class Ledger implements ChargeSink {
  /** Each slice once, whoever experienced it. */
  readonly totals = new Tally();
  readonly #options: AttributionOptions;
  readonly #owner: StatsOwner;
  readonly #tgid: number;
  readonly #sums: StepSums;

  /** @param tgid the process whose own threads were there before the recorder */
  constructor(options: AttributionOptions, owner: StatsOwner, tgid: number) {
    this.#options = options;
    this.#owner = owner;
    this.#tgid = tgid;
    this.#sums = this.into((step) => step.tally);
  }

  /** For charges into sums of the caller's choice. */
  into(of: (step: StepSpan) => Tally | undefined): StepSums {
    return new StepSums(this.#options, this.#tgid, of);
  }

  whole(step: StepSpan | undefined, slice: StoredSlice, intervals: Intervals): void {
    this.#sums.whole(step, slice, intervals);
    this.#total(slice, intervals);
    this.#options.stats?.slice(slice, intervals, this.#owner, step);
  }

  divided(slice: StoredSlice, intervals: Intervals): void {
    this.#total(slice, intervals);
    this.#options.stats?.slice(slice, intervals, this.#owner);
  }

  paid(
    step: StepSpan,
    slice: StoredSlice,
    interval: Interval,
    from: number,
    ns: number,
    candidates: number,
  ): void {
    this.#sums.paid(step, slice, interval, from, ns, candidates);
    this.#options.stats?.paid(step, this.#owner, interval.category, ns);
  }

  woken(step: StepSpan, slice: StoredSlice): void {
    this.#sums.woken(step, slice);
    this.#options.stats?.woken(step, this.#owner, slice);
  }

  ran(step: StepSpan, slice: StoredSlice, cpuNs: number, candidates: number): void {
    this.#sums.ran(step, slice, cpuNs, candidates);
    this.#options.stats?.ran(step, this.#owner, slice);
  }

  #total(slice: StoredSlice, intervals: Intervals): void {
    const { totals } = this;
    for (let i = 0; i < intervals.length; i++) {
      const { category, ns } = intervals.at(i);
      totals.pay(category, ns, 0);
    }
    totals.wakeup(slice, this.#options.isCovered);
    totals.slice(slice, 0);
    totals.cpuNs += Math.max(0, slice.offAt - slice.onAt);
  }
}
