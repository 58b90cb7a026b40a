import type { Micros } from '@prewake/sdk/protocol';
import type { BucketLimit } from '../config.ts';
import { Bucket } from './bucket.ts';

/** At most one sweep in this time: a flood of payers must not buy CPU time. */
const SWEEP_US = 1e6;

/** The buckets of one level, made when they are first asked for, bounded. */
export class BucketSet extends Map<string, Bucket> {
  #prefix: string;
  #limitOf: (key: string) => BucketLimit;
  #sweptAt: Micros = Number.NEGATIVE_INFINITY;

  constructor(prefix: string, limitOf: (key: string) => BucketLimit) {
    super();
    this.#prefix = prefix;
    this.#limitOf = limitOf;
  }

  name(key: string): string {
    return `${this.#prefix}:${key}`;
  }

  /** Undefined where `max` buckets are in use and none of them is full. */
  obtain(key: string, max: number, refillTime: number, now: Micros): Bucket | undefined {
    const known = this.get(key);
    if (known) return known;
    if (this.size >= max) this.#sweep(refillTime, now);
    if (this.size >= max) return undefined;
    const bucket = new Bucket(this.name(key), this.#limitOf(key), refillTime);
    this.set(key, bucket);
    return bucket;
  }

  /** Every bucket takes over its limit anew. */
  configure(): void {
    for (const [key, bucket] of this) bucket.configure(this.#limitOf(key));
  }

  /** Forgets full buckets, which loses nothing: a new one begins full. */
  #sweep(refillTime: number, now: Micros): void {
    if (now - this.#sweptAt < SWEEP_US) return;
    this.#sweptAt = now;
    for (const [key, bucket] of this) {
      if (bucket.degraded) continue;
      bucket.settle(refillTime);
      if (bucket.full) this.delete(key);
    }
  }
}
