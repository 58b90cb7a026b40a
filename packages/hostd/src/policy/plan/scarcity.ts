import type { Micros } from '@prewake/sdk/protocol';

/** Wait time after which a refusal counts half: long against the minutes in which budgets refill. */
const HALF_LIFE_US = 1800e6;
/** The share of so much wait time, refused, raises the log price by 1. */
const PER_NAT_US = 60e6;
/** No budget makes an armed microsecond more than e^4 times as dear. */
const MOST = 4;

/**
 * The budget's shadow price: what it refused was worth less than what it would have paid for, had that not been
 * spent first. While it refuses, the price rises until little is planned that it does not pay; then it falls again.
 */
export class Scarcity {
  #log = 0;

  /** To be added to the log price, 0 and above. */
  get log(): number {
    return this.#log;
  }

  /**
   * A wait has ended after `us`.
   * @param refusedUs how much of what was planned the budget refused
   * @param share part of wait time that may be armed
   */
  settle(us: Micros, refusedUs: Micros, share: number): void {
    const rise = refusedUs > 0 ? refusedUs / (share * PER_NAT_US) : 0;
    this.#log = Math.min(MOST, this.#log + rise) * 2 ** (-us / HALF_LIFE_US);
  }
}
