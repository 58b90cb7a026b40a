import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { schedGetAttr } from '../kernel/sched-attr.ts';
import {
  type ChildHostd,
  type ChildWishes,
  runs,
  startChildHostd,
  stopped,
  until,
} from './child-hostd.testkit.ts';
import { startSleeper } from './child-sleeper.testkit.ts';
import { restore } from './replay.ts';

// Every write of an arm, a re-arbitration and a release, found by a first run, and a signal on each side of it.
const CPU = 'sys/devices/system/cpu';
const CONTROLS = [
  `${CPU}/cpu0/power/pm_qos_resume_latency_us`,
  `${CPU}/cpu1/power/pm_qos_resume_latency_us`,
  `${CPU}/cpufreq/policy0/scaling_min_freq`,
];

interface Point {
  at: number;
  when: 'before' | 'after';
}

/** A machine, a thread and a runtime directory of its own, so that points can be tried side by side. */
async function bench() {
  const tree = fixtureTree({ policies: [[0, 1]] });
  const dir = mkdtempSync(join(tmpdir(), 'prewake-run-'));
  const sleeper = await startSleeper();
  const { task } = sleeper;
  const windows = [
    { cpus: [1], latencyUs: 50, tasks: [task], owner: 's1' },
    { cpus: [1], latencyUs: 5, owner: 's2' },
  ];
  return {
    look: () => JSON.stringify([...CONTROLS.map((path) => tree.get(path)), schedGetAttr(task.tid)]),
    restore: () => restore({ root: tree.root, runtimeDir: dir }),
    /** Arms, and releases by closing. */
    start: async (kill: ChildWishes['kill'], guardian?: false): Promise<ChildHostd> => {
      const options = guardian === undefined ? {} : { guardian };
      const child = await startChildHostd({
        root: tree.root,
        runtimeDir: dir,
        windows,
        ...(kill && { kill }),
        ...options,
      });
      child.process.stdin?.end();
      return child;
    },
    end() {
      sleeper.end();
      tree[Symbol.dispose]();
      rmSync(dir, { recursive: true });
    },
  };
}

const over = ({ process: { exitCode, signalCode } }: ChildHostd) => exitCode !== null || signalCode !== null;

/** A first run that nobody disturbs says what there is to disturb. */
async function everyPoint(): Promise<{ points: Point[]; writes: unknown[] }> {
  const machine = await bench();
  const child = await machine.start({ at: 0, when: 'after' }, false);
  await until(() => over(child));
  machine.end();
  const writes = child.said.filter((message) => message.write);
  expect([...new Set(writes.map(({ kind }) => kind))].sort()).toEqual(['journal', 'sched_setattr', 'sysfs']);
  const points = writes.flatMap((_, i): Point[] => [
    { at: i + 1, when: 'before' },
    { at: i + 1, when: 'after' },
  ]);
  return { points, writes };
}

async function each(points: readonly Point[], run: (point: Point) => Promise<void>): Promise<void> {
  const left = [...points];
  const worker = async () => {
    for (let point = left.shift(); point; point = left.shift()) await run(point);
  };
  await Promise.all(Array.from({ length: 6 }, worker));
}

test('SIGKILL on each side of every write leaves nothing that a restore does not put back', async () => {
  const { points, writes } = await everyPoint();
  let tried = 0;
  await each(points, async (point) => {
    const machine = await bench();
    const before = machine.look();
    const child = await machine.start(point, false);
    await until(() => over(child));
    expect(child.process.signalCode).toBe('SIGKILL');
    machine.restore();
    expect(machine.look(), `${point.when} ${JSON.stringify(writes[point.at - 1])}`).toBe(before);
    expect(machine.restore().entries).toEqual([]);
    machine.end();
    tried++;
  });
  expect(tried).toBe(writes.length * 2);
  console.log(`killed at ${tried} points: before and after each of ${writes.length} writes`);
}, 300_000);

test('SIGSTOP on each side of every write: the guardian restores, and what comes after SIGCONT is undone', async () => {
  const { points, writes } = await everyPoint();
  await each(points, async (point) => {
    const machine = await bench();
    const before = machine.look();
    const where = () => `${point.when} ${JSON.stringify(writes[point.at - 1])}: ${machine.look()}`;
    const child = await machine.start({ ...point, signal: 'SIGSTOP' });
    await until(() => stopped(child.process.pid as number), where);
    await until(() => machine.look() === before, where);
    child.process.kill('SIGCONT');
    // It finishes the one write that it was stopped at. Killed right then, or left to go on: nothing stays.
    if (point.at % 2 === 0) child.process.kill('SIGKILL');
    await until(() => over(child), where);
    await until(() => !runs(child.guardian), where);
    expect(machine.look(), where()).toBe(before);
    machine.end();
  });
}, 300_000);
