import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { allowedCpus } from './affinity.ts';
import { CpuKicker } from './cpu-kicker.ts';
import { errorCode, libc } from './libc.ts';

const threads = () => new Set(readdirSync('/proc/self/task').map(Number));
const started = (before: ReadonlySet<number>) => [...threads()].filter((tid) => !before.has(tid));

/** How often a thread has gone to sleep. */
function sleeps(tid: number): number {
  const status = readFileSync(`/proc/self/task/${tid}/status`, 'latin1');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}

const cpus = allowedCpus(0);
const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

test.skipIf(cpus.length < 2)(
  `a kick runs a thread on the CPU that is kicked${cpus.length < 2 ? ' [one CPU]' : ''}`,
  async () => {
    const kicker = new CpuKicker();
    const pinned = new Map<number, number>();
    for (const cpu of cpus) {
      const known = threads();
      // Where this thread runs no kick is due: it is moved until one is.
      for (let i = 0; i < 1000 && started(known).length === 0; i++) {
        kicker.kick(cpu);
        if (started(known).length === 0) pause(1);
      }
      const own = started(known).filter((tid) => allowedCpus(tid).join() === String(cpu));
      if (own.length === 1) pinned.set(cpu, own[0] as number);
    }
    expect(pinned.size).toBeGreaterThan(0);
    for (const [cpu, tid] of pinned) {
      let kicks = 0;
      const slept = sleeps(tid);
      for (let i = 0; i < 1000 && kicks < 20; i++) {
        if (libc().sched_getcpu() === cpu) pause(1);
        else {
          const had = sleeps(tid);
          kicker.kick(cpu);
          await expect.poll(() => sleeps(tid), { timeout: 10_000, interval: 1 }).toBeGreaterThan(had);
          kicks++;
        }
      }
      // For a moment, by a timer (which may have expired before the thread is off the CPU), and then until the next kick.
      if (kicks === 20)
        await expect.poll(() => sleeps(tid), { timeout: 10_000, interval: 1 }).toBeGreaterThan(slept + kicks);
    }
    kicker.close();
    expect([...pinned.values()].filter((tid) => threads().has(tid))).toEqual([]);
  },
);

test('a CPU that is not there: EINVAL, said once', () => {
  const kicker = new CpuKicker();
  const before = threads();
  try {
    kicker.kick(4000);
    expect.unreachable();
  } catch (error) {
    expect(errorCode(error)).toBe('EINVAL');
  }
  expect(started(before)).toEqual([]);
  expect(() => kicker.kick(4000)).not.toThrow();
  kicker.close();
});
