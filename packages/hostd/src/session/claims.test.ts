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

function claims(cpus = () => [0]) {
  const budget = createBudget(defaultBudgetConfig(4));
  const all = new Claims({ budget, guards, now: () => now, cpusOf: cpus, idleLatencyUs: 0 });
  const tokens = () => budget.snapshot(now).find(({ bucket }) => bucket === 'host')?.tokens as number;
  return { all, tokens };
}

it('gives back what was not used, and asks for what was held beyond it', () => {
  const { all, tokens } = claims();
  const full = tokens();
  const early = all.open(claimant, undefined, 'early', 10_000, 'hinted') as Claim;
  now += 4000;
  expect(all.drop(early)).toBe(now);
  const weight = early.hold.weight;
  expect(weight).toBeGreaterThan(0);
  // 0.16 tokens a millisecond are refilled meanwhile, up to what it holds.
  expect(full - tokens()).toBeLessThanOrEqual(4 * weight);
  expect(full - tokens()).toBeGreaterThan(3 * weight);
  now += 60e6;
  const late = all.open(claimant, undefined, 'late', 10_000, 'hinted') as Claim;
  now += 30_000;
  expect(all.drop(late)).toBe(now);
  expect(full - tokens()).toBeGreaterThan(24 * weight);
});

it('owes for no longer than the guardian lets a stopped hostd hold anything', () => {
  const { all, tokens } = claims();
  const claim = all.open(claimant, undefined, 'stopped', 10_000, 'hinted') as Claim;
  const before = tokens();
  now += HOUR_US;
  expect(all.drop(claim)).toBe(claim.paidUntil + 1e6);
  // Of the hour's refill nothing was kept: the bucket was nearly full.
  expect(before - tokens()).toBeLessThan(1010 * claim.hold.weight);
  expect(guards.leases()).toEqual([]);
});

it('a lease outlives what is paid for by 20 ms, and each payment moves its end', () => {
  const { all } = claims();
  const claim = all.open(claimant, undefined, 'one', 10_000, 'hinted') as Claim;
  const expiry = () => guards.leases()[0]?.expiresAt;
  expect(claim.paidUntil).toBe(now + 10_000);
  expect(expiry()).toBe(now + 30_000);
  now += 10_000;
  expect(all.extend(claim, now + 5000)).toBeUndefined();
  expect(claim.paidUntil).toBe(now + 5000);
  expect(expiry()).toBe(now + 25_000);
  all.drop(claim);
});

it('pays for nothing that is not held', () => {
  let cpus: number[] = [];
  const { all, tokens } = claims(() => cpus);
  const full = tokens();
  // A CPU that vanishes is noticed when it is written to.
  tree.remove('sys/devices/system/cpu/cpu1/power');
  for (const unheld of [[], [99], [1]]) {
    cpus = unheld;
    expect(all.open(claimant, undefined, 'gone', 10_000, 'hinted')).toBeUndefined();
    expect(tokens()).toBe(full);
  }
  cpus = [0];
  const claim = all.open(claimant, undefined, 'voided', 10_000, 'hinted') as Claim;
  guards.releaseAll();
  const paid = tokens();
  expect(all.extend(claim, now + 20_000)).toBe('lost');
  expect(tokens()).toBe(paid);
  all.drop(claim, now);
  expect(tokens()).toBe(full);
});

it('pays bit by bit out of small buckets, and a millisecond at least', () => {
  const small = (capacity: number) => {
    const limit = { refillPerSecond: 1, capacity };
    const config = { ...defaultBudgetConfig(4), cgroup: limit };
    const budget = createBudget(config);
    return new Claims({ budget, guards, now: () => now, cpusOf: () => [0], idleLatencyUs: 0 });
  };
  const twelve = small(12);
  const claim = twelve.open(claimant, undefined, 'small', 10_000, 'hinted') as Claim;
  expect(claim.paidUntil).toBe(now + 3000);
  now += 3000;
  expect(twelve.extend(claim, now + 20_000)).toBeUndefined();
  expect(claim.paidUntil).toBe(now + 3000);
  twelve.drop(claim);
  const two = small(2);
  const short = two.open(claimant, undefined, 'smaller', 10_000, 'hinted') as Claim;
  expect(short.paidUntil).toBe(now + 1000);
  two.drop(short);
  expect(small(0.5).open(claimant, undefined, 'none', 10_000, 'hinted')).toMatchObject({ granted: false });
});

it('asks for the idle latency that is configured now', () => {
  const { all } = claims();
  const limit = () => tree.get('sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us');
  const claim = all.open(claimant, undefined, 'before', 10_000, 'hinted') as Claim;
  expect(limit()).toBe('n/a');
  all.drop(claim);
  all.idleLatencyUs = 50;
  const next = all.open(claimant, undefined, 'after', 10_000, 'hinted') as Claim;
  expect(limit()).toBe('50');
  all.drop(next);
});
