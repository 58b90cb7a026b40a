import type { Micros } from '@prewake/sdk/protocol';
import type { Payer, Plan, SignalFact, WaitEndFact, WaitFact, WakeupCost } from './facts.ts';

/**
 * Decides when to arm. Pure: it knows no kernel, no socket and no clock; `prewake simulate` and the daemon run
 * the same code. Facts may come out of order or not at all; none makes it throw.
 */
export interface Policy {
  waitStarted(fact: WaitFact): Plan;
  /** A new plan where the signal changes it: windows are still relative to the wait's start. */
  signal(fact: SignalFact): Plan | undefined;
  waitEnded(fact: WaitEndFact): void;
  /** Forgets a session's open waits, which have lasted until `at`, and its own history. */
  sessionEnded(session: string, at: Micros): void;
  wakeupCost(cost: WakeupCost): void;
}

/** Pays for armed CPU time. Nested token buckets: host → user → cgroup. Tokens are weighted armed CPU-milliseconds. */
export interface Budget {
  /**
   * May `tokens` be reserved now? All buckets on the way are charged, or none.
   * @param least where this is less than `tokens`, no more than a quarter of the smallest bucket on the way is granted
   *   at once, and no less than this: a bucket never holds what is more than its capacity
   */
  request(payer: Payer, tokens: number, now: Micros, least?: number): Grant;
  /**
   * Takes what was spent without having been granted (a lease held for longer than paid for, for a timer was late).
   * Buckets may owe: nothing is granted until refill has made it good.
   */
  charge(payer: Payer, tokens: number, now: Micros): void;
  /** Gives back what a grant did not use. */
  refund(payer: Payer, tokens: number, now: Micros): void;
  /** Scales all refill: 0 (paused, thermal) to 1. */
  setPart(part: number, now: Micros): void;
  /** For /v1/budgets and metrics. */
  snapshot(now: Micros): BucketState[];
  /** Called on every degrade and recovery. */
  onChange: ((change: BudgetChange) => void) | undefined;
}

export type Grant =
  | { granted: true; tokens: number }
  | { granted: false; reason: 'budget' | 'degraded' | 'paused'; bucket: string; retryMs: number };

export interface BucketState {
  /** `host`, `user:1000`, `cgroup:/path`. */
  bucket: string;
  tokens: number;
  capacity: number;
  refillPerSecond: number;
  degraded: boolean;
  /** Until it has recovered, at the present part of refill, milliseconds; 0 where it is not degraded. */
  retryMs: number;
  /** Tokens granted since the bucket was made, refunds not taken off. */
  granted: number;
  /** Requests refused. */
  refused: number;
  /** Tokens that refill has added. */
  refilled: number;
}

export interface BudgetChange {
  bucket: string;
  state: 'degraded' | 'recovered';
  at: Micros;
  /** Until it has recovered, at the present part of refill, milliseconds. */
  retryMs: number;
  /** Tokens that refill has added since the bucket's change before, or since it was made. */
  refilled: number;
}
