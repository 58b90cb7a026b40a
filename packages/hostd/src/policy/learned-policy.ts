import type { Micros } from '@prewake/sdk/protocol';
import type { PolicyConfig } from './config.ts';
import type { Plan, PlannedWindow, SignalFact, WaitEndFact, WaitFact, WakeupCost } from './facts.ts';
import { BINS } from './grid.ts';
import { planWindows } from './planner.ts';
import type { Policy } from './policy.ts';
import { Predictor, type WaitContext } from './predictor.ts';
import { Price } from './price.ts';

interface OpenWait extends WaitContext {
  at: Micros;
  windows: readonly PlannedWindow[];
}

export interface PolicyOptions {
  /** Uniform in [0, 1): injected, so that a replay decides alike. */
  random: () => number;
}

export function createPolicy(config: PolicyConfig, options: PolicyOptions): Policy {
  return new LearnedPolicy(config, options);
}

class LearnedPolicy implements Policy {
  #config: PolicyConfig;
  #random: () => number;
  #predictor: Predictor;
  #price: Price;
  #open = new Map<string, OpenWait>();
  #hazards = new Float64Array(BINS);

  constructor(config: PolicyConfig, { random }: PolicyOptions) {
    this.#config = config;
    this.#random = random;
    this.#predictor = new Predictor(config.maxClassesPerUser);
    this.#price = new Price(config.armedShare);
  }

  waitStarted(fact: WaitFact): Plan {
    const { wait, session, kind, key, at } = fact;
    const open: OpenWait = { user: fact.payer.user, session, kind, key, at, windows: [] };
    this.#open.delete(wait);
    this.#open.set(wait, open);
    if (this.#open.size > this.#config.maxOpenWaits) {
      this.#open.delete(this.#open.keys().next().value as string);
    }
    if (this.#random() < this.#config.holdout) return { wait, windows: [], reason: 'holdout' };
    const deadline = this.#deadline(open, fact.deadline);
    if (deadline) return { wait, windows: deadline, reason: 'deadline' };
    this.#predictor.predict(open, this.#hazards);
    open.windows = planWindows(this.#hazards, this.#price.value, this.#config);
    return { wait, windows: open.windows, reason: open.windows.length > 0 ? 'predicted' : 'dispersed' };
  }

  signal({ wait, at, signal, deadline }: SignalFact): Plan | undefined {
    const open = this.#open.get(wait);
    if (!open) return undefined;
    const known = this.#deadline(open, deadline);
    if (known) return { wait, windows: known, reason: 'deadline' };
    if (signal !== 'first_token') return undefined;
    const elapsed = at - open.at;
    if (!(elapsed >= 0)) return undefined;
    return { wait, windows: [{ arm: elapsed, disarm: elapsed + 10e6 }], reason: 'stream' };
  }

  waitEnded({ wait, at, cancelled }: WaitEndFact): void {
    const open = this.#open.get(wait);
    if (!open) return;
    this.#open.delete(wait);
    const us = at - open.at;
    if (cancelled || !(us >= 0) || us === Number.POSITIVE_INFINITY) return;
    this.#predictor.predict(open, this.#hazards);
    this.#price.observe(this.#hazards, us, armedWithin(open.windows, us));
    this.#predictor.learn(open, us);
  }

  sessionEnded(session: string): void {
    for (const [wait, open] of this.#open) if (open.session === session) this.#open.delete(wait);
  }

  wakeupCost(_cost: WakeupCost): void {}

  #deadline(open: OpenWait, deadline: Micros | undefined): PlannedWindow[] | undefined {
    if (deadline === undefined || !Number.isFinite(deadline) || !(deadline >= open.at)) return undefined;
    const end = deadline - open.at;
    // A timer is late by about a thousandth of its length.
    return [{ arm: Math.max(0, end - this.#config.leadUs), disarm: end + 2000 + end * 0.002 }];
  }
}

function armedWithin(windows: readonly PlannedWindow[], us: Micros): Micros {
  let sum = 0;
  for (const { arm, disarm } of windows) sum += Math.max(0, Math.min(disarm, us) - Math.min(arm, us));
  return sum;
}
