import type { Micros } from '@prewake/sdk/protocol';
import type { PolicyConfig } from './config.ts';
import type { PlannedWindow, PlanReason } from './facts.ts';
import { Benefit, relativeGain } from './plan/benefit.ts';
import { Price } from './plan/price.ts';
import { Scarcity } from './plan/scarcity.ts';
import { Cadence } from './plan/stream.ts';
import { cutToCredit, planWindows } from './plan/windows.ts';
import { BINS } from './predict/grid.ts';
import { type Prediction, Predictor } from './predict/predictor.ts';
import { Recents } from './recents.ts';

/** What is measured of a class beside its waits. */
export interface ClassExtras {
  benefit: Benefit;
  cadence: Cadence;
  /** Waits since arming was last tried, while it brings nothing. */
  sinceRetry: number;
  /** Whether arming gains anything, as far as is known. */
  gains: boolean;
  /** Log of what an armed wakeup gains against the mean of all classes. */
  logWorth: number;
  /** What it adds to that mean: wakeups, and what all of them would have gained. */
  meant: { wakeups: number; ns: number };
}

/** Cgroups of one user whose budgets are told apart, of those that refused something of late. */
const MAX_SCARCE = 64;
/** What is left of a shadow price that is as good as none. */
const LEAST_LOG = 0.01;

/** All that is learned of one user's waits. Nothing of it is seen by another user. */
export class UserPolicy {
  readonly predictor: Predictor;
  readonly price: Price;
  readonly extras: Recents<number, ClassExtras>;
  /** By cgroup: each has a budget of its own. */
  readonly #scarce = new Recents<string, Scarcity>(MAX_SCARCE);
  readonly hazards = new Float64Array(BINS + 1);
  #config: PolicyConfig;
  /** Of all classes. */
  #meant = { wakeups: 0, ns: 0 };

  constructor(config: PolicyConfig) {
    this.#config = config;
    this.predictor = new Predictor({
      maxClasses: config.maxClassesPerUser,
      maxSessions: config.maxSessionsPerUser,
    });
    this.price = new Price(config.armedShare, config.startCreditMs * 1000);
    this.extras = new Recents(config.maxClassesPerUser);
  }

  /** Windows of a wait, or of the rest of it, from when it is predicted. */
  plan(prediction: Prediction, cgroup: string, logWorth: number): PlannedWindow[] {
    if (this.#config.armedShare >= 1) return [{ arm: 0, disarm: Number.POSITIVE_INFINITY }];
    this.predictor.predict(prediction, this.hazards);
    return planWindows(this.hazards, this.logPrice(cgroup) - logWorth, this.#config);
  }

  /** Log of the wakeups that an armed microsecond must promise in a cgroup. */
  logPrice(cgroup: string): number {
    const scarce = this.#scarce.size > 0 ? this.#scarce.use(cgroup) : undefined;
    return this.price.log + (scarce?.log ?? 0);
  }

  /** A wait in a cgroup has ended after `us`, and its budget has refused so much of what was planned. */
  refused(cgroup: string, us: Micros, refusedUs: Micros): void {
    if (refusedUs <= 0 && this.#scarce.size === 0) return;
    const known = this.#scarce.peek(cgroup);
    if (refusedUs <= 0 && !known) return;
    const scarce = known ?? new Scarcity();
    scarce.settle(us, refusedUs, this.#config.armedShare);
    if (scarce.log < LEAST_LOG) this.#scarce.delete(cgroup);
    else if (!known) this.#scarce.set(cgroup, scarce);
  }

  /** Nothing is planned that this user's credit could not pay, less what the wait has spent already. */
  afford(windows: PlannedWindow[], spent: Micros = 0): PlannedWindow[] {
    return cutToCredit(windows, this.price.credit - spent, this.#config.armedShare);
  }

  /** Why a wait of this class is armed or not, before its prediction. */
  gate(
    extras: ClassExtras | undefined,
    random: number,
  ): Extract<PlanReason, 'holdout' | 'no_benefit' | 'retry'> | undefined {
    if (random < this.#config.holdout) return 'holdout';
    if (!extras || extras.gains) return undefined;
    extras.sinceRetry++;
    if (extras.sinceRetry < this.#config.retryEvery) return 'no_benefit';
    extras.sinceRetry = 0;
    return 'retry';
  }

  extrasOf(classId: number): ClassExtras {
    const known = this.extras.use(classId);
    if (known) return known;
    const extras: ClassExtras = {
      benefit: new Benefit(),
      cadence: new Cadence(),
      sinceRetry: 0,
      gains: true,
      logWorth: 0,
      meant: { wakeups: 0, ns: 0 },
    };
    const forgotten = this.extras.set(classId, extras);
    if (forgotten) this.#mean(forgotten.meant, { wakeups: 0, ns: 0 });
    return extras;
  }

  /** What a class gains has been measured anew: what that means for its plans. */
  weigh(extras: ClassExtras): void {
    const { benefitSamples: samples, minBenefitNs } = this.#config;
    const limits = { samples, minBenefitNs };
    const estimate = extras.benefit.estimate(limits);
    extras.gains = extras.benefit.worth(limits, estimate) > 0;
    if (!estimate) return;
    const meant = { wakeups: estimate.uncovered, ns: estimate.uncovered * estimate.gainNs };
    this.#mean(extras.meant, meant);
    extras.meant = meant;
    const mean = this.#meant.ns / this.#meant.wakeups;
    extras.logWorth = mean > minBenefitNs ? Math.log(relativeGain(estimate, mean)) : 0;
  }

  #mean(before: ClassExtras['meant'], after: ClassExtras['meant']): void {
    this.#meant.wakeups += after.wakeups - before.wakeups;
    this.#meant.ns += after.ns - before.ns;
  }

  /** A wait, or a part of it, has ended after `us`. Returns for how many such waits `hazards` now stands. */
  learn(prediction: Prediction, us: Micros): number {
    return this.predictor.learn(prediction, us, this.hazards);
  }
}
