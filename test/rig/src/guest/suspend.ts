// Must be the last of a boot: the shared folders (9p over virtio) do not come back from a suspend.
import assert from 'node:assert/strict';
import type { CheckSet } from './check.ts';
import { eventually } from './eventually.ts';
import { only, wish, withGuards } from './guard-kit.ts';
import { lockMemory } from './lock-memory.ts';
import { CPU_DIR, read, write } from './machine.ts';

const resumeLatency = `${CPU_DIR}/cpu1/power/pm_qos_resume_latency_us`;
const floor = `${CPU_DIR}/cpufreq/policy0/scaling_min_freq`;

export const checks: CheckSet = {
  'a lease that was open across a suspend is void, and everything is as before': async ({ note }) => {
    // The kernel's own test of a suspend: everything but the sleep itself, CPU 1 and the clocks included.
    write('/sys/module/suspend/parameters/pm_test_delay', '2');
    write('/sys/power/pm_test', 'core');
    await withGuards({ ...only('idle.cpu'), frequency: 'frequency.policy' }, async ({ guards, events }) => {
      const hold = guards.arm(wish({ cpus: [0, 1] }));
      assert.equal(read(resumeLatency), '50');
      await eventually('held', () => read(floor) === '1800000');
      lockMemory();
      write('/sys/power/state', 'mem');
      await eventually('the lease is void', () => events.some((event) => event.type === 'void'));
      assert.deepEqual(guards.leases(), []);
      guards.release(hold);
      await eventually('restored', () => read(resumeLatency) === '0' && read(floor) === '1200000');
      note(JSON.stringify(events.filter((event) => event.type === 'void')));
      assert.ok(
        events.some((event) => event.type === 'void' && event.reason === 'suspend'),
        JSON.stringify(events),
      );
    });
  },
};
