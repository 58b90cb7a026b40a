import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BudgetConfig, defaultBudgetConfig } from '../config.ts';
import type { BudgetChange } from '../policy.ts';
import { createBudget } from './budget.ts';

const SECOND = 1e6;
const payer = { user: 1000, cgroup: '/user.slice/agent' };

function config(change: Partial<BudgetConfig> = {}): BudgetConfig {
  return {
    ...defaultBudgetConfig(1),
    host: { refillPerSecond: 100, capacity: 1000 },
    user: { refillPerSecond: 80, capacity: 500 },
    cgroup: { refillPerSecond: 50, capacity: 200, recovery: 0.5 },
    ...change,
  };
}

describe('budget', () => {
  it('charges all buckets on the way, or none', () => {
    const budget = createBudget(config());
    expect(budget.request(payer, 150, SECOND)).toEqual({ granted: true, tokens: 150 });
    expect(budget.request(payer, 100, SECOND)).toMatchObject({
      granted: false,
      bucket: 'cgroup:/user.slice/agent',
    });
    const tokens = Object.fromEntries(budget.snapshot(SECOND).map((state) => [state.bucket, state.tokens]));
    expect(tokens).toEqual({ host: 850, 'user:1000': 350, 'cgroup:/user.slice/agent': 50 });
  });

  it('degrades when dry, says when to come again, and recovers at the threshold and not before', () => {
    const budget = createBudget(config());
    const changes: BudgetChange[] = [];
    budget.onChange = (change) => changes.push(change);
    budget.request(payer, 200, SECOND);
    const refused = budget.request(payer, 10, SECOND);
    expect(refused).toEqual({
      granted: false,
      reason: 'budget',
      bucket: 'cgroup:/user.slice/agent',
      retryMs: 2000,
    });
    expect(changes).toEqual([
      { bucket: 'cgroup:/user.slice/agent', state: 'degraded', at: SECOND, retryMs: 2000, refilled: 0 },
    ]);
    expect(budget.request(payer, 10, 2.9 * SECOND)).toMatchObject({ granted: false, reason: 'degraded' });
    expect(budget.request(payer, 10, 3 * SECOND)).toMatchObject({ granted: true });
    expect(changes[1]).toMatchObject({ state: 'recovered', at: 3 * SECOND });
  });

  it('says when it will have recovered, also where it was asked for more than it ever holds', () => {
    const budget = createBudget(config());
    let recovery = 0;
    budget.onChange = ({ retryMs }) => {
      recovery = retryMs;
    };
    budget.request(payer, 200, SECOND);
    expect(budget.request(payer, 201, SECOND)).toMatchObject({ retryMs: 3_600_000 });
    expect(recovery).toBe(2000);
    budget.charge(payer, 50, SECOND);
    expect(budget.snapshot(2 * SECOND)[2]).toMatchObject({ tokens: 0, retryMs: 2000 });
    expect(budget.snapshot(4 * SECOND)[2]).toMatchObject({ degraded: false, retryMs: 0 });
  });

  it('sums up with each change what refill has brought since the one before', () => {
    const budget = createBudget(config());
    const refilled: [string, number][] = [];
    budget.onChange = (change) => refilled.push([change.state, change.refilled]);
    budget.request(payer, 200, SECOND);
    budget.request(payer, 10, SECOND);
    budget.request(payer, 100, 3 * SECOND);
    budget.request(payer, 60, 4 * SECOND);
    budget.snapshot(5 * SECOND);
    expect(refilled).toEqual([
      ['degraded', 0],
      ['recovered', 100],
      ['degraded', 50],
      ['recovered', 50],
    ]);
  });

  it('is not degraded by a request that is simply too large', () => {
    const budget = createBudget(config());
    expect(budget.request(payer, 1e9, SECOND)).toMatchObject({ granted: false, reason: 'budget' });
    expect(budget.request(payer, 100, SECOND)).toMatchObject({ granted: true });
  });

  it('grants a part of the smallest bucket at once to who can do with less, and never less than that', () => {
    const budget = createBudget(config());
    expect(budget.request(payer, 150, SECOND, 10)).toEqual({ granted: true, tokens: 50 });
    expect(budget.request(payer, 150, SECOND, 60)).toEqual({ granted: true, tokens: 60 });
    expect(budget.request(payer, 20, SECOND, 10)).toEqual({ granted: true, tokens: 20 });
    // As much as it asks for at least, and that is not there: it is told when it will be, and not never.
    expect(budget.request(payer, 1000, SECOND, 80)).toMatchObject({ granted: false, retryMs: 600 });
  });

  it('gives back what was not used, and never more than was granted', () => {
    const budget = createBudget(config());
    budget.request(payer, 100, SECOND);
    budget.refund(payer, 60, SECOND);
    budget.refund(payer, 1e9, SECOND);
    budget.request(payer, 200, SECOND);
    budget.refund(payer, Number.NaN, SECOND);
    expect(budget.snapshot(SECOND).map(({ tokens }) => tokens)).toEqual([800, 300, 0]);
  });

  it('takes what was spent unasked from all buckets, which then owe it', () => {
    const budget = createBudget(config());
    budget.charge(payer, 250, SECOND);
    budget.charge(payer, Number.NaN, SECOND);
    expect(budget.snapshot(SECOND).map(({ tokens }) => tokens)).toEqual([750, 250, -50]);
    expect(budget.request(payer, 1, 1.5 * SECOND)).toMatchObject({ granted: false, retryMs: 2500 });
    expect(budget.request(payer, 100, 4 * SECOND)).toMatchObject({ granted: true });
  });

  it('refills at the part that it is cut to, and refuses everything while paused', () => {
    const budget = createBudget(config());
    budget.request(payer, 200, SECOND);
    budget.setPart(0.5, SECOND);
    expect(budget.snapshot(3 * SECOND)[2]).toMatchObject({ tokens: 50, refillPerSecond: 25 });
    budget.setPart(0, 3 * SECOND);
    expect(budget.request(payer, 1, 9 * SECOND)).toMatchObject({ granted: false, reason: 'paused' });
    expect(budget.snapshot(9 * SECOND)[2]).toMatchObject({ tokens: 50 });
    budget.setPart(1, 9 * SECOND);
    expect(budget.snapshot(10 * SECOND)[2]).toMatchObject({ tokens: 100, refilled: 100 });
  });

  it('uses the limits of a user and of the first matching cgroup pattern', () => {
    const limit = (capacity: number) => ({ refillPerSecond: 1, capacity });
    const budget = createBudget(
      config({
        users: { '7': limit(70) },
        cgroups: [
          { pattern: '/ci/*', limit: limit(5) },
          { pattern: '/ci/**', limit: limit(9) },
        ],
      }),
    );
    budget.request({ user: 7, cgroup: '/ci/a' }, 1, SECOND);
    budget.request({ user: 7, cgroup: '/ci/a/b' }, 1, SECOND);
    const capacity = Object.fromEntries(
      budget.snapshot(SECOND).map((state) => [state.bucket, state.capacity]),
    );
    expect(capacity).toEqual({ host: 1000, 'user:7': 70, 'cgroup:/ci/a': 5, 'cgroup:/ci/a/b': 9 });
  });

  it('takes over a new configuration without giving tokens away', () => {
    const budget = createBudget(config());
    budget.request(payer, 150, SECOND);
    budget.configure(config({ cgroup: { refillPerSecond: 10, capacity: 1000 } }), SECOND);
    expect(budget.snapshot(2 * SECOND)[2]).toMatchObject({ tokens: 60, capacity: 1000 });
  });

  it('stays bounded under a flood of payers, and forgets only full buckets', () => {
    const budget = createBudget(config({ maxBuckets: 10 }));
    for (let i = 0; i < 1000; i++) budget.request({ user: i, cgroup: `/c/${i}` }, 1, SECOND);
    expect(budget.snapshot(SECOND)).toHaveLength(21);
    expect(budget.request({ user: 5000, cgroup: '/late' }, 1, 3 * SECOND)).toMatchObject({ granted: true });
  });

  it('holds a laptop below 5 % armed CPU time in any minute', () => {
    for (const cpus of [1, 2, 8, 64]) {
      const { host } = defaultBudgetConfig(cpus);
      expect(host.capacity + 60 * host.refillPerSecond).toBeLessThan(0.05 * 60_000 * cpus);
    }
  });
});

