// The rig itself: is what the other checks rely on there, and does it take effect? Nothing of Prewake runs here.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckSet } from './check.ts';
import { eventually } from './eventually.ts';
import {
  CPU_DIR,
  dmaLatency,
  idleEntries,
  lowestFrequency,
  pstateCount,
  pstates,
  read,
  sleeper,
  spinner,
  write,
} from './machine.ts';
import { runTool } from './tool.ts';

const policy = (n: number, file: string) => `${CPU_DIR}/cpufreq/policy${n}/${file}`;
const resumeLatency = (cpu: number) => `${CPU_DIR}/cpu${cpu}/power/pm_qos_resume_latency_us`;
const total = (entries: number[]) => entries.reduce((sum, n) => sum + n, 0);

/** Enters idle about 300 times under a limit and returns the entries of POLL, C1, C2, C3. */
async function entries(cpu: number): Promise<number[]> {
  let seen: number[] = [];
  await sleep(50); // One sleep from before the limit may still be under way.
  await eventually('300 idle entries', async () => {
    const more = await idleEntries(cpu, () => sleep(300));
    seen = more.map((n, state) => n + (seen[state] ?? 0));
    return total(seen) > 300;
  });
  return seen;
}

export const checks: CheckSet = {
  'each CPU has a policy of its own with four frequencies': () => {
    for (const cpu of [0, 1]) {
      assert.equal(read(policy(cpu, 'related_cpus')), String(cpu));
      assert.equal(read(policy(cpu, 'scaling_driver')), 'acpi-cpufreq');
      assert.equal(read(policy(cpu, 'scaling_governor')), 'schedutil');
      assert.equal(read(policy(cpu, 'scaling_available_frequencies')), '3000000 2400000 1800000 1200000');
    }
  },

  'idle states are POLL, C1 2 µs, C2 50 µs, C3 400 µs under the menu governor': () => {
    const states = [0, 1, 2, 3].map((state) => {
      const folder = `${CPU_DIR}/cpu1/cpuidle/state${state}`;
      return `${read(`${folder}/name`)} ${read(`${folder}/latency`)}`;
    });
    assert.deepEqual(states, ['POLL 0', 'C1 2', 'C2 50', 'C3 400']);
    assert.equal(read(`${CPU_DIR}/cpuidle/current_governor_ro`), 'menu');
  },

  'a written scaling_min_freq reaches the driver, and is given back': async () => {
    const floor = policy(1, 'scaling_min_freq');
    const original = read(floor);
    using _lowest = await lowestFrequency(1);
    const before = pstateCount(1);
    write(floor, '2400000');
    await eventually('2.4 GHz asked for', () => pstates(1, before).at(-1) === 1);
    write(floor, original);
    await eventually('1.2 GHz asked for again', () => pstates(1, before).at(-1) === 3);
    assert.equal(read(floor), original);
  },

  'schedutil stays above the floor, and a load reaches the highest frequency': async () => {
    const floor = policy(1, 'scaling_min_freq');
    const original = read(floor);
    const lowest = await lowestFrequency(1);
    write(floor, '2400000');
    try {
      const before = pstateCount(1);
      lowest[Symbol.dispose](); // schedutil chooses from here on.
      using _load = spinner(1);
      await eventually('3.0 GHz asked for', () => pstates(1, before).at(-1) === 0);
      const asked = pstates(1, before);
      assert.ok(
        asked.every((state) => state <= 1),
        `asked for: ${asked}`,
      );
    } finally {
      write(floor, original);
    }
  },

  'latency limits bound the idle states that are entered': async ({ note }) => {
    using _load = sleeper(1);
    const seen = async (what: string) => {
      const counts = await entries(1);
      note(`${what}: POLL/C1/C2/C3 entered ${counts.join('/')}`);
      return counts as [number, number, number, number];
    };
    const free = await seen('no limit');
    assert.ok(free[3] > 0, 'C3 is entered without a limit');
    {
      using _held = dmaLatency(20);
      const [, , c2, c3] = await seen('global limit of 20 µs');
      assert.deepEqual([c2, c3], [0, 0]);
    }
    try {
      write(resumeLatency(1), '60');
      const [, , c2, c3] = await seen('60 µs for this CPU');
      assert.equal(c3, 0);
      assert.ok(c2 > 0, 'C2 is within the limit');
      write(resumeLatency(1), 'n/a');
      const [poll, c1, c2na, c3na] = await seen('0 µs for this CPU');
      assert.deepEqual([c1, c2na, c3na], [0, 0, 0]);
      assert.ok(poll > 0);
    } finally {
      write(resumeLatency(1), '0');
    }
    const disable = `${CPU_DIR}/cpu1/cpuidle/state3/disable`;
    try {
      write(disable, '1');
      assert.equal((await seen('state3 disabled'))[3], 0);
    } finally {
      write(disable, '0');
    }
  },

  'the kernel has BTF, cgroup v2, PSI and tracefs': () => {
    for (const path of [
      '/sys/kernel/btf/vmlinux',
      '/sys/fs/cgroup/cgroup.controllers',
      '/proc/pressure/cpu',
      '/sys/kernel/tracing/events/power/cpu_frequency/id',
    ]) {
      assert.ok(existsSync(path), path);
    }
  },

  'fentry attaches and counts': () => {
    const script = 'kfunc:vfs_read /comm == "cat"/ { @ = count(); }';
    const { stdout } = runTool('bpftrace', ['-e', script, '-c', '/bin/cat /etc/hostname'], {
      timeoutMs: 60_000,
    });
    const count = Number(/@: (\d+)/.exec(stdout)?.[1]);
    assert.ok(count > 0, stdout);
  },
};
