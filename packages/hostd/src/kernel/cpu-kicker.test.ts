import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { allowedCpus, setAllowedCpus } from './affinity.ts';
import { CpuKicker } from './cpu-kicker.ts';
import { errorCode } from './libc.ts';
import { KernelWriter } from './writer.ts';

const threads = () => new Set(readdirSync('/proc/self/task').map(Number));
const started = (before: ReadonlySet<number>) => [...threads()].filter((tid) => !before.has(tid));

/** How often a thread has gone to sleep. */
function sleeps(tid: number): number {
  const status = readFileSync(`/proc/self/task/${tid}/status`, 'latin1');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}

const cpus = allowedCpus(0);
const runOn = (wanted: readonly number[]) => setAllowedCpus(new KernelWriter(), 0, wanted);
afterEach(() => runOn(cpus));

test.skipIf(cpus.length < 2)(
  `a kick runs a thread on the CPU that is kicked${cpus.length < 2 ? ' [one CPU]' : ''}`,
  async () => {
    const kicker = new CpuKicker();
    const tids: number[] = [];
    for (const cpu of cpus) {
      // Where this thread runs no kick is due, and it may be moved between any two lines.
      runOn(cpus.filter((other) => other !== cpu));
      const before = threads();
      kicker.kick(cpu);
      const pinned = started(before).filter((tid) => allowedCpus(tid).join() === String(cpu));
      expect(pinned).toHaveLength(1);
      const tid = pinned[0] as number;
      tids.push(tid);
      const slept = sleeps(tid);
      for (let kicks = 0; kicks < 20; kicks++) {
        const had = sleeps(tid);
        kicker.kick(cpu);
        await expect.poll(() => sleeps(tid), { timeout: 10_000, interval: 1 }).toBeGreaterThan(had);
      }
      // For a moment, by a timer (which may have expired before the thread is off the CPU), and then until the next kick.
      await expect.poll(() => sleeps(tid), { timeout: 10_000, interval: 1 }).toBeGreaterThan(slept + 20);
    }
    kicker.close();
    expect(tids.filter((tid) => threads().has(tid))).toEqual([]);
  },
);

test('where the caller runs, no thread is woken', () => {
  const kicker = new CpuKicker();
  const before = threads();
  for (const cpu of cpus) {
    runOn([cpu]);
    kicker.kick(cpu);
  }
  kicker.close();
  expect(started(before)).toEqual([]);
});

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