describe('budget against a model', () => {
  // Whatever clients do, what is granted and not given back within any span of time is at most what the bucket
  // could hold at its start plus its refill.
  const call = fc.record({
    op: fc.constantFrom('request', 'request', 'request', 'refund', 'part', 'snapshot', 'back'),
    user: fc.integer({ min: 0, max: 2 }),
    cgroup: fc.integer({ min: 0, max: 3 }),
    amount: fc.oneof(
      fc.double({ min: 0, max: 400, noNaN: true }),
      fc.constantFrom(Number.NaN, -5, Number.POSITIVE_INFINITY, 1e12, 0),
    ),
    after: fc.oneof(fc.integer({ min: 0, max: 5 * SECOND }), fc.constantFrom(0, 60 * SECOND)),
  });

  it('never arms more than any bucket allows, however clients behave', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), (calls) => {
        const limits = config();
        const budget = createBudget(limits);
        const used: { at: number; tokens: number; buckets: string[] }[] = [];
        const outstanding = new Map<string, number>();
        let now = SECOND;
        for (const { op, user, cgroup, amount, after } of calls) {
          now += after;
          const who = { user, cgroup: `/c${cgroup}` };
          const buckets = ['host', `user:${user}`, `cgroup:/c${cgroup}`];
          const key = buckets.join();
          if (op === 'request') {
            const grant = budget.request(who, amount, now);
            if (!grant.granted) {
              expect(grant.retryMs).toBeGreaterThan(0);
              expect(Number.isFinite(grant.retryMs)).toBe(true);
              continue;
            }
            expect(grant.tokens).toBeGreaterThanOrEqual(0);
            used.push({ at: now, tokens: grant.tokens, buckets });
            outstanding.set(key, (outstanding.get(key) ?? 0) + grant.tokens);
          } else if (op === 'refund') {
            // The daemon gives back only what this payer holds; anything else must change nothing for the worse.
            const held = outstanding.get(key) ?? 0;
            const back = amount > 0 ? Math.min(held, amount) : 0;
            budget.refund(who, back, now);
            outstanding.set(key, held - back);
            used.push({ at: now, tokens: -back, buckets });
          } else if (op === 'part') budget.setPart(amount, now);
          else if (op === 'snapshot') budget.snapshot(now);
          else budget.request(who, 0, now - 30 * SECOND);
        }
        const allowed: Record<string, { refillPerSecond: number; capacity: number }> = { host: limits.host };
        for (let i = 0; i < 4; i++) {
          allowed[`user:${i}`] = limits.user;
          allowed[`cgroup:/c${i}`] = limits.cgroup;
        }
        for (const [bucket, limit] of Object.entries(allowed)) {
          const own = used.filter(({ buckets }) => buckets.includes(bucket));
          for (let from = 0; from < own.length; from++) {
            const start = own[from]?.at ?? 0;
            let sum = 0;
            for (let to = from; to < own.length; to++) {
              const { at, tokens } = own[to] as { at: number; tokens: number };
              sum += tokens;
              const most = limit.capacity + ((at - start) / SECOND) * limit.refillPerSecond;
              expect(sum).toBeLessThanOrEqual(most * (1 + 1e-9) + 1e-6);
            }
          }
        }
        for (const state of budget.snapshot(now)) {
          expect(state.tokens).toBeGreaterThanOrEqual(-1e-9);
          expect(state.tokens).toBeLessThanOrEqual(state.capacity);
        }
      }),
      { numRuns: 300 },
    );
  });
});
