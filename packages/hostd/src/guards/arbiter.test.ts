import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FixtureTree, fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { type Kernel, openKernel } from '../kernel/kernel.ts';
import { Arbiter } from './arbiter.ts';
import type { Guard, Target } from './guard.ts';
import { IdleCpuGuard } from './idle-cpu.ts';
import { IdleStateGuard } from './idle-state.ts';
import { Journal } from './journal.ts';
import { type Claim, claimKey } from './journal-format.ts';

/** The real guards, which say what they tell. */
class Telling extends IdleCpuGuard {
  readonly told: Target[] = [];
  override kick(target: Target): void {
    this.told.push(target);
  }
}
class TellingStates extends IdleStateGuard {
  readonly told: Target[] = [];
  override kick(target: Target): void {
    this.told.push(target);
  }
}

let tree: FixtureTree;
let dir: string;
let kernel: Kernel;
beforeEach(() => {
  tree = fixtureTree();
  dir = mkdtempSync(join(tmpdir(), 'prewake-arbiter-'));
  kernel = openKernel(tree.root);
});
afterEach(() => {
  kernel.close();
  tree[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});

const arbiterOn = () =>
  new Arbiter({
    journal: new Journal(dir, { bootId: 'b', pid: 7, startTime: '99' }, kernel.writer),
    now: () => 1,
    emit: () => {},
    onPending: () => {},
  });
const control = (guard: Guard, target: Target) => ({ key: claimKey(guard.id, target), guard, target });
const cpu = (cpu: number): Target => ({ type: 'cpu', cpu });

test('a CPU is told of a value that was written, once, and not where the task runs', () => {
  const guard = new Telling(kernel);
  guard.probe();
  const arbiter = arbiterOn();
  const [awake, asleep] = [control(guard, cpu(0)), control(guard, cpu(1))];
  expect(arbiter.want(awake, 1, 'n/a', false)).toBe(true);
  expect(guard.read(awake.target)).toBe('n/a');
  arbiter.kick();
  expect(guard.told).toEqual([]);
  for (const id of [2, 3]) expect(arbiter.want(asleep, id, 'n/a', true)).toBe(true);
  expect(guard.told).toEqual([]);
  arbiter.kick();
  arbiter.kick();
  expect(guard.told).toEqual([asleep.target]);
});

test('a CPU that had not to be told at first is told with the first want that asks for it', () => {
  const guard = new Telling(kernel);
  guard.probe();
  const arbiter = arbiterOn();
  const one = control(guard, cpu(0));
  arbiter.want(one, 1, '50', false);
  for (const id of [2, 3]) {
    arbiter.want(one, id, '50', true);
    arbiter.kick();
  }
  expect(guard.told).toEqual([cpu(0)]);
  // A stricter one is news again; that it is over is none.
  arbiter.want(one, 4, 'n/a', true);
  arbiter.kick();
  arbiter.drop(one, 4);
  arbiter.want(one, 5, '50', true);
  arbiter.kick();
  expect(guard.told).toEqual([cpu(0), cpu(0)]);
});

test('nobody is told of a limit that was there before', () => {
  tree.set('sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us', '10');
  const guard = new Telling(kernel);
  guard.probe();
  const arbiter = arbiterOn();
  expect(arbiter.want(control(guard, cpu(0)), 1, '50', true)).toBe(true);
  arbiter.kick();
  expect(guard.told).toEqual([]);
});

test('a CPU is told once of its states, also where the deepest was off before', () => {
  tree[Symbol.dispose]();
  tree = fixtureTree({
    idle: [
      ['POLL', 0],
      ['C1', 2],
      ['C3', 400],
      ['C6', 800],
      ['C8', 900],
    ],
    files: { 'sys/devices/system/cpu/cpu1/cpuidle/state4/disable': '1' },
  });
  kernel.close();
  kernel = openKernel(tree.root);
  const guard = new TellingStates(kernel);
  guard.probe();
  const arbiter = arbiterOn();
  const window = { owner: 's', reason: '', cpus: [0, 1], tasks: [], latencyUs: 50, expiresAt: 9 };
  for (const target of guard.targets(window)) arbiter.want(control(guard, target), 1, '1', true);
  arbiter.kick();
  expect(guard.told).toEqual([
    { type: 'idle_state', cpu: 0, state: 4 },
    { type: 'idle_state', cpu: 1, state: 3 },
  ]);
});

test('a claim that is armed again before it was put back is ours by any write that it may still hold', () => {
  const kernel = openKernel(tree.root);
  const guard = new IdleCpuGuard(kernel);
  guard.probe();
  const target: Target = { type: 'cpu', cpu: 1 };
  const limit = 'sys/devices/system/cpu/cpu1/power/pm_qos_resume_latency_us';
  tree.set(limit, 'n/a');
  // Its writer died between the last intent and the write.
  const writes = [
    { value: 'n/a', readBack: 'n/a' },
    { value: '50', readBack: undefined },
  ];
  const claim: Claim = { guard: 'idle.cpu', target, original: '0', writes };
  const arbiter = new Arbiter({
    journal: new Journal(dir, { bootId: 'b', pid: 7, startTime: '99' }, kernel.writer, [claim]),
    now: () => 1,
    emit: () => {},
    onPending: () => {},
  });
  const control = { key: claimKey(guard.id, target), guard, target };
  try {
    arbiter.adopt(guard, claim);
    expect(arbiter.want(control, 1, 'n/a', false)).toBe(true);
    arbiter.drop(control, 1);
    expect(tree.get(limit)).toBe('0');
  } finally {
    kernel.close();
  }
});
