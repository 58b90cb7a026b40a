import { afterEach, expect, test } from 'vitest';
import { type FixtureOptions, type FixtureTree, fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { openKernel } from '../kernel/kernel.ts';
import { buildGuards } from './build-guards.ts';
import { chooseGuards, type GuardConfig } from './choose.ts';

let tree: FixtureTree | undefined;
afterEach(() => tree?.[Symbol.dispose]());

/** Guards by machine: dry-run, so that it does not depend on who runs the test. */
function choiceOn(machine: FixtureOptions, config?: GuardConfig, change?: (tree: FixtureTree) => void) {
  tree = fixtureTree(machine);
  change?.(tree);
  return chooseGuards(buildGuards(openKernel(tree.root, { dryRun: true })), config);
}

const ids = (choice: ReturnType<typeof choiceOn>) => choice.chosen.map((guard) => guard.id);
const HWP = {
  scaling_driver: 'intel_pstate',
  scaling_governor: 'powersave',
  energy_performance_preference: 'balance_performance',
  energy_performance_available_preferences: 'default performance balance_performance balance_power power',
};

test('a server with acpi-cpufreq: per CPU, floor, slice', () => {
  expect(ids(choiceOn({ policies: [[0], [1]] }))).toEqual([
    'idle.cpu',
    'frequency.policy',
    'scheduler.slice',
  ]);
});

test('a laptop with HWP: per CPU, preference, slice', () => {
  const choice = choiceOn({ policies: [[0], [1]], policy: HWP });
  expect(ids(choice)).toEqual(['idle.cpu', 'frequency.preference', 'scheduler.slice']);
});

test('a guest without cpufreq: idle and slice only, and every refusal has its reason', () => {
  const choice = choiceOn({
    idleDriver: 'haltpoll',
    idle: [
      ['POLL', 0],
      ['haltpoll idle', 1],
    ],
  });
  expect(ids(choice)).toEqual(['idle.cpu', 'scheduler.slice']);
  const reasons = new Map(choice.availability.map(({ guard, reason }) => [guard, reason]));
  expect(reasons.size).toBe(9);
  expect(reasons.get('frequency.policy')).toBe('no cpufreq policy');
  expect(reasons.get('idle.global')).toContain('idle.cpu comes first');
  expect([...reasons.values()].every((reason) => reason.length > 5)).toBe(true);
});

test('idle.state stands in where there is neither a per-CPU nor a global limit', () => {
  const choice = choiceOn({ cpus: 1 }, {}, (machine) => {
    machine.remove('sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us');
    machine.remove('dev/cpu_dma_latency');
  });
  expect(ids(choice)[0]).toBe('idle.state');
});

test('idle.state is no choice under the haltpoll governor, which ignores it', () => {
  const choice = choiceOn({}, { idle: 'idle.state' }, (machine) =>
    machine.set('sys/devices/system/cpu/cpuidle/current_governor', 'haltpoll'),
  );
  expect(ids(choice)).not.toContain('idle.state');
  expect(choice.availability.find(({ guard }) => guard === 'idle.state')?.reason).toContain('ignores');
});

test('uclamp only under schedutil, and after the floor', () => {
  const find = (governor: string) => {
    const files = { 'proc/sys/kernel/sched_util_clamp_min': '1024' };
    const choice = choiceOn({ policies: [[0, 1]], policy: { scaling_governor: governor }, files });
    tree?.[Symbol.dispose]();
    return choice.availability.find(({ guard }) => guard === 'frequency.task');
  };
  expect(find('schedutil')).toMatchObject({ available: true, chosen: false });
  expect(find('ondemand')).toMatchObject({ available: false });
});

test('off and named guards', () => {
  const config: GuardConfig = {
    idle: 'idle.global',
    frequency: 'off',
    scheduler: 'off',
    timer: 'timer.slack',
    placement: 'placement',
  };
  expect(ids(choiceOn({ policies: [[0, 1]] }, config))).toEqual(['idle.global', 'timer.slack', 'placement']);
});

test('the wanted part of the frequency is the configuration’s', () => {
  tree = fixtureTree({ policies: [[0, 1]] });
  const wanted = (capacity: number) =>
    buildGuards(openKernel(tree?.root), { settings: { capacity } })
      .get('frequency.policy')
      ?.wanted({ type: 'policy', policy: 0 }, {} as never);
  expect([0.1, 0.5, 0.61, 1].map(wanted)).toEqual(['1200000', '1800000', '2400000', '3000000']);
});
