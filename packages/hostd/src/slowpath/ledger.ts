import { SliceBegin } from '../kernel/slice.ts';
import { readyTime } from './categories.ts';
import type { ChargeSink } from './charge.ts';
import type { AttributionOptions } from './options.ts';
import type { StatsOwner } from './stats/slowpath-stats.ts';
import type { StepSpan } from './step-table.ts';
import { Tally } from './tally.ts';
import type { StoredSlice } from './thread-log.ts';

/** Writes charges down: into the steps' sums, the process's totals and the statistics. */
export class Ledger {
  /** Each slice once, whoever experienced it. */
  readonly totals = new Tally();
  readonly #options: AttributionOptions;
  readonly #owner: StatsOwner;
  readonly #tgid: number;

  /** @param tgid the process whose own threads were there before the recorder */
  constructor(options: AttributionOptions, owner: StatsOwner, tgid: number) {
    this.#options = options;
    this.#owner = owner;
    this.#tgid = tgid;
  }

  /** For charges that stand. */
  final(): ChargeSink {
    const stats = this.#options.stats;
    const owner = this.#owner;
    const sums = this.into((step) => step.tally);
    if (!stats) return sums;
    return {
      paid(step, slice, interval, from, to, ns, candidates) {
        sums.paid(step, slice, interval, from, to, ns, candidates);
        stats.paid(step, owner, interval.category, ns);
      },
      woken(step, slice) {
        sums.woken(step, slice);
        stats.woken(step, owner, slice);
      },
      ran(step, slice, cpuNs, candidates) {
        sums.ran(step, slice, cpuNs, candidates);
        stats.ran(step, owner, slice);
      },
    };
  }

  /** For charges into sums of the caller's choice. */
  into(tallyOf: (step: StepSpan) => Tally | undefined): ChargeSink {
    const { largest, isCovered } = this.#options;
    const tgid = this.#tgid;
    return {
      paid(step, slice, interval, from, to, ns, candidates) {
        const tally = tallyOf(step);
        tally?.pay(interval, ns, candidates);
        if (interval.place === 'exact') tally?.event(slice, interval.category, from, to - from, largest);
      },
      woken(step, slice) {
        tallyOf(step)?.wakeup(slice, isCovered(slice.cpu, readyTime(slice)));
      },
      ran(step, slice, cpuNs, candidates) {
        const tally = tallyOf(step);
        if (!tally) return;
        tally.cpuNs += cpuNs;
        // It was followed before, as a child is from its birth, and yet was not seen coming onto the CPU: the kernel
        // left a program's run out.
        const followed = slice.previousOffAt > 0 || slice.tgid !== tgid;
        if (slice.begin === SliceBegin.unknown && followed) tally.lost++;
        tally.slice(slice, candidates, step.from >= slice.onAt);
      },
    };
  }

  /** A slice that was charged for good. */
  total(slice: StoredSlice): void {
    const { totals } = this;
    this.#options.stats?.slice(slice, this.#owner);
    for (const interval of slice.intervals) totals.pay(interval, interval.ns, 1);
    totals.wakeup(slice, this.#options.isCovered(slice.cpu, readyTime(slice)));
    totals.slice(slice, 1);
    totals.cpuNs += Math.max(0, slice.offAt - slice.onAt);
  }
}
