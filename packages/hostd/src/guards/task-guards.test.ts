import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { allowedCpus } from '../kernel/affinity.ts';
import { type FixtureTree, fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { RESET_ON_FORK, schedGetAttr, schedSetAttr } from '../kernel/sched-attr.ts';
import { startTimeOf } from '../kernel/threads.ts';
import { KernelWriter } from '../kernel/writer.ts';
import { runs, startChildHostd, until } from './child-hostd.testkit.ts';
import { type Sleeper, startSleeper } from './child-sleeper.testkit.ts';
import type { GuardConfig } from './choose.ts';
import { createGuardController, type MachineGuards } from './create.ts';
import type { GuardEvent } from './guard.ts';
import { restore } from './replay.ts';

// Real threads of this test's own children, real system calls; only sysfs is a tree of files.
const lacking = process.getuid?.() === 0 ? '' : 'needs root';
const eevdf = schedGetAttr(0).runtime > 0;

let tree: FixtureTree;
let dir: string;
let sleeper: Sleeper;
let guards: MachineGuards | undefined;
let events: GuardEvent[];

beforeEach(async (ctx) => {
  if (lacking) ctx.skip(lacking);
  tree = fixtureTree();
  dir = mkdtempSync(join(tmpdir(), 'prewake-run-'));
  sleeper = await startSleeper();
  events = [];
});

afterEach(() => {
  guards?.close();
  guards = undefined;
  sleeper?.end();
  tree?.[Symbol.dispose]();
  if (dir) rmSync(dir, { recursive: true });
});

async function guardsOf(config: GuardConfig): Promise<MachineGuards> {
  const off = { idle: 'off', frequency: 'off', scheduler: 'off', timer: 'off' } as const;
  guards = await createGuardController({
    root: tree.root,
    runtimeDir: dir,
    guardian: false,
    config: { ...off, ...config },
  });
  guards.onEvent = (event) => events.push(event);
  return guards;
}

const window = () => ({
  owner: 's1',
  reason: 'test',
  cpus: [0],
  tasks: [sleeper.task],
  latencyUs: 50,
  expiresAt: monotonicMicros() + 600e6,
});

const slack = (pid: number) => readFileSync(`/proc/${pid}/timerslack_ns`, 'latin1').trim();

test('the slice (or nice) of a thread is shortened and given back', async () => {
  const before = schedGetAttr(sleeper.task.tid);
  const hold = (await guardsOf({ scheduler: 'auto' })).arm(window());
  const armed = schedGetAttr(sleeper.task.tid);
  if (eevdf) expect(armed).toMatchObject({ runtime: 300_013, nice: before.nice, flags: RESET_ON_FORK });
  else expect(armed).toMatchObject({ nice: -5, flags: RESET_ON_FORK });
  guards?.release(hold);
  expect(schedGetAttr(sleeper.task.tid)).toEqual(before);
});

test('a child born meanwhile starts with the scheduling of its parent before', async () => {
  const before = schedGetAttr(sleeper.task.tid);
  (await guardsOf({ scheduler: 'auto' })).arm(window());
  expect(schedGetAttr(await sleeper.spawn())).toEqual(before);
});

/** What a thread may have of its own; a slice of its own takes no privilege. */
const OWN = { slice: { runtime: 5_000_000 }, nice: { nice: eevdf ? -3 : 3 } };

test.each(Object.keys(OWN) as (keyof typeof OWN)[])(
  'a thread with a %s of its own keeps it: a child would inherit ours, or lose its parent’s',
  async (what) => {
    if (what === 'slice' && !eevdf) return;
    const own = { ...schedGetAttr(sleeper.task.tid), runtime: 0, ...OWN[what] };
    schedSetAttr(new KernelWriter(), sleeper.task.tid, own);
    const before = schedGetAttr(sleeper.task.tid);
    const hold = (await guardsOf({ scheduler: 'auto' })).arm(window());
    const child = await sleeper.spawn();
    expect([schedGetAttr(sleeper.task.tid), schedGetAttr(child)]).toEqual([before, before]);
    guards?.release(hold);
    expect(schedGetAttr(sleeper.task.tid)).toEqual(before);
    expect(events).toEqual([]);
  },
);

test.skipIf(!eevdf)('hostd’s own slice is not taken for the usual one', async () => {
  const writer = new KernelWriter();
  const own = schedGetAttr(process.pid);
  const before = schedGetAttr(sleeper.task.tid);
  schedSetAttr(writer, process.pid, { ...own, runtime: 100_000 });
  try {
    const hold = (await guardsOf({ scheduler: 'auto' })).arm(window());
    expect(schedGetAttr(sleeper.task.tid)).toMatchObject({ runtime: 300_013, flags: RESET_ON_FORK });
    guards?.release(hold);
    expect(schedGetAttr(sleeper.task.tid)).toEqual(before);
    expect(schedGetAttr(process.pid)).toEqual({ ...own, runtime: 100_000 });
  } finally {
    schedSetAttr(writer, process.pid, { ...own, runtime: 0 });
  }
});

test('a real-time thread is left alone', async () => {
  const attr = schedGetAttr(sleeper.task.tid);
  schedSetAttr(new KernelWriter(), sleeper.task.tid, { ...attr, policy: 5, runtime: 0 });
  const before = schedGetAttr(sleeper.task.tid);
  expect(before.policy).toBe(5);
  (await guardsOf({ scheduler: 'auto' })).arm(window());
  expect(schedGetAttr(sleeper.task.tid)).toEqual(before);
});

test('somebody else renices the thread meanwhile: that stays, and the slice goes', async () => {
  if (!eevdf) return;
  const hold = (await guardsOf({ scheduler: 'auto' })).arm(window());
  schedSetAttr(new KernelWriter(), sleeper.task.tid, { ...schedGetAttr(sleeper.task.tid), nice: 7 });
  guards?.release(hold);
  const after = schedGetAttr(sleeper.task.tid);
  expect(after).toMatchObject({ nice: 7, flags: 0, runtime: schedGetAttr(0).runtime });
});

test('timer slack is off unless named; then it is narrowed, and given back to children and grandchildren', async () => {
  const auto = await guardsOf({ timer: 'auto' });
  expect(auto.guards).toEqual([]);
  auto.close();
  const before = slack(sleeper.task.tid);
  const hold = (await guardsOf({ timer: 'timer.slack' })).arm(window());
  const heirs = [await sleeper.spawn(), await sleeper.spawn(true)];
  expect([sleeper.task.tid, ...heirs].map(slack)).toEqual(['1013', '1013', '1013']);
  guards?.release(hold);
  expect([sleeper.task.tid, heirs[0] as number].map(slack)).toEqual([before, before]);
});

test('a dead hostd: its journal gives the slack back to orphans, too, when their parent is gone', async () => {
  const before = slack(sleeper.task.tid);
  const windows = [{ cpus: [0], tasks: [sleeper.task] }];
  const config = { idle: 'off', scheduler: 'off', timer: 'timer.slack' } as const;
  const child = await startChildHostd({ root: tree.root, runtimeDir: dir, windows, config, guardian: false });
  const orphan = await sleeper.spawn(true);
  child.process.kill('SIGKILL');
  sleeper.process.kill('SIGKILL');
  await until(() => !runs(child.process.pid as number) && !runs(sleeper.task.tid));
  expect(slack(orphan)).toBe('1013');
  const report = restore({ root: tree.root, runtimeDir: dir });
  expect(report.entries).toEqual([expect.objectContaining({ guard: 'timer.slack', outcome: 'gone' })]);
  expect(slack(orphan)).toBe(before);
});

/** A child that has asked for 2 ms itself. */
async function childOfItsOwn() {
  const pid = await sleeper.spawn();
  writeFileSync(`/proc/${pid}/timerslack_ns`, '2000000');
  return { tgid: pid, tid: pid, startTime: startTimeOf(pid) as string };
}

test('a child with a window of its own keeps it when its parent’s ends, and gets back what it had itself', async () => {
  const before = slack(sleeper.task.tid);
  const child = await childOfItsOwn();
  const parents = (await guardsOf({ timer: 'timer.slack' })).arm(window());
  const childs = guards?.arm({ ...window(), owner: 's2', tasks: [child] });
  const heir = await sleeper.spawn();
  expect([sleeper.task.tid, child.tid, heir].map(slack)).toEqual(['1013', '1013', '1013']);
  guards?.release(parents);
  expect([sleeper.task.tid, child.tid, heir].map(slack)).toEqual([before, '1013', before]);
  if (childs) guards?.release(childs);
  expect(slack(child.tid)).toBe('2000000');
  expect(events.map(({ type }) => type)).toEqual(['armed', 'armed', 'released', 'released']);
});

test('a dead hostd: a child with a claim of its own gets back what it had itself', async () => {
  const before = slack(sleeper.task.tid);
  const own = await childOfItsOwn();
  const windows = [own, sleeper.task].map((task) => ({ cpus: [0], tasks: [task] }));
  const config = { idle: 'off', scheduler: 'off', timer: 'timer.slack' } as const;
  const child = await startChildHostd({ root: tree.root, runtimeDir: dir, windows, config, guardian: false });
  expect([sleeper.task.tid, own.tid].map(slack)).toEqual(['1013', '1013']);
  child.process.kill('SIGKILL');
  await until(() => !runs(child.process.pid as number));
  const { entries } = restore({ root: tree.root, runtimeDir: dir });
  expect(entries.map(({ outcome }) => outcome)).toEqual(['restored', 'restored']);
  expect([sleeper.task.tid, own.tid].map(slack)).toEqual([before, '2000000']);
});

test('placement is off unless named; then the thread stays on the armed CPU, and its children go free with it', async () => {
  const before = allowedCpus(sleeper.task.tid);
  const hold = (await guardsOf({ placement: 'placement' })).arm(window());
  const child = await sleeper.spawn();
  expect([allowedCpus(sleeper.task.tid), allowedCpus(child)]).toEqual([[0], [0]]);
  guards?.release(hold);
  expect([allowedCpus(sleeper.task.tid), allowedCpus(child)]).toEqual([before, before]);
});

test('a thread that is gone, or whose tid is another one now, is neither armed nor an error', async () => {
  const other = { ...sleeper.task, startTime: '1' };
  const hold = (await guardsOf({ scheduler: 'auto' })).arm({ ...window(), tasks: [other] });
  expect(hold.cpus).toEqual([]);
  expect(schedGetAttr(sleeper.task.tid).flags).toBe(0);
  expect(events).toEqual([expect.objectContaining({ type: 'failed', code: 'PREWAKE_GUARD_ESRCH' })]);
  const real = guards?.arm(window());
  sleeper.process.kill('SIGKILL');
  await new Promise((resolve) => sleeper.process.once('exit', resolve));
  if (real) guards?.release(real);
  expect(events.at(-1)).toMatchObject({ type: 'released' });
});
