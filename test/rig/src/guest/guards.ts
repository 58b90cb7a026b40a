// Every guard against the kernel's own code: what it writes, what that does, and that it is gone after.
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuardId, Hold } from '../../../../packages/hostd/dist/guards/index.js';
import type { CheckContext, CheckSet } from './check.ts';
import { look, taskControls } from './controls.ts';
import { DummyTask } from './dummy-task.ts';
import { eventually } from './eventually.ts';
import { only, wish, withGuards } from './guard-kit.ts';
import {
  CPU_DIR,
  idleEntries,
  idleUsage,
  lowestFrequency,
  pstateCount,
  pstates,
  read,
  sleeper,
  write,
} from './machine.ts';

const resumeLatency = (cpu: number) => read(`${CPU_DIR}/cpu${cpu}/power/pm_qos_resume_latency_us`);
const floor = `${CPU_DIR}/cpufreq/policy1/scaling_min_freq`;

/** Entries of POLL, C1, C2, C3 in a stretch with at least 200, once what was under way is over. */
async function entered(cpu: number): Promise<[number, number, number, number]> {
  await sleep(50);
  const seen = [0, 0, 0, 0];
  await eventually('200 idle entries', async () => {
    const more = await idleEntries(cpu, () => sleep(200));
    for (const [state, n] of more.entries()) seen[state] = (seen[state] ?? 0) + n;
    return seen.reduce((sum, n) => sum + n, 0) > 200;
  });
  return seen as [number, number, number, number];
}

async function unavailable(id: GuardId, { skip }: CheckContext): Promise<void> {
  await withGuards({ ...only('idle.cpu'), frequency: id }, ({ guards }) => {
    const found = guards.availability.find((one) => one.guard === id);
    assert.equal(found?.available, false, found?.reason);
    guards.arm(wish({ cpus: [1] }));
    assert.deepEqual(
      guards.leases().map((lease) => lease.guard),
      ['idle.cpu'],
    );
    skip(`this kernel has none: ${found?.reason}`);
  });
}

async function holdsTask(
  id: GuardId,
  name: string,
  value: string | RegExp,
  { note }: CheckContext,
): Promise<void> {
  const task = await DummyTask.start();
  try {
    await withGuards(only(id), async ({ guards }) => {
      const before = taskControls(task.pid);
      const hold = guards.arm(wish({ cpus: [1], tasks: [task.ref] }));
      assert.match(taskControls(task.pid)[name] ?? '', new RegExp(value));
      await task.fork();
      note(`${name}: ${before[name]}, held ${taskControls(task.pid)[name]}`);
      guards.release(hold);
      const after = look(task.pid);
      for (const [control, was] of Object.entries(before)) {
        assert.equal(after[`task ${control}`], was, control);
        assert.equal(after[`descendant 1 ${control}`], was, `${control} of a child forked while it was held`);
      }
    });
  } finally {
    await task.end();
  }
}

