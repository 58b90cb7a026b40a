// Leases on the kernel's own controls: who wins, who keeps out of whose way, and what is there when all are gone.
import assert from 'node:assert/strict';
import { globSync, mkdtempSync } from 'node:fs';
import { release as kernelRelease } from 'node:os';
import { join } from 'node:path';
import {
  createGuardController,
  type GuardId,
  restore,
} from '../../../../packages/hostd/dist/guards/index.js';
import type { CheckSet } from './check.ts';
import { asBefore, look } from './controls.ts';
import { DummyTask } from './dummy-task.ts';
import { eventually } from './eventually.ts';
import { only, wish, withGuards } from './guard-kit.ts';
import { CPU_DIR, monotonicMicros, read, write } from './machine.ts';
import { runTool } from './tool.ts';

const resumeLatency = `${CPU_DIR}/cpu1/power/pm_qos_resume_latency_us`;
const floor = `${CPU_DIR}/cpufreq/policy1/scaling_min_freq`;
const ceiling = `${CPU_DIR}/cpufreq/policy1/scaling_max_freq`;
const online = `${CPU_DIR}/cpu1/online`;
const IDLE_AND_FLOOR = { ...only('idle.cpu'), frequency: 'frequency.policy' } as const;

/** Controls of CPU 1 that another tool may write meanwhile: path, what we hold it with, and what that tool writes. */
const CONTESTED: [guard: GuardId, path: string, foreign: string][] = [
  ['idle.cpu', resumeLatency, '35'],
  ['frequency.policy', floor, '2400000'],
];

