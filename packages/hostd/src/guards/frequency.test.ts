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
  expect(guards?.isArmed(0)).toBe(true);
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

test('never above the maximum of now, and nothing below a floor that is there already', async () => {
  const controller = await guardsOn({ policies: [[0, 1]] });
  tree.set(MAX, '1500000');
  controller.release(controller.arm(window()));
  expect(events.find((event) => event.type === 'armed')).toMatchObject({ value: '1500000' });
  tree.set(MAX, '3000000');
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
  expect(controller.isArmed(1)).toBe(true);
  controller.release(hold);
  expect(states()).toEqual(['0', '0', '0']);
});

test('a driver that takes a value and keeps its own is given up, and said', async () => {
  const controller = await guardsOn({ policies: [[0, 1]] });
  const { files } = openKernel(tree.root);
  const tap = {
    before() {},
    after: (op: WriteOp) => op.kind === 'sysfs' && op.value !== '1200000' && files.write(MIN, '1200000'),
  };
  controller.close();
  guards = await createGuardController({
    root: tree.root,
    runtimeDir: dir,
    clock,
    guardian: false,
    config: { idle: 'off', scheduler: 'off' },
    tap,
  });
  guards.onEvent = (event) => events.push(event);
  expect(guards.arm(window())).toMatchObject({ weight: 0, cpus: [] });
  expect(events[0]).toMatchObject({ type: 'failed', code: 'PREWAKE_GUARD_IGNORED' });
  expect(guards.isArmed(0)).toBe(false);
  expect(tree.get(MIN)).toBe('1200000');
});

test('a state that somebody else has switched off stays off', async () => {
  const controller = await guardsOn({}, { idle: 'idle.state' });
  tree.set(STATE(0, 2), '1');
  controller.release(controller.arm(window([0])));
  expect(tree.get(STATE(0, 2))).toBe('1');
});
