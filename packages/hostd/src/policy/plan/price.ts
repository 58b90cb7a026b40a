import type { Micros } from '@prewake/sdk/protocol';
import { BINS, binOf, EDGES, WIDTHS } from '../predict/grid.ts';

/** Prices lie on a log scale: steps of 4 % from e^-30 to e^0 wakeups per microsecond. */
const PER_NAT = 25;
const LOWEST = -30;
const LEVELS = PER_NAT * -LOWEST;

/** Wait time after which an observation weighs half: long against a wait, short against a change of load. */
const HALF_LIFE_US = 5 * 3600e6;
/**
 * Credit to keep in hand, as a part of all wait time and at most as wait time: sessions differ in how much they
 * are worth arming for, and what one saves another spends.
 */
const RESERVE_PART = 0.2;
const MAX_RESERVE_US = 600e6;
const MIN_RESERVE_US = 60e6;
/** Credit that can be saved up, as wait time. */
const MAX_SAVED_US = 3600e6;
/** How much the log price rises as the reserve runs out, and falls for each reserve saved beyond it. */
const RISE = 1.5;
const FALL = 0.3;
const MOST_SAVED = 3;
/** A first price, about that of 10 % on waits of seconds, until there is something to go by. */
const FIRST_LOG_PRICE = Math.log(3e-7);

/**
 * Finds the price at which a given part of wait time is armed: it keeps how much time past waits spent at each
 * hazard, takes the level above which lies the wanted part, and corrects by what was really armed. Credit is a
 * bucket of armed time that each wait fills by its share: no plan may spend more, so that the share is kept even
 * where hazards were wrong, and the price rises long before the bucket is empty.
 */
export class Price {
  readonly share: number;
  #timeAt = new Float64Array(LEVELS);
  /** Wait time in `timeAt`. */
  #compared = 0;
  #total: Micros = 0;
  #scale = 1;
  #credit: Micros;
  #log: number;

  /**
   * @param share part of wait time to arm, 0–1
   * @param startUs armed time that may be spent before any wait has ended
   */
  constructor(share: number, startUs: Micros) {
    this.share = share;
    this.#credit = startUs;
    this.#log = this.#bounded(FIRST_LOG_PRICE);
  }

  /** The price that it has found, for the next start. */
  save(): number | null {
    return Number.isFinite(this.#log) ? this.#log : null;
  }

  /** Begins at a price that was found before. */
  restore(log: number | null): void {
    if (log !== null && log > LOWEST && log < 0) this.#log = this.#bounded(log);
  }

  /** Log of the wakeups that an armed microsecond must promise. */
  get log(): number {
    return this.#log;
  }

  /** Armed time that is left to spend, microseconds. */
  get credit(): Micros {
    return this.#credit;
  }

  /**
   * A wait has ended: its hazards as predicted, its length and how much of it the plan had armed.
   * @param times for how many such waits the hazards stand; 0: they were not predicted
   * @param logWorth log of what such a wakeup is worth against others
   */
  observe(logHazards: Float64Array, us: Micros, armedUs: Micros, times = 1, logWorth = 0): void {
    if (times > 0) this.#compare(logHazards, us, times, logWorth);
    this.settle(us, armedUs);
  }

  /** A stream has ended, or a part of it: wakeups came at an even hazard. */
  observeEven(logHazard: number, us: Micros, armedUs: Micros): void {
    this.#spend(level(logHazard), us);
    this.#compared += us * this.#scale;
    this.settle(us, armedUs);
  }

  /** Takes up what hazards a wait's time was spent at. */
  #compare(logHazards: Float64Array, us: Micros, times: number, logWorth: number): void {
    const last = binOf(us);
    const end = Math.min(last, BINS - 1);
    for (let bin = 0; bin <= end; bin++) {
      const time = bin === last ? us - (EDGES[bin] as number) : (WIDTHS[bin] as number);
      this.#spend(level((logHazards[bin] as number) + logWorth), time * times);
    }
    if (last === BINS) this.#spend(0, (us - (EDGES[BINS] as number)) * times);
    this.#compared += us * times * this.#scale;
  }

  #spend(index: number, time: Micros): void {
    this.#timeAt[index] = (this.#timeAt[index] as number) + time * this.#scale;
  }

  /** So much was waited, and so much of it armed. Waits whose end says nothing are told of by this alone. */
  settle(us: Micros, armedUs: Micros): void {
    this.#total += us;
    this.#credit = Math.min(
      this.share * MAX_SAVED_US,
      this.#credit + this.share * us - Math.min(armedUs, us),
    );
    this.#scale *= 2 ** (Math.min(us, HALF_LIFE_US) / HALF_LIFE_US);
    if (this.#scale > 1e100) this.#rescale();
    this.#log = this.#bounded(this.#solve() + this.#correction());
  }

  #solve(): number {
    const budget = this.share * this.#compared;
    let sum = 0;
    for (let index = LEVELS - 1; index >= 0; index--) {
      const time = this.#timeAt[index] as number;
      if (sum + time > budget) {
        // Within the level, as far as its time goes.
        const part = (sum + time - budget) / time;
        return LOWEST + (index + part) / PER_NAT;
      }
      sum += time;
    }
    return LOWEST;
  }

  #correction(): number {
    const reserve = Math.min(MAX_RESERVE_US, Math.max(MIN_RESERVE_US, this.#total * RESERVE_PART));
    const filled = this.#credit / (this.share * reserve);
    return filled < 1 ? RISE * (1 - filled) ** 2 : -FALL * Math.min(MOST_SAVED, filled - 1);
  }

  #bounded(log: number): number {
    if (this.share >= 1) return Number.NEGATIVE_INFINITY;
    return this.share > 0 ? log : Number.POSITIVE_INFINITY;
  }

  #rescale(): void {
    const by = 1 / this.#scale;
    for (let index = 0; index < LEVELS; index++) this.#timeAt[index] = (this.#timeAt[index] as number) * by;
    this.#compared *= by;
    this.#scale = 1;
  }
}

function level(logHazard: number): number {
  const index = Math.floor((logHazard - LOWEST) * PER_NAT);
  return index > 0 ? Math.min(LEVELS - 1, index) : 0;
}
