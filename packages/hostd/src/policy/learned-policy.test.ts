import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultPolicyConfig, type PolicyConfig } from './config.ts';
import type { WaitFact } from './facts.ts';
import { createPolicy, type LearningPolicy } from './learned-policy.ts';
import { armedWithin, isCovered } from './plan/windows.ts';
import { savedState } from './state.testkit.ts';

const SECOND = 1e6;
const payer = { user: 1000, cgroup: '/user.slice' };

function policyOf(change: Partial<PolicyConfig> = {}, random = () => 0.5): LearningPolicy {
  return createPolicy({ ...defaultPolicyConfig, holdout: 0, armedShare: 0.25, ...change }, { random });
}

let count = 0;
function fact(change: Partial<WaitFact> = {}): WaitFact {
  return { wait: `w${count++}`, session: 's', payer, kind: 'llm', key: 'gpt-4o', at: 0, ...change };
}

/** Teaches `times` waits of a length, one after the other, and returns when the last ended. */
function teach(policy: LearningPolicy, us: number, times: number, change: Partial<WaitFact> = {}): number {
  let at = change.at ?? 0;
  for (let i = 0; i < times; i++) {
    const wait = fact({ ...change, at });
    policy.waitStarted(wait);
    at += us;
    policy.waitEnded({ wait: wait.wait, at });
  }
  return at;
}