export const checks: CheckSet = {
  'idle.cpu: the CPU stays out of states deeper than asked for, and others do not': async ({ note }) => {
    using _load = sleeper(1);
    await withGuards(only('idle.cpu'), async ({ guards }) => {
      const hold = guards.arm(wish({ cpus: [1], latencyUs: 60 }));
      assert.deepEqual(hold.cpus, [1]);
      assert.deepEqual([resumeLatency(0), resumeLatency(1)], ['0', '60']);
      const held = await entered(1);
      note(`60 µs: POLL/C1/C2/C3 entered ${held.join('/')}`);
      assert.equal(held[3], 0);
      assert.ok(held[2] > 0);
      guards.release(hold);
      assert.equal(resumeLatency(1), '0');
      const free = await entered(1);
      note(`released: ${free.join('/')}`);
      assert.ok(free[3] > 0);
    });
  },

  'idle.cpu: polls only where no idle state meets the limit': async ({ note }) => {
    using _load = sleeper(1);
    await withGuards(only('idle.cpu'), async ({ guards }) => {
      const loose = guards.arm(wish({ cpus: [1], latencyUs: 2 }));
      assert.equal(resumeLatency(1), '2');
      const [, , c2, c3] = await entered(1);
      assert.deepEqual([c2, c3], [0, 0]);
      guards.release(loose);
      guards.arm(wish({ cpus: [1], latencyUs: 1 }));
      assert.equal(resumeLatency(1), 'n/a');
      const polling = await entered(1);
      note(`0 µs: POLL/C1/C2/C3 entered ${polling.join('/')}`);
      assert.deepEqual(polling.slice(1), [0, 0, 0]);
    });
  },

  'idle.cpu: a CPU that sleeps is told of its new limit': async ({ note }) => {
    const TRIALS = 20;
    const usage = idleUsage(1).map((_, state) =>
      openSync(`${CPU_DIR}/cpu1/cpuidle/state${state}/usage`, 'r'),
    );
    const limit = openSync(`${CPU_DIR}/cpu1/power/pm_qos_resume_latency_us`, 'r+');
    const digits = Buffer.alloc(32);
    // Opening a file or closing it may itself end in a wakeup of CPU 1, by RCU.
    const exits = () =>
      usage.reduce(
        (sum, fd) => sum + Number(digits.toString('latin1', 0, readSync(fd, digits, 0, 32, 0))),
        0,
      );
    const leaves = async (change: () => void) => {
      await sleep(12);
      const before = exits();
      change();
      await sleep(6);
      return exits() > before ? 1 : 0;
    };
    await withGuards(only('idle.cpu'), async ({ guards }) => {
      // CPU 1 leaves its idle state by itself too, at times: so batches of both, until one tells them apart.
      const batch = async () => {
        let told = 0;
        let byWriteAlone = 0;
        for (let i = 0; i < TRIALS; i++) {
          let hold: Hold | undefined;
          told += await leaves(() => {
            hold = guards.arm(wish({ cpus: [1], latencyUs: 60 }));
          });
          guards.release(hold as Hold);
          byWriteAlone += await leaves(() => writeSync(limit, '60', 0));
          writeSync(limit, '0', 0);
        }
        note(`CPU 1 left its idle state in ${told} of ${TRIALS}; by the write alone in ${byWriteAlone}`);
        return told >= TRIALS * 0.9 && byWriteAlone <= TRIALS * 0.6;
      };
      await eventually('a CPU that is told leaves, and one that is not stays', batch, 60_000);
    });
    for (const fd of [limit, ...usage]) closeSync(fd);
  },

  'idle.global: all CPUs stay out of deep states while it is held': async ({ note }) => {
    using _one = sleeper(0);
    using _two = sleeper(1);
    await withGuards(only('idle.global'), async ({ guards }) => {
      const hold = guards.arm(wish({ cpus: [1], latencyUs: 20 }));
      assert.equal(look().cpu_dma_latency, '20');
      for (const cpu of [0, 1]) {
        const held = await entered(cpu);
        note(`CPU ${cpu}, 20 µs: POLL/C1/C2/C3 entered ${held.join('/')}`);
        assert.deepEqual(held.slice(2), [0, 0]);
      }
      guards.release(hold);
      assert.equal(look().cpu_dma_latency, '2000000000');
      assert.ok((await entered(1))[3] > 0);
    });
  },

  'idle.state: states deeper than asked for are switched off, and on again': async ({ note }) => {
    using _load = sleeper(1);
    await withGuards(only('idle.state'), async ({ guards }) => {
      const hold = guards.arm(wish({ cpus: [1], latencyUs: 60 }));
      assert.equal(read(`${CPU_DIR}/cpu1/cpuidle/state3/disable`), '1');
      assert.equal(read(`${CPU_DIR}/cpu1/cpuidle/state2/disable`), '0');
      const held = await entered(1);
      note(`60 µs: POLL/C1/C2/C3 entered ${held.join('/')}`);
      assert.equal(held[3], 0);
      guards.release(hold);
      assert.ok((await entered(1))[3] > 0);
    });
  },

  'frequency.policy: the floor reaches the driver, and is gone after': async ({ note }) => {
    using _lowest = await lowestFrequency(1);
    await withGuards(only('frequency.policy'), async ({ guards }) => {
      const before = pstateCount(1);
      const other = pstateCount(0);
      const hold = guards.arm(wish({ cpus: [1] }));
      await eventually('held', () => read(floor) === '1800000');
      await eventually('1.8 GHz asked for', () => pstates(1, before).at(-1) === 2);
      guards.release(hold);
      await eventually('1.2 GHz asked for again', () => pstates(1, before).at(-1) === 3);
      note(`CPU 1's driver was asked for P-states ${pstates(1, before).join(' ')}`);
      assert.equal(read(`${CPU_DIR}/cpufreq/policy0/scaling_min_freq`), '1200000');
      note(`CPU 0's for ${pstates(0, other).join(' ') || 'none'} meanwhile, by its governor`);
    });
  },

  'frequency.policy: a floor that is higher already stays, and nothing is written': async () => {
    write(floor, '2400000');
    await eventually('in force', () => read(floor) === '2400000');
    try {
      await withGuards(only('frequency.policy'), ({ guards, events }) => {
        const hold = guards.arm(wish({ cpus: [1] }));
        assert.equal(read(floor), '2400000');
        assert.deepEqual(events, []);
        guards.release(hold);
        assert.equal(read(floor), '2400000');
      });
    } finally {
      write(floor, '1200000');
    }
  },

  'frequency.preference': (context) => unavailable('frequency.preference', context),
  'frequency.task (uclamp)': (context) => unavailable('frequency.task', context),

  'scheduler.slice: a shorter slice or nice, given back to descendants too': (context) => {
    const hasSlice = /slice [1-9]/.test(taskControls(process.pid).sched_attr ?? '');
    return holdsTask('scheduler.slice', 'sched_attr', hasSlice ? /slice 300013$/ : /nice -5 /, context);
  },

  'timer.slack: held, and given back to descendants too': (context) =>
    holdsTask('timer.slack', 'timerslack_ns', /^1013$/, context),

  'placement: held, and given back to descendants too': (context) =>
    holdsTask('placement', 'cpus', /^1$/, context),
};
