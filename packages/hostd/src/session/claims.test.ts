import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createGuardController, type MachineGuards } from '../guards/index.ts';
import { type FixtureTree, fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { createBudget, defaultBudgetConfig } from '../policy/index.ts';
import { type Claim, type Claimant, Claims } from './claims.ts';

const claimant: Claimant = {
  id: 's1',
  payer: { user: 1000, cgroup: '/agent' },
  task: () => ({ tgid: 1, tid: 1, startTime: '0' }),
};
const HOUR_US = 3600e6;

let tree: FixtureTree;
let dir: string;
let guards: MachineGuards;
let now: number;

beforeEach(async () => {
  now = 1e6;
  tree = fixtureTree();
  dir = mkdtempSync(join(tmpdir(), 'prewake-claims-'));
  const clock = { now: () => now, suspended: () => 0, after: () => () => {} };
  const config = { frequency: 'off', scheduler: 'off', timer: 'off' } as const;
  guards = await createGuardController({ root: tree.root, runtimeDir: dir, guardian: false, config, clock });
});
afterEach(() => {
  guards.close();
  tree[Symbol.dispose]();
  rmSync(dir, { recursive: true, force: true });
});

function claims() {
  const budget = createBudget(defaultBudgetConfig(4));
  const all = new Claims({ budget, guards, now: () => now, cpusOf: () => [0], idleLatencyUs: 0 });
  const tokens = () => budget.snapshot(now).find(({ bucket }) => bucket === 'host')?.tokens as number;
  return { all, tokens };
}

it('gives back what was not used, and asks for what was held beyond it', () => {
  const { all, tokens } = claims();
  const full = tokens();
  const early = all.open(claimant, undefined, 'early', 10_000) as Claim;
  now += 4000;
  expect(all.drop(early)).toBe(now);
  const weight = early.hold.weight;
  expect(weight).toBeGreaterThan(0);
  // 0.16 tokens a millisecond are refilled meanwhile, up to what it holds.
  expect(full - tokens()).toBeLessThanOrEqual(4 * weight);
  expect(full - tokens()).toBeGreaterThan(3 * weight);
  now += 60e6;
  const late = all.open(claimant, undefined, 'late', 10_000) as Claim;
  now += 30_000;
  expect(all.drop(late)).toBe(now);
  expect(full - tokens()).toBeGreaterThan(24 * weight);
});

it('owes for no longer than the guardian lets a stopped hostd hold anything', () => {
  const { all, tokens } = claims();
  const claim = all.open(claimant, undefined, 'stopped', 10_000) as Claim;
  const before = tokens();
  now += HOUR_US;
  expect(all.drop(claim)).toBe(claim.paidUntil + 1e6);
  // Of the hour's refill nothing was kept: the bucket was nearly full.
  expect(before - tokens()).toBeLessThan(1010 * claim.hold.weight);
  expect(guards.leases()).toEqual([]);
});
