import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultPolicyConfig } from './config.ts';
import { createPolicy, type LearningPolicy } from './learned-policy.ts';
import { isCovered } from './plan/windows.ts';
import { parseTrace, type TraceRow } from './simulate/trace.ts';
import { savedState } from './state.testkit.ts';
import { STATE_VERSION } from './state.ts';

const file = new URL('../../../../bench/data/agent-waits.csv', import.meta.url);
const agentWaits = parseTrace(readFileSync(file, 'utf8'), 'agent-waits.csv');

/** Half of the time armed: the price is not at the edge of what these waits are worth. */
const config = { ...defaultPolicyConfig, armedShare: 0.5, startCreditMs: 5000 };

function taught(): LearningPolicy {
  const policy = createPolicy(config, { random: () => 0.5 });
  for (let i = 0; i < 300; i++) {
    const wait = `w${i}`;
    const kind = i % 3 === 0 ? 'llm' : 'tool';
    const payer = { user: i % 2, cgroup: '/' };
    const inputTokens = kind === 'llm' ? 1000 + 10 * i : undefined;
    policy.waitStarted({
      wait,
      session: `s${i % 5}`,
      payer,
      kind,
      key: `k${i % 7}`,
      at: i * 1e6,
      inputTokens,
    });
    policy.waitEnded({ wait, at: i * 1e6 + 10_000 * (1 + (i % 7)) });
    policy.wakeupCost({ wait, ns: 40_000, covered: i % 2 === 0, cpu: 0 });
  }
  return policy;
}

/** What a policy plans for a wait of each class, in a session of its own. */
function plans(policy: LearningPolicy) {
  return Array.from({ length: 7 }, (_, i) =>
    policy.waitStarted({
      wait: `probe${i}`,
      session: 'probe',
      payer: { user: 1, cgroup: '/' },
      kind: 'tool',
      key: `k${i}`,
      at: 0,
    }),
  );
}

describe('learned state', () => {
  it('is plain JSON, and covers after a restart what it covered before', () => {
    const policy = createPolicy(config, { random: () => 0.5 });
    const start = (of: LearningPolicy, row: TraceRow, wait: string) =>
      of.waitStarted({ ...row, wait, payer: { user: 1, cgroup: '/' }, at: row.startMs * 1000 });
    for (const [i, row] of agentWaits.slice(0, 3000).entries()) {
      start(policy, row, `w${i}`);
      policy.waitEnded({ wait: `w${i}`, at: (row.startMs + row.waitMs) * 1000 });
    }
    const again = createPolicy(config, { random: () => 0.5 });
    again.loadState(savedState(policy));
    const known = (of: LearningPolicy) => of.classes(1).map(({ kind, key, waits }) => [kind, key, waits]);
    expect(known(again)).toEqual(known(policy));
    // In sessions that neither has seen; saved counts are rounded, so not every window is the same.
    const covers = (of: LearningPolicy) =>
      agentWaits.slice(3000, 4000).filter((row, i) => {
        const { windows } = start(of, { ...row, session: `new${i}` }, `probe${i}`);
        return isCovered(windows, row.waitMs * 1000, 1000);
      }).length;
    const before = covers(policy);
    // A session’s first request reads all its tokens, and is expected to be slower than these, which came later.
    expect(before).toBeGreaterThan(500);
    expect(Math.abs(covers(again) - before)).toBeLessThan(20);
    expect(covers(createPolicy(config, { random: () => 0.5 }))).not.toBe(before);
  });

  it('holds no session', () => {
    const text = JSON.stringify(savedState(taught()));
    expect(text).not.toMatch(/"s[0-4]"/);
  });

  it('of another version is refused by name, and changes nothing', () => {
    const policy = taught();
    const before = savedState(policy);
    expect(() => policy.loadState({ ...before, version: 99 })).toThrow(
      expect.objectContaining({ code: 'PREWAKE_STATE_VERSION' }),
    );
    expect(savedState(policy)).toEqual(before);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 7],
    ['no version', {}],
    ['no users', { version: STATE_VERSION }],
    ['a wrong uid', { version: STATE_VERSION, users: { root: {} } }],
    ['an empty user', { version: STATE_VERSION, users: { 0: {} } }],
  ])('that is %s is corrupt, and changes nothing', (_, state) => {
    const policy = taught();
    const before = savedState(policy);
    expect(() => policy.loadState(state)).toThrow(expect.objectContaining({ code: 'PREWAKE_STATE_CORRUPT' }));
    expect(savedState(policy)).toEqual(before);
  });

  it('with any one value replaced is corrupt, or still plans sanely', () => {
    const text = JSON.stringify(savedState(taught()));
    const bad = ['null', '-1', '1e999', '"x"', '[]', '{}'];
    let refused = 0;
    const values = [...text.matchAll(/[:[,](-?\d+(?:\.\d+)?(?:e-?\d+)?)(?=[,\]}])/g)];
    for (let i = 0; i < values.length; i += Math.ceil(values.length / 200)) {
      const match = values[i] as RegExpMatchArray;
      const from = (match.index ?? 0) + 1;
      const broken = text.slice(0, from) + bad[i % bad.length] + text.slice(from + (match[1] ?? '').length);
      const policy = createPolicy(config, { random: () => 0.5 });
      try {
        policy.loadState(JSON.parse(broken));
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^PREWAKE_STATE_/) });
        refused++;
      }
      for (const { windows } of plans(policy)) {
        for (const { arm, disarm } of windows) expect(disarm).toBeGreaterThan(arm);
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
