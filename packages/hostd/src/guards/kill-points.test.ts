import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FixtureTree, fixtureTree } from '../kernel/fixture-tree.ts';
import { schedGetAttr } from '../kernel/sched-attr.ts';
import { type ChildWishes, startChildHostd, until } from './child-hostd.ts';
import { type Sleeper, startSleeper } from './child-sleeper.ts';
import { restore } from './replay.ts';

// Every write of an arm, a re-arbitration and a release, found by a first run, and a SIGKILL on each side of it.
const CPU = 'sys/devices/system/cpu';
const CONTROLS = {
  limit0: `${CPU}/cpu0/power/pm_qos_resume_latency_us`,
  limit1: `${CPU}/cpu1/power/pm_qos_resume_latency_us`,
  floor: `${CPU}/cpufreq/policy0/scaling_min_freq`,
};

let sleeper: Sleeper;
beforeAll(async () => {
  sleeper = await startSleeper();
});
afterAll(() => sleeper.end());

function machine(): { tree: FixtureTree; dir: string; look: () => unknown } {
  const tree = fixtureTree({ policies: [[0, 1]] });
  const dir = mkdtempSync(join(tmpdir(), 'prewake-run-'));
  const look = () => ({
    ...Object.fromEntries(Object.entries(CONTROLS).map(([name, path]) => [name, tree.get(path)])),
    attr: schedGetAttr(sleeper.task.tid),
  });
  return { tree, dir, look };
}

async function run(tree: FixtureTree, dir: string, kill: NonNullable<ChildWishes['kill']>) {
  const windows = [
    { cpus: [1], latencyUs: 50, tasks: [sleeper.task], owner: 's1' },
    { cpus: [1], latencyUs: 5, owner: 's2' },
  ];
  const child = await startChildHostd({ root: tree.root, runtimeDir: dir, windows, kill, guardian: false });
  child.process.stdin?.end();
  await until(() => child.process.exitCode !== null || child.process.signalCode !== null);
  return { signal: child.process.signalCode, writes: child.said.filter((message) => message.write) };
}

test('SIGKILL on each side of every write leaves nothing that a restore does not put back', async () => {
  const first = machine();
  const { writes } = await run(first.tree, first.dir, { at: 0, when: 'after' });
  first.tree[Symbol.dispose]();
  rmSync(first.dir, { recursive: true });
  const kinds = new Set(writes.map((write) => write.kind));
  expect([...kinds].sort()).toEqual(['journal', 'sched_setattr', 'sysfs']);

  let points = 0;
  for (let at = 1; at <= writes.length; at++) {
    for (const when of ['before', 'after'] as const) {
      const { tree, dir, look } = machine();
      const before = look();
      const { signal } = await run(tree, dir, { at, when });
      expect(signal, `at write ${at}`).toBe('SIGKILL');
      restore({ root: tree.root, runtimeDir: dir });
      expect(look(), `${when} write ${at}: ${JSON.stringify(writes[at - 1])}`).toEqual(before);
      expect(restore({ root: tree.root, runtimeDir: dir }).entries).toEqual([]);
      tree[Symbol.dispose]();
      rmSync(dir, { recursive: true });
      points++;
    }
  }
  expect(points).toBe(writes.length * 2);
  console.log(`killed at ${points} points: before and after each of ${writes.length} writes`);
}, 300_000);
