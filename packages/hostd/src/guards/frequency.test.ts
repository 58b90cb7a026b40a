import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FixtureOptions, type FixtureTree, fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { openKernel } from '../kernel/kernel.ts';
import type { WriteOp } from '../kernel/writer.ts';
import type { GuardConfig } from './choose.ts';
import { createGuardController, type MachineGuards } from './create.ts';
import { FixtureClock } from './fixture-clock.testkit.ts';
import type { GuardEvent } from './guard.ts';
import { loadJournal } from './journal.ts';
import { restore } from './replay.ts';

const dirOf = (policy: number) => `sys/devices/system/cpu/cpufreq/policy${policy}`;
const MIN = `${dirOf(0)}/scaling_min_freq`;
const MAX = `${dirOf(0)}/scaling_max_freq`;
const EPP = `${dirOf(0)}/energy_performance_preference`;
const STATE = (cpu: number, state: number) =>
  `sys/devices/system/cpu/cpu${cpu}/cpuidle/state${state}/disable`;

let tree: FixtureTree;
let dir: string;
let clock: FixtureClock;
let guards: MachineGuards | undefined;
let events: GuardEvent[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-run-'));
  clock = new FixtureClock();
  events = [];
  writes = [];
});

afterEach(() => {
  guards?.close();
  tree[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});

async function guardsOn(machine: FixtureOptions, config: GuardConfig = {}): Promise<MachineGuards> {
  tree = fixtureTree(machine);
  guards = await createGuardController({
    root: tree.root,
    runtimeDir: dir,
    clock,
    guardian: false,
    config: { idle: 'off', scheduler: 'off', ...config },
  });
  guards.onEvent = (event) => events.push(event);
  return guards;
}

const journal = () => [...loadJournal(dir).claims.values()];

let writes: WriteOp[];
const countWrites = { before: () => {}, after: (op: WriteOp) => void writes.push(op) };

const window = (cpus = [0], latencyUs = 50) => ({
  owner: 's1',
  reason: 'test',
  cpus,
  tasks: [],
  latencyUs,
  expiresAt: clock.now() + 600e6,
});

const HWP = {
  scaling_driver: 'intel_pstate',
  scaling_governor: 'powersave',
  energy_performance_preference: 'balance_power',
  energy_performance_available_preferences: 'default performance balance_performance balance_power power',
};

test('a floor of half the highest frequency, from the driver’s table, on the whole shared policy', async () => {
  const hold = (await guardsOn({ policies: [[0, 1]] })).arm(window([1]));
  expect(guards?.guards.map((guard) => guard.id)).toEqual(['frequency.policy']);
  expect(tree.get(MIN)).toBe('1800000');
  expect(guards?.leases()).toMatchObject([{ target: { type: 'policy', policy: 0 }, wanted: '1800000' }]);
  expect(hold.weight).toBeCloseTo((2 * 600) / 1800);
  guards?.release(hold);
  expect(tree.get(MIN)).toBe('1200000');
});

test('each policy of its own: only that of the CPU asked for', async () => {
  (await guardsOn({ policies: [[0], [1]] })).arm(window([1]));
  expect([tree.get(MIN), tree.get(`${dirOf(1)}/scaling_min_freq`)]).toEqual(['1200000', '1800000']);
});

test('hybrid cores: a floor of each policy’s own range, weighted by capacity', async () => {
  const machine = {
    policies: [[0], [1]],
    files: {
      [`${dirOf(1)}/cpuinfo_max_freq`]: '2000000',
      [`${dirOf(1)}/scaling_available_frequencies`]: '2000000 1600000 1000000 600000',
      [`${dirOf(1)}/cpuinfo_min_freq`]: '600000',
      [`${dirOf(1)}/scaling_min_freq`]: '600000',
      'sys/devices/system/cpu/cpu0/cpu_capacity': '1024',
      'sys/devices/system/cpu/cpu1/cpu_capacity': '512',
    },
  };
  const controller = await guardsOn(machine);
  const small = controller.arm(window([1]));
  const big = controller.arm(window([0]));
  expect([tree.get(MIN), tree.get(`${dirOf(1)}/scaling_min_freq`)]).toEqual(['1800000', '1000000']);
  expect(small.weight).toBeLessThan(big.weight);
});

test('a lowered maximum does not lower the floor that is asked for: the kernel clamps by itself', async () => {
  const controller = await guardsOn({ policies: [[0, 1]] });
  const one = controller.arm(window());
  tree.set(MAX, '1500000');
  tree.set(MIN, '1500000');
  const two = controller.arm(window());
  tree.set(MAX, '3000000');
  tree.set(MIN, '1800000');
  controller.release(one);
  controller.release(two);
  expect(tree.get(MIN)).toBe('1200000');
  expect(events.map(({ type }) => type)).toEqual(['armed', 'released']);
});

test('a minimum held down by a lowered maximum may hide a higher one: nothing is written', async () => {
  const controller = await guardsOn({ policies: [[0, 1]] });
  tree.set(MAX, '1500000');
  tree.set(MIN, '1500000');
  const one = controller.arm(window());
  expect(tree.get(MIN)).toBe('1500000');
  tree.set(MAX, '3000000');
  tree.set(MIN, '2400000');
  controller.release(controller.arm(window()));
  controller.release(one);
  expect(tree.get(MIN)).toBe('2400000');
  expect(events).toEqual([]);
});

test('nothing below a floor that is there already', async () => {
  const controller = await guardsOn({ policies: [[0, 1]] });
  tree.set(MIN, '2400000');
  controller.release(controller.arm(window()));
  expect(tree.get(MIN)).toBe('2400000');
});

test('a reading clamped by a lowered maximum is not a foreign writer: the floor is taken back', async () => {
  const hold = (await guardsOn({ policies: [[0, 1]] })).arm(window());
  tree.set(MAX, '1500000');
  tree.set(MIN, '1500000');
  guards?.release(hold);
  expect(tree.get(MIN)).toBe('1200000');
  expect(events.filter((event) => event.type === 'foreign_writer')).toEqual([]);
});

test('another value is a foreign writer', async () => {
  const hold = (await guardsOn({ policies: [[0, 1]] })).arm(window());
  tree.set(MIN, '2400000');
  guards?.release(hold);
  expect(tree.get(MIN)).toBe('2400000');
  expect(events.at(-1)).toMatchObject({ type: 'foreign_writer', found: '2400000', ours: '1800000' });
});

test('with HWP the preference comes before the floor, and says so', async () => {
  const controller = await guardsOn({ policies: [[0], [1]], policy: HWP });
  expect(controller.guards.map((guard) => guard.id)).toEqual(['frequency.preference']);
  expect(controller.availability.find(({ guard }) => guard === 'frequency.policy')).toMatchObject({
    available: true,
    chosen: false,
    reason: expect.stringContaining('frequency.preference comes first'),
  });
  const hold = controller.arm(window());
  expect(tree.get(EPP)).toBe('performance');
  controller.release(hold);
  expect(tree.get(EPP)).toBe('balance_power');
});

test('under the performance governor neither is chosen: one answers EBUSY, the other gains nothing', async () => {
  const policy = { ...HWP, scaling_driver: 'amd-pstate-epp', scaling_governor: 'performance' };
  const controller = await guardsOn({ policies: [[0], [1]], policy });
  expect(controller.mode).toBe('observe');
  const reasons = controller.availability.filter(({ guard }) => guard.startsWith('frequency.'));
  expect(reasons.map(({ available }) => available)).toEqual([false, false, false]);
  expect(reasons[0]?.reason).toContain('EBUSY');
});

test('another governor in mid-lease voids the leases, and the guards are chosen anew', async () => {
  const controller = await guardsOn({ policies: [[0, 1]] });
  controller.arm(window());
  tree.set(`${dirOf(0)}/scaling_governor`, 'performance');
  clock.advance(300_000);
  expect(events).toContainEqual(expect.objectContaining({ type: 'void', reason: 'machine' }));
  expect(tree.get(MIN)).toBe('1200000');
  expect(controller.arm(window()).cpus).toEqual([]);
});

test('idle states that take too long to leave are switched off one by one, where nothing else works', async () => {
  const idle = [
    ['POLL', 0],
    ['C1', 2],
    ['C2', 60],
    ['C3', 400],
  ] as const;
  const controller = await guardsOn({ idle }, { idle: 'idle.state' });
  const states = () => [1, 2, 3].map((state) => tree.get(STATE(1, state)));
  const hold = controller.arm(window([1]));
  expect(hold).toMatchObject({ weight: 1, cpus: [1] });
  expect(states()).toEqual(['0', '1', '1']);
  controller.release(hold);
  expect(states()).toEqual(['0', '0', '0']);
});

/** Guards on a kernel that brings a floor into force later: what was asked for, and the worker's turn. */
async function guardsOnLateKernel() {
  tree = fixtureTree({ policies: [[0, 1]] });
  const { files } = openKernel(tree.root);
  let inForce = tree.get(MIN);
  let request = inForce;
  const tap = {
    before() {},
    after(op: WriteOp) {
      if (op.kind !== 'sysfs') return;
      request = op.value;
      files.write(MIN, inForce);
    },
  };
  const options = { root: tree.root, runtimeDir: dir, clock, guardian: false as const, tap };
  guards = await createGuardController({ ...options, config: { idle: 'off', scheduler: 'off' } });
  guards.onEvent = (event) => events.push(event);
  return {
    controller: guards,
    work() {
      inForce = request;
      tree.set(MIN, inForce);
    },
    get request() {
      return request;
    },
  };
}
const types = () => events.map(({ type }) => type);

test('a floor that is not in force yet is armed, looked at again later, and put back', async () => {
  const kernel = await guardsOnLateKernel();
  const hold = kernel.controller.arm(window());
  expect([hold.cpus, kernel.request, tree.get(MIN)]).toEqual([[0], '1800000', '1200000']);
  expect(journal()).toMatchObject([{ original: '1200000', writes: [{ readBack: undefined }] }]);
  kernel.work();
  clock.advance(300_000);
  expect(journal()).toMatchObject([{ writes: [{ value: '1800000', readBack: '1800000' }] }]);
  kernel.controller.release(hold);
  expect(kernel.request).toBe('1200000');
  expect(types()).toEqual(['armed', 'released']);
});

test('leases in quick succession: our own floor, still in force, is not taken for the original', async () => {
  const kernel = await guardsOnLateKernel();
  // Each turn of the worker, or none, between any two of the steps.
  for (let turns = 0; turns < 2 ** 6; turns++) {
    let step = 0;
    const maybe = () => turns & (1 << step++) && kernel.work();
    for (let i = 0; i < 3; i++) {
      const hold = kernel.controller.arm(window());
      expect([hold.cpus, kernel.request], `turns ${turns.toString(2)}`).toEqual([[0], '1800000']);
      maybe();
      kernel.controller.release(hold);
      expect(kernel.request).toBe('1200000');
      maybe();
    }
    kernel.work();
  }
  expect(new Set(types())).toEqual(new Set(['armed', 'released']));
});

test('killed before its floor was in force: a restore takes the floor back all the same', async () => {
  const kernel = await guardsOnLateKernel();
  kernel.controller.arm(window());
  const { entries } = restore({ root: tree.root, runtimeDir: dir, tap: countWrites });
  expect(entries).toMatchObject([{ outcome: 'already' }]);
  expect(writes).toContainEqual(expect.objectContaining({ target: MIN, value: '1200000' }));
});

test('a driver that takes a value and keeps its own is given up after a time, and said', async () => {
  const kernel = await guardsOnLateKernel();
  kernel.controller.arm(window());
  clock.advance(900_000);
  expect(types()).toEqual(['armed']);
  clock.advance(500_000);
  expect(events.at(-1)).toMatchObject({ type: 'failed', code: 'PREWAKE_GUARD_IGNORED' });
  expect(kernel.controller.arm(window()).cpus).toEqual([]);
  kernel.controller.releaseAll();
  expect(kernel.request).toBe('1200000');
});

test('another tool’s value, set before ours was read back, stays', async () => {
  const kernel = await guardsOnLateKernel();
  const hold = kernel.controller.arm(window());
  tree.set(MIN, '2400000');
  clock.advance(300_000);
  kernel.controller.release(hold);
  expect(tree.get(MIN)).toBe('2400000');
  expect(types()).toEqual(['armed', 'foreign_writer']);
});

test('another governor on any policy voids the leases', async () => {
  const controller = await guardsOn({ policies: [[0], [1]] });
  controller.arm(window([1]));
  tree.set(`${dirOf(1)}/scaling_governor`, 'performance');
  clock.advance(300_000);
  expect(events).toContainEqual(expect.objectContaining({ type: 'void', reason: 'machine' }));
});

test('a state that somebody else has switched off stays off', async () => {
  const controller = await guardsOn({}, { idle: 'idle.state' });
  tree.set(STATE(0, 2), '1');
  controller.release(controller.arm(window([0])));
  expect(tree.get(STATE(0, 2))).toBe('1');
});