export const checks: CheckSet = {
  'two sessions: the stricter wish holds, whoever leaves first': () =>
    withGuards(only('idle.cpu'), ({ guards }) => {
      for (const first of ['loose', 'strict'] as const) {
        const holds = {
          loose: guards.arm(wish({ owner: 's1', cpus: [1], latencyUs: 60 })),
          strict: guards.arm(wish({ owner: 's2', cpus: [1], latencyUs: 10 })),
        };
        assert.equal(read(resumeLatency), '10');
        guards.release(holds[first]);
        assert.equal(read(resumeLatency), first === 'strict' ? '60' : '10');
        guards.releaseOwner(first === 'strict' ? 's1' : 's2');
        assert.equal(read(resumeLatency), '0');
      }
    }),

  'a lease that expires is released': () =>
    withGuards(IDLE_AND_FLOOR, async ({ guards, events }) => {
      guards.arm(wish({ cpus: [1], expiresAt: monotonicMicros() + 300_000 }));
      await eventually('expired', () => events.some((event) => event.type === 'expired'));
      assert.equal(read(resumeLatency), '0');
      await eventually('the floor is gone', () => read(floor) === '1200000');
      assert.deepEqual(guards.leases(), []);
    }),

  'a floor that a lowered maximum clamps is no foreign writer': () =>
    withGuards(only('frequency.policy'), async ({ guards, events }) => {
      const hold = guards.arm(wish({ owner: 's1', cpus: [1] }));
      await eventually('held', () => read(floor) === '1800000');
      try {
        write(ceiling, '1200000');
        await eventually('it reads the effective minimum', () => read(floor) === '1200000');
        write(ceiling, '3000000');
        await eventually('still held', () => read(floor) === '1800000');
        write(ceiling, '1200000');
        await eventually('clamped', () => read(floor) === '1200000');
        const second = guards.arm(wish({ owner: 's2', cpus: [1] }));
        write(ceiling, '3000000');
        await eventually('held, though taken while it was clamped', () => read(floor) === '1800000');
        guards.release(second);
        write(ceiling, '1200000');
        await eventually('clamped again', () => read(floor) === '1200000');
        guards.release(hold); // Released while it is clamped.
      } finally {
        write(ceiling, '3000000');
      }
      await eventually('released', () => read(floor) === '1200000');
      assert.deepEqual(
        events.filter((event) => event.type === 'foreign_writer'),
        [],
      );
    }),

  'the kernel takes a floor above a lowered maximum, and applies it when that is lifted': () =>
    withGuards(only('frequency.policy'), async ({ guards, events }) => {
      try {
        write(ceiling, '1800000');
        write(floor, '1200000');
        await eventually('lowered', () => read(ceiling) === '1800000');
        write(floor, '2400000');
        await eventually('clamped', () => read(floor) === '1800000');
        // What is hidden there is not ours to lose.
        const hold = guards.arm(wish({ cpus: [1] }));
        assert.deepEqual(events, []);
        guards.release(hold);
        write(ceiling, '3000000');
        await eventually('applied', () => read(floor) === '2400000');
        write(floor, '1200000');
        await eventually('low', () => read(floor) === '1200000');
        write(ceiling, '1800000');
        await eventually('lowered', () => read(ceiling) === '1800000');
        const second = guards.arm(wish({ cpus: [1] }));
        await eventually('held at the maximum', () => read(floor) === '1800000');
        guards.release(second);
        await eventually('released', () => read(floor) === '1200000');
      } finally {
        write(floor, '1200000');
        write(ceiling, '3000000');
      }
    }),

  'leases in quick succession: the floor is always the last one wanted, and gone after the last': async ({
    note,
  }) => {
    // The worker that applies a floor runs on the CPU that wrote it, and not before a real-time thread there sleeps.
    using _first = realTime();
    const ROUNDS = 100;
    let stale = 0;
    await withGuards(only('frequency.policy'), async ({ guards, events }) => {
      for (let round = 0; round < ROUNDS; round++) {
        const hold = guards.arm(wish({ cpus: [1] }));
        assert.deepEqual(hold.cpus, [1], `round ${round}: ${JSON.stringify(events.slice(-3))}`);
        if (read(floor) !== '1800000') stale++;
        guards.release(hold);
        if (round % 50 === 49)
          await eventually(`released in round ${round}`, () => read(floor) === '1200000', 5_000);
      }
      const odd = events.filter((event) => event.type !== 'armed' && event.type !== 'released');
      assert.deepEqual(odd, []);
    }).finally(() => write(floor, '1200000'));
    assert.ok(stale > 0, 'the worker was never late');
    note(`${stale} of ${ROUNDS} floors were not yet there when arming returned`);
  },

  'a CPU that goes offline in mid-lease comes back as it was': () =>
    withGuards(IDLE_AND_FLOOR, async ({ guards, events }) => {
      const before = look();
      guards.arm(wish({ cpus: [1] }));
      assert.equal(read(resumeLatency), '50');
      await eventually('held', () => read(floor) === '1800000');
      try {
        write(online, '0');
        await eventually('the lease is void', () => events.some((event) => event.type === 'void'));
        assert.deepEqual(guards.leases(), []);
      } finally {
        write(online, '1');
      }
      await asBefore(before);
      await eventually('the machine is known again', () => {
        const hold = guards.arm(wish({ cpus: [1] }));
        const kinds = guards.leases().map((lease) => lease.guard);
        guards.release(hold);
        return kinds.join() === 'idle.cpu,frequency.policy';
      });
    }),

  'what an offline CPU kept from being restored is restored once it is back': async () => {
    const before = look();
    const runtimeDir = mkdtempSync('/run/prewake-');
    const guards = await createGuardController({ runtimeDir, config: IDLE_AND_FLOOR, guardian: false });
    try {
      guards.arm(wish({ cpus: [1] }));
      await eventually('held', () => read(floor) === '1800000');
      write(online, '0');
      guards.close();
      const early = restore({ runtimeDir });
      assert.equal(early.left.length, 1, 'the floor of an offline CPU can not be reached');
    } finally {
      write(online, '1');
    }
    await eventually('the kernel kept it', () => read(floor) === '1800000');
    assert.deepEqual(restore({ runtimeDir }).left, []);
    await asBefore(before);
  },

  'a frequency driver that is unloaded and loaded again voids the leases': async ({ skip }) => {
    const kernels = join(import.meta.dirname, '../../../../.cache/rig/kernel');
    const pattern = `*/root/lib/modules/${kernelRelease()}/kernel/drivers/cpufreq/acpi-cpufreq.ko*`;
    const module = globSync(pattern, { cwd: kernels })[0];
    if (module === undefined) return skip('the module of this kernel is not in the cache');
    await withGuards(IDLE_AND_FLOOR, async ({ guards, events }) => {
      const before = look();
      guards.arm(wish({ cpus: [1] }));
      await eventually('held', () => read(floor) === '1800000');
      // BusyBox's, which the rig needs anyway: a Debian without a kernel of its own has no kmod.
      runTool('busybox', ['rmmod', 'acpi_cpufreq']);
      try {
        await eventually('the leases are void', () => events.some((event) => event.type === 'void'));
        assert.deepEqual(guards.leases(), []);
        assert.equal(read(resumeLatency), '0');
      } finally {
        runTool('busybox', ['insmod', join(kernels, module)]);
      }
      await asBefore(before);
    });
  },

  '200 random sequences of leases leave the machine as it was': async ({ note }) => {
    const seed = Number(process.env.RIG_SEED || Date.now() % 2 ** 31);
    note(`seed ${seed}`);
    const random = mulberry32(seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    const task = await DummyTask.start();
    const before = look(task.pid);
    let steps = 0;
    try {
      const config = {
        ...IDLE_AND_FLOOR,
        scheduler: 'auto',
        timer: 'timer.slack',
        placement: 'placement',
      } as const;
      await withGuards(config, async ({ guards, events }) => {
        for (let sequence = 0; sequence < 200; sequence++) {
          const holds = new Map<
            ReturnType<typeof guards.arm>,
            { cpus: number[]; latencyUs: number; owner: string }
          >();
          for (let step = 2 + random() * 4; step > 0; step--, steps++) {
            const choice = random();
            if (choice < 0.55 || holds.size === 0) {
              const want = {
                owner: pick(['s1', 's2', 's3']),
                cpus: pick([[0], [1], [0, 1], []]),
                latencyUs: pick([0, 5, 20, 60, 200]),
              };
              holds.set(guards.arm(wish({ ...want, tasks: random() < 0.3 ? [task.ref] : [] })), want);
            } else if (choice < 0.85) {
              const hold = pick([...holds.keys()]);
              guards.release(hold);
              holds.delete(hold);
            } else if (choice < 0.95) {
              const owner = pick(['s1', 's2', 's3']);
              guards.releaseOwner(owner);
              for (const [hold, want] of holds) if (want.owner === owner) holds.delete(hold);
            } else {
              guards.extend(pick([...holds.keys()]), monotonicMicros() + 900e6);
            }
            for (const cpu of [0, 1]) {
              const wants = [...holds.values()].filter((want) => want.cpus.includes(cpu));
              const least = Math.min(...wants.map((want) => want.latencyUs));
              // C1 takes 2 µs to leave: anything stricter is polling.
              const expected = wants.length === 0 ? '0' : least < 2 ? 'n/a' : String(least);
              assert.equal(
                read(`${CPU_DIR}/cpu${cpu}/power/pm_qos_resume_latency_us`),
                expected,
                `seed ${seed}`,
              );
              const khz = wants.length === 0 ? '1200000' : '1800000';
              await eventually(
                () => `a floor of ${khz} under CPU ${cpu}; seed ${seed}; ${JSON.stringify(events.slice(-3))}`,
                () => read(`${CPU_DIR}/cpufreq/policy${cpu}/scaling_min_freq`) === khz,
                5_000,
              );
            }
          }
          guards.releaseAll();
          await asBefore(before, task.pid, () => `seed ${seed}, sequence ${sequence}`);
        }
        const odd = events.filter((event) => event.type !== 'armed' && event.type !== 'released');
        assert.deepEqual(odd, []);
      });
    } finally {
      await task.end();
    }
    note(`${steps} steps`);
  },
};

for (const [guard, path, foreign] of CONTESTED) {
  checks[`${guard}: another writer's value wins and stays`] = async () => {
    const original = read(path);
    await withGuards(only(guard), async ({ guards, events }) => {
      const foreigners = () => events.filter((event) => event.type === 'foreign_writer');
      const one = guards.arm(wish({ owner: 's1', cpus: [1], latencyUs: 60 }));
      await eventually('held', () => read(path) !== original);
      write(path, foreign);
      // A floor can be seen only once the kernel's worker has applied it.
      await eventually('the foreign value is in force', () => read(path) === foreign);
      const two = guards.arm(wish({ owner: 's2', cpus: [1], latencyUs: 10 }));
      if (guard === 'idle.cpu') {
        assert.equal(read(path), foreign, 'a stricter wish does not write over it');
        assert.equal(foreigners().length, 1);
      }
      guards.release(two);
      guards.release(one);
      assert.equal(read(path), foreign, 'release leaves it alone');
      assert.equal(foreigners().length, 1, 'said once');
      // The claim is gone, not the guard: what is found next is the new original.
      const three = guards.arm(wish({ owner: 's3', cpus: [1], latencyUs: 5 }));
      guards.release(three);
      assert.equal(read(path), foreign);
      assert.equal(foreigners().length, 1);
      write(path, original);
    });
  };
}

/** Until disposed of, this thread goes before all normal ones of its CPU, kernel workers too. */
function realTime(): Disposable {
  const chrt = (...options: string[]) => void runTool('chrt', [...options, String(process.pid)]);
  chrt('--fifo', '--pid', '50');
  return { [Symbol.dispose]: () => chrt('--other', '--pid', '0') };
}

/** A small seeded generator of numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
