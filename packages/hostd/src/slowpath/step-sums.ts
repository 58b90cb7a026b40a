import { SliceBegin } from '../kernel/slice.ts';
import type { ChargeSink } from './charge.ts';
import { type Interval, type Intervals, Place } from './intervals.ts';
import type { AttributionOptions } from './options.ts';
import type { StepSpan } from './step-table.ts';
import type { StoredSlice } from './stored-slice.ts';
import type { Tally } from './tally.ts';

/** Adds charges to the sums of steps. */
export class StepSums implements ChargeSink {
  readonly #options: AttributionOptions;
  readonly #tgid: number;
  readonly #of: (step: StepSpan) => Tally | undefined;

  /**
   * @param tgid the process whose own threads were there before the recorder
   * @param of where a step's charges go; undefined: nowhere
   */
  constructor(options: AttributionOptions, tgid: number, of: (step: StepSpan) => Tally | undefined) {
    this.#options = options;
    this.#tgid = tgid;
    this.#of = of;
  }

  whole(step: StepSpan | undefined, slice: StoredSlice, intervals: Intervals): void {
    const tally = step && this.#of(step);
    if (!step || !tally) return;
    for (let i = 0; i < intervals.length; i++) {
      const interval = intervals.at(i);
      this.#pay(tally, slice, interval, interval.from, interval.ns, 0);
    }
    tally.wakeup(slice, this.#options.isCovered);
    this.#ran(tally, step, slice, Math.max(0, slice.offAt - slice.onAt), 0);
  }

  divided(): void {}

  paid(
    step: StepSpan,
    slice: StoredSlice,
    interval: Interval,
    from: number,
    ns: number,
    candidates: number,
  ): void {
    const tally = this.#of(step);
    if (tally) this.#pay(tally, slice, interval, from, ns, candidates);
  }

  woken(step: StepSpan, slice: StoredSlice): void {
    this.#of(step)?.wakeup(slice, this.#options.isCovered);
  }

  ran(step: StepSpan, slice: StoredSlice, cpuNs: number, candidates: number): void {
    const tally = this.#of(step);
    if (tally) this.#ran(tally, step, slice, cpuNs, candidates);
  }

  #pay(
    tally: Tally,
    slice: StoredSlice,
    interval: Interval,
    from: number,
    ns: number,
    candidates: number,
  ): void {
    const { largest } = this.#options;
    tally.pay(interval.category, ns, candidates);
    if (interval.place === Place.exact && ns > largest.ns)
      tally.event(slice, interval.category, from, ns, largest.count);
  }

  #ran(tally: Tally, step: StepSpan, slice: StoredSlice, cpuNs: number, candidates: number): void {
    tally.cpuNs += cpuNs;
    // It was followed before, as a child is from its birth, and yet was not seen coming onto the CPU: the kernel
    // left a program's run out.
    const followed = slice.previousOffAt > 0 || slice.tgid !== this.#tgid;
    if (slice.begin === SliceBegin.unknown && followed) tally.lost++;
    tally.slice(slice, candidates, step.from >= slice.onAt);
  }
}
