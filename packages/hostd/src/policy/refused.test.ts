import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createBudget } from './budget/budget.ts';
import { defaultBudgetConfig, defaultPolicyConfig } from './config.ts';
import type { PlannedWindow } from './facts.ts';
import { createPolicy, type LearningPolicy } from './learned-policy.ts';
import { armedWithin } from './plan/windows.ts';
import { parseTrace } from './simulate/trace.ts';

const file = new URL('../../../../bench/data/agent-waits.csv', import.meta.url);
const rows = parseTrace(readFileSync(file, 'utf8'), 'agent-waits.csv').slice(0, 6000);

const SECOND = 1e6;
const CHUNK_US = 100_000;

const policyOf = (armedShare: number): LearningPolicy =>
  createPolicy({ ...defaultPolicyConfig, armedShare, startCreditMs: 0, holdout: 0 }, { random: () => 0.5 });

/** One session after the other under a budget that pays for so much, held in chunks as the daemon does. */
function replay(armedShare: number, paid: number, told: boolean) {
  const policy = policyOf(armedShare);
  const limit = { refillPerSecond: 1000 * paid, capacity: 20_000 };
  const budget = createBudget({ ...defaultBudgetConfig(1), host: limit, user: limit, cgroup: limit });
  const payer = { user: 0, cgroup: '/' };
  let now = SECOND;
  let covered = 0;
  let planned = 0;
  let held = 0;
  for (const [i, row] of rows.entries()) {
    const us = row.waitMs * 1000;
    const wait = `w${i}`;
    const { windows } = policy.waitStarted({ ...row, wait, payer, at: now });
    const ofWait = { held: 0, refused: false, open: false };
    for (const window of windows) hold(window, us);
    if (ofWait.open) covered++;
    planned += armedWithin(windows, us);
    held += ofWait.held;
    now += us;
    policy.waitEnded({ wait, at: now, ...(told && ofWait.refused && { heldUs: ofWait.held }) });

    function hold({ arm, disarm }: PlannedWindow, end: number): void {
      for (let at = arm; at < Math.min(disarm, end); ) {
        const until = Math.min(at + CHUNK_US, disarm);
        const grant = budget.request(payer, (until - at) / 1000, now + at);
        if (!grant.granted) {
          ofWait.refused = true;
          at += grant.retryMs * 1000;
          continue;
        }
        const used = Math.min(until, end) - at;
        budget.refund(payer, (until - at - used) / 1000, now + at + used);
        ofWait.held += used;
        if (end < until) ofWait.open = true;
        at = until;
      }
    }
  }
  return { covered: covered / rows.length, refused: 1 - held / planned };
}

describe('what the budget refuses', () => {
  it('makes armed time dearer, so that it is spent on what is worth more', () => {
    const untold = replay(0.25, 0.1, false);
    const told = replay(0.25, 0.1, true);
    expect(untold.refused).toBeGreaterThan(0.5);
    expect(told.refused).toBeLessThan(0.25);
    expect(told.covered).toBeGreaterThan(untold.covered + 0.1);
  });

  it('is dear to its own cgroup alone, and is not spent of the share', () => {
    const policy = policyOf(0.25);
    let at = 0;
    const wait = (i: number, cgroup: string, heldUs?: number) => {
      const name = `${cgroup}${i}`;
      const us = (1 + ((i * 7919) % 997) / 200) * SECOND;
      const { windows } = policy.waitStarted({
        ...{ wait: name, session: cgroup, payer: { user: 1, cgroup }, kind: 'tool', key: 'k', at },
      });
      at += us;
      policy.waitEnded({ wait: name, at, heldUs });
      return armedWithin(windows, us) / us;
    };
    const share = (cgroup: string, heldUs?: number) => {
      let sum = 0;
      for (let i = 0; i < 400; i++) sum += wait(i, cgroup, heldUs);
      return sum / 400;
    };
    share('/one');
    const before = share('/one');
    share('/dry', 0);
    expect(share('/dry', 0)).toBeLessThan(0.3 * before);
    // What was refused is there for others.
    expect(share('/one')).toBeGreaterThan(before);
  });
});
