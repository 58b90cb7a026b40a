import type { Micros } from '@prewake/sdk/protocol';
import type { BudgetConfig } from '../config.ts';
import type { Payer } from '../facts.ts';
import type { BucketState, Budget, BudgetChange, Grant } from '../policy.ts';
import { Bucket, MAX_RETRY_MS } from './bucket.ts';
import { BucketSet } from './bucket-set.ts';
import { cgroupLimit, userLimit } from './limits.ts';

/** The part of a bucket that is granted at once to who can do with less. */
const AT_ONCE = 0.25;

/** Budget whose configuration can be replaced while leases are held. */
export interface ConfigurableBudget extends Budget {
  /** Takes over new limits. What buckets hold stays, up to their new capacity; nothing granted is called back. */
  configure(config: BudgetConfig, now: Micros): void;
}

/**
 * Nested token buckets, host → user → cgroup. Pure: recovery is noticed at the next call (`snapshot` is enough),
 * not by a timer; `retryMs` says when to come.
 */
export function createBudget(config: BudgetConfig): ConfigurableBudget {
  return new NestedBudget(config);
}

class NestedBudget implements ConfigurableBudget {
  onChange: ((change: BudgetChange) => void) | undefined;
  #config: BudgetConfig;
  #part = 1;
  #now: Micros = 0;
  #refillTime = 0;
  #host: Bucket;
  #users = new BucketSet('user', (uid) => userLimit(this.#config, Number(uid)));
  #cgroups = new BucketSet('cgroup', (path) => cgroupLimit(this.#config, path));

  constructor(config: BudgetConfig) {
    this.#config = config;
    this.#host = new Bucket('host', config.host, 0);
  }

  request(payer: Payer, tokens: number, now: Micros, least = tokens): Grant {
    this.#advance(now);
    if (this.#part === 0) {
      return { granted: false, reason: 'paused', bucket: 'host', retryMs: MAX_RETRY_MS };
    }
    const way = this.#way(payer);
    if (!way) {
      const bucket = this.#cgroups.name(payer.cgroup);
      return { granted: false, reason: 'budget', bucket, retryMs: 1000 };
    }
    for (const bucket of way) this.#settle(bucket);
    // What is not a number can't be granted, like more than any bucket holds.
    let wanted = Number.isNaN(tokens) ? Number.POSITIVE_INFINITY : Math.max(0, tokens);
    if (least < wanted) {
      let most = Number.POSITIVE_INFINITY;
      for (const bucket of way) most = Math.min(most, bucket.capacity * AT_ONCE);
      wanted = Math.min(wanted, Math.max(0, least, most));
    }
    // Innermost first: a cgroup that is dry itself never degrades its user or the host.
    for (const bucket of way) if (!bucket.holds(wanted)) return this.#refuse(bucket, wanted);
    for (const bucket of way) bucket.take(wanted);
    return { granted: true, tokens: wanted };
  }

  charge(payer: Payer, tokens: number, now: Micros): void {
    this.#advance(now);
    if (!(tokens > 0) || tokens === Number.POSITIVE_INFINITY) return;
    for (const bucket of this.#way(payer) ?? [this.#host]) {
      this.#settle(bucket);
      bucket.take(tokens);
    }
  }

  refund(payer: Payer, tokens: number, now: Micros): void {
    this.#advance(now);
    if (!(tokens > 0)) return;
    for (const bucket of this.#way(payer) ?? []) {
      this.#settle(bucket);
      bucket.giveBack(tokens);
      this.#settle(bucket);
    }
  }

  setPart(part: number, now: Micros): void {
    this.#advance(now);
    this.#part = part > 0 ? Math.min(1, part) : 0;
  }

  snapshot(now: Micros): BucketState[] {
    this.#advance(now);
    const all = [this.#host, ...this.#users.values(), ...this.#cgroups.values()];
    for (const bucket of all) this.#settle(bucket);
    return all.map((bucket) => bucket.state(this.#part));
  }

  configure(config: BudgetConfig, now: Micros): void {
    this.#advance(now);
    this.snapshot(now);
    this.#config = config;
    this.#host.configure(config.host);
    this.#users.configure();
    this.#cgroups.configure();
  }

  /** Time runs forward only; refill time runs at the part's pace. */
  #advance(now: Micros): void {
    if (!(now > this.#now) || now === Infinity) return;
    // The first call sets the clock: buckets begin full, so nothing is lost.
    if (this.#now > 0) this.#refillTime += (now - this.#now) * this.#part;
    this.#now = now;
  }

  #way({ user, cgroup }: Payer): readonly Bucket[] | undefined {
    const { maxBuckets } = this.#config;
    const ofUser = this.#users.obtain(String(user), maxBuckets, this.#refillTime, this.#now);
    const ofCgroup = this.#cgroups.obtain(cgroup, maxBuckets, this.#refillTime, this.#now);
    return ofUser && ofCgroup ? [ofCgroup, ofUser, this.#host] : undefined;
  }

  #settle(bucket: Bucket): void {
    if (bucket.settle(this.#refillTime)) this.#report(bucket, 'recovered', 0);
  }

  #refuse(bucket: Bucket, tokens: number): Grant {
    const before = bucket.degraded;
    const degrades = bucket.refuse();
    const retryMs = bucket.retryMs(tokens, this.#part);
    // Of the bucket, and not of this request: it may be more than the bucket ever holds.
    if (degrades) this.#report(bucket, 'degraded', bucket.retryMs(0, this.#part));
    return { granted: false, reason: before ? 'degraded' : 'budget', bucket: bucket.name, retryMs };
  }

  #report(bucket: Bucket, state: BudgetChange['state'], retryMs: number): void {
    const refilled = bucket.sumUpRefill();
    this.onChange?.({ bucket: bucket.name, state, at: this.#now, retryMs, refilled });
  }
}
