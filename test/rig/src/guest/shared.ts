// Both CPUs in one frequency domain: a floor for one is a floor for both, and is held once.
import assert from 'node:assert/strict';
import type { CheckSet } from './check.ts';
import { eventually } from './eventually.ts';
import { only, wish, withGuards } from './guard-kit.ts';
import { CPU_DIR, lowestFrequency, pstateCount, pstates, read, write } from './machine.ts';

const floor = `${CPU_DIR}/cpufreq/policy0/scaling_min_freq`;

export const checks: CheckSet = {
  'both CPUs have one policy': () => {
    assert.equal(read(`${CPU_DIR}/cpufreq/policy0/related_cpus`), '0 1');
    assert.equal(read(`${CPU_DIR}/cpu1/cpufreq/related_cpus`), '0 1');
  },

  'a floor wanted for CPU 1 is held on the shared policy and reaches the driver': async ({ note }) => {
    using _lowest = await lowestFrequency(0);
    await withGuards(only('frequency.policy'), async ({ guards }) => {
      const before = pstateCount(0);
      const hold = guards.arm(wish({ cpus: [1] }));
      assert.deepEqual(
        guards.leases().map((lease) => lease.target),
        [{ type: 'policy', policy: 0 }],
      );
      await eventually('held', () => read(floor) === '1800000');
      await eventually('1.8 GHz asked for', () => pstates(0, before).at(-1) === 2);
      guards.release(hold);
      await eventually('1.2 GHz asked for again', () => pstates(0, before).at(-1) === 3);
      note(`the driver was asked for P-states ${pstates(0, before).join(' ')}`);
    });
  },

  'it is held until the last of both CPUs is released, and written once': async () => {
    await withGuards(only('frequency.policy'), async ({ guards, events }) => {
      const zero = guards.arm(wish({ owner: 's1', cpus: [0] }));
      const one = guards.arm(wish({ owner: 's2', cpus: [1] }));
      const both = guards.arm(wish({ owner: 's3', cpus: [0, 1] }));
      guards.release(zero);
      guards.release(both);
      await eventually('held', () => read(floor) === '1800000');
      guards.release(one);
      await eventually('released', () => read(floor) === '1200000');
      assert.deepEqual(
        events.map((event) => event.type),
        ['armed', 'released'],
      );
    });
  },

  'it outlives the CPU that it was wanted for': async () => {
    await withGuards(only('frequency.policy'), async ({ guards, events }) => {
      guards.arm(wish({ cpus: [1] }));
      try {
        write(`${CPU_DIR}/cpu1/online`, '0');
        await eventually('the lease is void', () => events.some((event) => event.type === 'void'));
        // The policy is still there, by CPU 0.
        await eventually('restored', () => read(floor) === '1200000');
      } finally {
        write(`${CPU_DIR}/cpu1/online`, '1');
      }
      await eventually('still restored', () => read(floor) === '1200000');
    });
  },
};
