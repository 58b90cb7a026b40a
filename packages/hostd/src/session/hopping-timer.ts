import type { Micros } from '@prewake/sdk/protocol';
import type { DeadlineTimer } from './deadline-timer.ts';

/** A sleep is late by about 0.1 % of its length, so the last one before a deadline is at most this long. */
const LAST_HOP_US = 200_000;

/** Node's own timer for one absolute time: long sleeps are made in shrinking hops. It fires at each of them. */
export class HoppingTimer implements DeadlineTimer {
  readonly #now: () => Micros;
  readonly #fire: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(now: () => Micros, fire: () => void) {
    this.#now = now;
    this.#fire = fire;
  }

  set(due: Micros): void {
    const left = due - this.#now();
    const hop = left <= LAST_HOP_US ? left : Math.min(left - LAST_HOP_US / 2, left * 0.95);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#fire, Math.max(1, Math.min(Math.floor(hop / 1000), 2 ** 31 - 1)));
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  close(): void {
    this.clear();
  }
}