describe('policy', () => {
  it('learns a regular wait, and arms it shortly before its end and not from its start', () => {
    const policy = policyOf();
    const at = teach(policy, 3 * SECOND, 60);
    const plan = policy.waitStarted(fact({ at }));
    expect(plan.reason).toBe('predicted');
    expect(plan.windows.some(({ arm, disarm }) => arm < 2.999 * SECOND && disarm > 3 * SECOND)).toBe(true);
    const armed = plan.windows.reduce((sum, { arm, disarm }) => sum + Math.min(disarm, 3 * SECOND) - arm, 0);
    expect(armed).toBeLessThan(0.4 * 3 * SECOND);
  });

  it('backs off to the kind for a key that it has never seen', () => {
    const policy = policyOf();
    for (let i = 0; i < 20; i++) teach(policy, 30_000, 5, { kind: 'tool', key: `Known${i}` });
    const { windows } = policy.waitStarted(fact({ kind: 'tool', key: 'New' }));
    expect(windows.some(({ arm, disarm }) => arm < 29_000 && disarm > 30_000)).toBe(true);
  });

  it('follows a service that has become slower', () => {
    const policy = policyOf();
    let at = teach(policy, SECOND, 200);
    at = teach(policy, 4 * SECOND, 60, { at });
    const { windows } = policy.waitStarted(fact({ at }));
    expect(windows.some(({ arm, disarm }) => arm < 3.99 * SECOND && disarm > 4 * SECOND)).toBe(true);
  });

  it('predicts from input tokens where they tell', () => {
    const policy = policyOf({ armedShare: 0.05 });
    let at = 0;
    const sizes = [1000, 4000, 16_000, 64_000];
    // 100 µs a token, in an order that no recent wait gives away.
    const size = (i: number) => sizes[(i * i + 3 * i + (i >> 2)) % 4] as number;
    for (let i = 0; i < 400; i++)
      at = teach(policy, size(i) * 100, 1, { at, inputTokens: size(i), session: `s${i}` });
    for (const inputTokens of sizes) {
      const { windows } = policy.waitStarted(fact({ at, inputTokens, session: 'new' }));
      // Its own length is armed, and none of the others.
      const armed = (tokens: number) => isCovered(windows, tokens * 100, 1000);
      expect(sizes.filter(armed)).toEqual([inputTokens]);
    }
  });

  it('uses known deadlines as they are', () => {
    const policy = policyOf();
    const plan = policy.waitStarted(fact({ kind: 'timer', at: SECOND, deadline: 6 * SECOND }));
    expect(plan).toMatchObject({ reason: 'deadline', windows: [{ arm: 5 * SECOND - 1000 }] });
    expect(plan.windows[0]?.disarm).toBeLessThan(5.05 * SECOND);
    const retry = policy.signal({ wait: plan.wait, signal: 'headers', at: 2 * SECOND, deadline: 9 * SECOND });
    expect(retry).toMatchObject({ reason: 'deadline', windows: [{ arm: 8 * SECOND - 1000 }] });
  });

  it('conditions the remainder on a signal', () => {
    const policy = policyOf();
    // Headers come at any time; the body 50 ms after them.
    let at = 0;
    for (let i = 0; i < 60; i++) {
      const wait = fact({ at, kind: 'http', key: 'api' });
      const headers = at + (200 + ((i * 977) % 5000)) * 1000;
      policy.waitStarted(wait);
      policy.signal({ wait: wait.wait, signal: 'headers', at: headers });
      at = headers + 50_000;
      policy.waitEnded({ wait: wait.wait, at });
    }
    const wait = fact({ at, kind: 'http', key: 'api' });
    policy.waitStarted(wait);
    const plan = policy.signal({ wait: wait.wait, signal: 'headers', at: at + 3 * SECOND });
    const due = 3 * SECOND + 50_000;
    expect(plan?.windows.some(({ arm, disarm }) => arm < due && disarm > due)).toBe(true);
    expect(plan?.windows.every(({ arm }) => arm >= 3 * SECOND)).toBe(true);
  });

  it("takes a child's exit for imminent until it is known better", () => {
    const policy = policyOf();
    const wait = fact({ kind: 'tool', key: 'Bash' });
    policy.waitStarted(wait);
    const plan = policy.signal({ wait: wait.wait, signal: 'child_exit', at: SECOND });
    expect(plan?.windows).toMatchObject([{ arm: SECOND }]);
  });

  it('covers a stream by one window, renewed while tokens come and not beyond', () => {
    const policy = policyOf({ armedShare: 0.9, startCreditMs: 60_000 });
    const wait = fact({ stream: true });
    policy.waitStarted(wait);
    const plans = [];
    for (let i = 0; i < 200; i++) {
      const at = 400_000 + i * 20_000;
      const plan = policy.signal({ wait: wait.wait, signal: i === 0 ? 'first_token' : 'token', at });
      if (plan) plans.push(plan);
      const open = plans.at(-1)?.windows.at(-1);
      expect(open && open.arm <= at && open.disarm > at + 20_000).toBe(true);
    }
    expect(plans.every(({ reason, windows }) => reason === 'stream' && windows.length === 1)).toBe(true);
    expect(plans.length).toBeLessThan(40);
    expect(plans.at(-1)?.windows[0]?.disarm).toBeLessThan(400_000 + 200 * 20_000 + 2 * SECOND);
    policy.waitEnded({ wait: wait.wait, at: 5 * SECOND });
  });

  it('learns the wait for the first token of a stream, not its end', () => {
    const policy = policyOf();
    let at = 0;
    for (let i = 0; i < 60; i++) {
      const wait = fact({ at, stream: true });
      policy.waitStarted(wait);
      policy.signal({ wait: wait.wait, signal: 'first_token', at: at + 500_000 });
      at += 8 * SECOND;
      policy.waitEnded({ wait: wait.wait, at });
    }
    expect(policy.classes(1000).find(({ key }) => key === 'gpt-4o first')?.medianUs).toBeLessThan(600_000);
    const { windows } = policy.waitStarted(fact({ at, stream: true }));
    expect(windows.some(({ arm, disarm }) => arm < 500_000 && disarm > 500_000)).toBe(true);
  });

  it('does not learn from waits that were given up', () => {
    const policy = policyOf();
    const wait = fact();
    policy.waitStarted(wait);
    policy.waitEnded({ wait: wait.wait, at: SECOND, cancelled: true });
    expect(policy.classes(1000)).toMatchObject([{ waits: 0, medianUs: null }]);
  });

  it.each(['ends', 'is cancelled', 'loses its session', 'is forgotten for another', 'is begun anew'])(
    'keeps to its share where each wait %s',
    (fate) => {
      const policy = policyOf({ armedShare: 0.05, maxOpenWaits: 1 });
      const length = (i: number) => 2 * SECOND + ((i * 7919) % 997) * 200;
      let at = 0;
      for (let i = 0; i < 1000; i++) at = teach(policy, length(i), 1, { at });
      let armed = 0;
      let waited = 0;
      for (let i = 0; i < 1000; i++) {
        const wait = fact({ at, session: `t${i}`, ...(fate === 'is begun anew' && { wait: 'again' }) });
        armed += armedWithin(policy.waitStarted(wait).windows, length(i));
        waited += length(i);
        at += length(i);
        if (fate === 'loses its session') policy.sessionEnded(wait.session, at);
        else if (fate === 'ends' || fate === 'is cancelled')
          policy.waitEnded({ wait: wait.wait, at, cancelled: fate === 'is cancelled' });
      }
      expect(armed / waited).toBeGreaterThan(0.03);
      // Beside the share, what the waits before had saved.
      expect(armed).toBeLessThan(0.05 * waited + 0.05 * 1000 * 2 * SECOND);
    },
  );

  it('leaves a random part of waits unarmed', () => {
    let random = 0.5;
    const policy = policyOf({ holdout: 0.02 }, () => random);
    const at = teach(policy, 20_000, 20);
    random = 0.019;
    expect(policy.waitStarted(fact({ at }))).toMatchObject({ reason: 'holdout', windows: [] });
    random = 0.021;
    expect(policy.waitStarted(fact({ at })).windows).not.toEqual([]);
  });

  it('stops arming a class that gains nothing, says so, and tries again now and then', () => {
    let draw = 0;
    const policy = policyOf({ holdout: 0.4, benefitSamples: 30, retryEvery: 10 }, () => (draw++ % 10) / 10);
    let at = teach(policy, 20_000, 40);
    const wake = (i: number, gain: number) => {
      const wait = fact({ at });
      const { windows, reason } = policy.waitStarted(wait);
      at += 20_000;
      policy.waitEnded({ wait: wait.wait, at });
      const covered = isCovered(windows, 20_000, 1000);
      const ns = 50_000 + ((i * 37) % 11) * 50 + (covered ? 0 : gain);
      policy.wakeupCost({ wait: wait.wait, ns, covered, cpu: i % 3 });
      return reason;
    };
    for (let i = 0; i < 400; i++) wake(i, 0);
    expect(policy.classes(1000)[0]).toMatchObject({ armed: false });
    const again = policyOf();
    again.loadState(savedState(policy));
    expect(again.classes(1000)[0]).toMatchObject({ armed: false });
    const reasons = Array.from({ length: 100 }, (_, i) => wake(i, 0));
    const count = (reason: string) => reasons.filter((other) => other === reason).length;
    expect([count('holdout'), count('no_benefit'), count('retry')]).toEqual([40, 54, 6]);
    // The machine has changed: armed wakeups gain now.
    for (let i = 0; i < 4000; i++) wake(i, 40_000);
    expect(policy.classes(1000)[0]).toMatchObject({ armed: true });
    expect(wake(0, 40_000)).not.toBe('no_benefit');
  });

  describe('compares', () => {
    /** Waits of 20 ms, some much longer, costlier and never planned for; `armed` is what becomes of the windows. */
    function measured(gain: number, armed: boolean | undefined) {
      let draw = 0;
      const policy = policyOf({ holdout: 0.3, armedShare: 0.25 }, () => (draw++ % 10) / 10);
      let at = teach(policy, 20_000, 40);
      for (let i = 0; i < 2000; i++) {
        const us = i % 7 === 3 ? 2000 * SECOND : 20_000;
        const wait = fact({ at });
        const { windows } = policy.waitStarted(wait);
        at += us;
        policy.waitEnded({ wait: wait.wait, at, armed });
        const covered = armed !== false && isCovered(windows, us, 1000);
        const ns = (us > SECOND ? 300_000 : 50_000) + ((i * 37) % 11) * 50 - (covered ? gain : 0);
        policy.wakeupCost({ wait: wait.wait, ns, covered, cpu: 0 });
      }
      return policy.classes(1000)[0];
    }

    it('what was armed with what was left unarmed at random, and not with waits that nothing was planned for', () => {
      expect(measured(0, undefined)?.armed).toBe(false);
      const { benefit } = measured(20_000, undefined) ?? {};
      expect(benefit?.lowNs).toBeGreaterThan(19_000);
      expect(benefit?.highNs).toBeLessThan(21_000);
    });

    it('nothing where what was planned could not be armed', () => {
      expect(measured(20_000, false)).toMatchObject({ benefit: null, armed: true });
    });
  });

  it('arms more where a wakeup gains more, also after a restart', () => {
    let draw = 0;
    const create = () => policyOf({ holdout: 0.2, armedShare: 0.2 }, () => (draw++ % 9) / 9);
    const length = (i: number) => (0.1 + ((i * 7919) % 997) / 100) * SECOND;
    let at = 0;
    /** Waits of two classes that last alike: what is armed of the one for what is armed of the other. */
    function ratio(policy: LearningPolicy, gains?: Record<'a' | 'b', number>): number {
      const armed = { a: 0, b: 0 };
      for (let i = 0; i < 1000; i++) {
        for (const key of ['a', 'b'] as const) {
          const us = length(key === 'a' ? i : i + 500);
          const wait = fact({ at, key, session: `t${count}` });
          const { windows } = policy.waitStarted(wait);
          armed[key] += armedWithin(windows, us);
          at += us;
          policy.waitEnded({ wait: wait.wait, at });
          if (!gains) continue;
          const covered = isCovered(windows, us, 1000);
          const ns = 100_000 + ((i * 37) % 11) * 1000 + (covered ? 0 : gains[key]);
          policy.wakeupCost({ wait: wait.wait, ns, covered, cpu: 0 });
        }
      }
      return armed.a / armed.b;
    }
    const policy = create();
    const alike = ratio(policy, { a: 60_000, b: 60_000 });
    expect(alike).toBeGreaterThan(0.8);
    expect(alike).toBeLessThan(1.25);
    ratio(policy, { a: 120_000, b: 20_000 });
    expect(ratio(policy, { a: 120_000, b: 20_000 })).toBeGreaterThan(2);
    const again = create();
    again.loadState(savedState(policy));
    expect(ratio(again)).toBeGreaterThan(2);
  });

  it('keeps what it learned of one user from another', () => {
    const policy = policyOf();
    teach(policy, 3 * SECOND, 60);
    const other = { user: 1001, cgroup: '/user.slice' };
    policy.waitStarted(fact({ payer: other }));
    expect(policy.classes(1001)).toMatchObject([{ waits: 0 }]);
    const fresh = policyOf();
    const wait = fact({ payer: other });
    expect(policy.waitStarted({ ...wait, session: 't' }).windows).toEqual(fresh.waitStarted(wait).windows);
  });

  it('forgets the open waits of a session that has ended', () => {
    const policy = policyOf();
    for (let i = 0; i < 10; i++) policy.waitStarted(fact({ session: i % 2 ? 'gone' : 'stays' }));
    policy.sessionEnded('gone', SECOND);
    expect(policy.openWaits).toBe(5);
  });

  it('stays bounded under forged keys, kinds, sessions, users and waits that never end', () => {
    const limits = { maxClassesPerUser: 50, maxUsers: 3, maxSessionsPerUser: 20, maxOpenWaits: 100 };
    const policy = policyOf(limits);
    for (let i = 0; i < 5000; i++) {
      const wait = fact({
        kind: `kind${i}`,
        key: `key${i}`,
        session: `s${i}`,
        payer: { user: i % 7, cgroup: `/c${i}` },
        at: i * 1000,
      });
      policy.waitStarted(wait);
      if (i % 3 === 0) policy.waitEnded({ wait: wait.wait, at: i * 1000 + 500_000 });
      for (let j = 0; j < 6; j++) policy.signal({ wait: wait.wait, signal: `forged${j}`, at: i * 1000 + j });
    }
    const { users } = savedState(policy);
    expect(policy.openWaits).toBeLessThanOrEqual(100);
    expect(Object.keys(users).length).toBeLessThanOrEqual(3);
    for (const { predictor, extras } of Object.values(users)) {
      expect(predictor.classes.length).toBeLessThanOrEqual(50);
      expect(predictor.contexts.length).toBeLessThanOrEqual(50);
      expect(predictor.kinds.length).toBeLessThanOrEqual(256);
      expect(extras.length).toBeLessThanOrEqual(50);
    }
  });

  it('never throws and never plans nonsense, whatever facts come in whatever order', () => {
    const time = fc.oneof(
      fc.double(),
      fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_VALUE, 1e18),
      fc.integer({ min: 0, max: 100_000_000 }),
    );
    const wait = fc.constantFrom('a', 'b', 'c');
    const call = fc.record({
      op: fc.constantFrom('start', 'start', 'signal', 'end', 'session', 'cost'),
      wait,
      at: time,
      deadline: fc.option(time, { nil: undefined }),
      inputTokens: fc.option(time, { nil: undefined }),
      key: fc.oneof(fc.constantFrom('k', '__proto__', ''), fc.string()),
      signal: fc.constantFrom('token', 'first_token', 'headers', 'child_exit', '__proto__'),
      flag: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        const policy = policyOf({ startCreditMs: 1e9 }, () => 0.5);
        for (const { op, wait, at, deadline, inputTokens, key, signal, flag } of calls) {
          let plan: ReturnType<LearningPolicy['signal']>;
          if (op === 'start') {
            plan = policy.waitStarted(
              fact({ wait, at, deadline, inputTokens, key, kind: key, stream: flag }),
            );
          } else if (op === 'signal') plan = policy.signal({ wait, signal, at, deadline });
          else if (op === 'end') policy.waitEnded({ wait, at, cancelled: flag });
          else if (op === 'session') policy.sessionEnded('s', at);
          else policy.wakeupCost({ wait, ns: at, covered: flag, cpu: 0 });
          for (const { arm, disarm } of plan?.windows ?? []) {
            expect(arm).toBeGreaterThanOrEqual(0);
            expect(disarm).toBeGreaterThan(arm);
          }
        }
        expect(() => policyOf().loadState(savedState(policy))).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });
});
