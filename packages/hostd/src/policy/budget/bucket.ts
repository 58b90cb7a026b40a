import type { BucketLimit } from '../config.ts';
import type { BucketState } from '../policy.ts';

const DEFAULT_RECOVERY = 0.25;

/** Retry times are finite, so that they survive JSON and a client that waits for them asks again some day. */
export const MAX_RETRY_MS = 3_600_000;

/**
 * One token bucket. Its time is refill time: microseconds during which refill ran in full (see Budget.setPart),
 * so a change of the part touches no bucket.
 */
export class Bucket {
  readonly name: string;
  tokens: number;
  degraded = false;
  granted = 0;
  refused = 0;
  refilled = 0;
  #limit: BucketLimit;
  #refillTime: number;
  /** Granted and not yet given back: more than this can't be refunded, so a refund never mints tokens. */
  #outstanding = 0;
  /** Of `refilled`, what was summed up already. */
  #summedUp = 0;

  constructor(name: string, limit: BucketLimit, refillTime: number) {
    this.name = name;
    this.#limit = limit;
    this.tokens = limit.capacity;
    this.#refillTime = refillTime;
  }

  get full(): boolean {
    return this.tokens >= this.#limit.capacity;
  }

  get capacity(): number {
    return this.#limit.capacity;
  }

  /** The level at which a degraded bucket grants again. */
  get threshold(): number {
    return this.#limit.capacity * (this.#limit.recovery ?? DEFAULT_RECOVERY);
  }

  /** Brings tokens up to date. True where this ended a degradation. */
  settle(refillTime: number): boolean {
    if (refillTime > this.#refillTime) {
      const gain = ((refillTime - this.#refillTime) / 1e6) * this.#limit.refillPerSecond;
      this.#refillTime = refillTime;
      this.#add(gain, true);
    }
    if (!this.degraded || this.tokens < this.threshold) return false;
    this.degraded = false;
    return true;
  }

  /** Whether `tokens` could be taken now. Ask only after `settle`. */
  holds(tokens: number): boolean {
    return !this.degraded && tokens <= this.tokens;
  }

  take(tokens: number): void {
    this.tokens -= tokens;
    this.granted += tokens;
    this.#outstanding += tokens;
  }

  giveBack(tokens: number): void {
    const back = Math.min(tokens, this.#outstanding);
    this.#outstanding -= back;
    this.#add(back, false);
  }

  /**
   * Counts a refusal. True where the bucket degrades by it: it must be short of its own threshold, so that asking
   * for too much at once degrades nobody.
   */
  refuse(): boolean {
    this.refused++;
    if (this.degraded || this.tokens >= this.threshold) return false;
    this.degraded = true;
    return true;
  }

  /** What refill has added since the last call. */
  sumUpRefill(): number {
    const added = this.refilled - this.#summedUp;
    this.#summedUp = this.refilled;
    return added;
  }

  /** Until `tokens` can be had, milliseconds, at `part` of full refill. */
  retryMs(tokens: number, part: number): number {
    const wanted = Math.min(this.#limit.capacity, Math.max(tokens, this.degraded ? this.threshold : 0));
    const missing = wanted - this.tokens;
    const rate = this.#limit.refillPerSecond * part;
    if (tokens > this.#limit.capacity || rate <= 0) return MAX_RETRY_MS;
    return Math.min(MAX_RETRY_MS, Math.max(1, Math.ceil((missing / rate) * 1000)));
  }

  /** A new limit keeps what is held, up to the new capacity. */
  configure(limit: BucketLimit): void {
    this.#limit = limit;
    this.tokens = Math.min(this.tokens, limit.capacity);
  }

  state(part: number): BucketState {
    return {
      bucket: this.name,
      tokens: this.tokens,
      capacity: this.#limit.capacity,
      refillPerSecond: this.#limit.refillPerSecond * part,
      degraded: this.degraded,
      retryMs: this.degraded ? this.retryMs(0, part) : 0,
      granted: this.granted,
      refused: this.refused,
      refilled: this.refilled,
    };
  }

  #add(tokens: number, refill: boolean): void {
    const added = Math.max(0, Math.min(tokens, this.#limit.capacity - this.tokens));
    this.tokens += added;
    if (refill) this.refilled += added;
  }
}
