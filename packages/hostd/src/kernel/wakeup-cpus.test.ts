import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { allowedCpus } from './affinity.ts';
import { lastCpuOf } from './threads.ts';
import { WakeupCpus } from './wakeup-cpus.ts';

const [first = 0, second] = allowedCpus(0);

/** Asleep, where it was started: on the first CPU. */
let sleeper: ChildProcess;
let pid: number;
beforeEach(async () => {
  sleeper = spawn('taskset', ['-c', String(first), 'sleep', '600']);
  await once(sleeper, 'spawn');
  pid = sleeper.pid as number;
  await expect.poll(() => readFileSync(`/proc/${pid}/wchan`, 'latin1')).toMatch(/nanosleep/);
});
afterEach(() => sleeper.kill('SIGKILL'));

const move = (cpus: string) => execFileSync('taskset', ['-pc', cpus, String(pid)]);
const nowhere = { lastCpu: () => ({ home: -1, completion: -1 }) };

it('home comes first, then where the last completion was handled, if that is another CPU', () => {
  const at = (home: number, completion: number) =>
    new WakeupCpus({ lastCpu: () => ({ home, completion }) }).of(pid, pid, 0, false);
  expect(at(3, 5)).toEqual([3, 5]);
  expect(at(3, 3)).toEqual([3]);
  expect(at(3, -1)).toEqual([3]);
  // What is not known at once is read, and that of a thread that is gone is nowhere.
  expect(at(-1, 5)).toEqual([...new Set([first, 5])]);
  expect(new WakeupCpus(nowhere).of(pid, 2 ** 22 + 1, 0, false)).toEqual([]);
});

it('a thread that was moved off its CPU in its sleep is awaited where it may run', (ctx) => {
  if (second === undefined) ctx.skip('one CPU');
  const cpus = new WakeupCpus(nowhere);
  expect(cpus.of(pid, pid, 0, true)).toEqual([first]);
  move(`${first},${second}`);
  expect(cpus.of(pid, pid, 0, true)).toEqual([first]);
  move(String(second));
  // It sleeps on, and where it last ran is where it was.
  expect(lastCpuOf(pid)).toBe(first);
  expect(cpus.of(pid, pid, 0, true)).toEqual([second]);
  expect(cpus.of(pid, pid, 0, false)).toEqual([first]);
  const completion = new WakeupCpus({ lastCpu: () => ({ home: first, completion: first }) });
  expect(completion.of(pid, pid, 0, true)).toEqual([second, first]);
});

it('where a thread may wake on several CPUs, and on none that it ran on, nobody knows where', (ctx) => {
  if (second === undefined) ctx.skip('one CPU');
  const elsewhere = new WakeupCpus({ lastCpu: () => ({ home: 4096, completion: first }) });
  move(`${first},${second}`);
  expect(elsewhere.of(pid, pid, 0, true)).toEqual([]);
});

it('a thread that is gone is awaited nowhere, wherever it was', async () => {
  const there = new WakeupCpus({ lastCpu: () => ({ home: first, completion: -1 }) });
  sleeper.kill('SIGKILL');
  await once(sleeper, 'close');
  expect(there.of(pid, pid, 0, true)).toEqual([]);
});
