// The restore promise under SIGKILL: between any two writes, whatever is changed is put back.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { restore } from '../../../../packages/hostd/dist/guards/index.js';
import type { WriteOp } from '../../../../packages/hostd/dist/kernel/writer.js';
import type { CheckContext, CheckSet } from './check.ts';
import { asBefore, differences, look } from './controls.ts';
import { DummyTask } from './dummy-task.ts';
import { stracedVictim, type VictimOrder, Victims } from './victims.ts';

const SIGKILL = 9;

const CONFIGS = {
  'per CPU': {
    idle: 'idle.cpu',
    frequency: 'auto',
    scheduler: 'auto',
    timer: 'auto',
    placement: 'placement',
  },
  'idle states': { idle: 'idle.state', frequency: 'off', scheduler: 'off', timer: 'off', placement: 'off' },
  global: { idle: 'idle.global', frequency: 'off', scheduler: 'off', timer: 'off', placement: 'off' },
};

export const checks: CheckSet = {};
for (const [name, config] of Object.entries(CONFIGS)) {
  checks[`SIGKILL before and after every write, guards: ${name}`] = (context) =>
    killEverywhere(name, config, context);
}

async function killEverywhere(name: string, config: object, { note }: CheckContext): Promise<void> {
  const runtimeDir = `/run/prewake-kill-${name.replaceAll(' ', '-')}`;
  mkdirSync(runtimeDir, { recursive: true });
  const untouched = look();
  const task = await DummyTask.start();
  const { trace, report } = stracedVictim(runtimeDir, config, task.ref);
  await task.endChildren();
  assert.equal(report.mode, 'arm', report.reason);
  await asBefore(untouched, undefined, () => 'after a run to the end');
  for (const event of report.events) assert.notEqual(event.type, 'failed', JSON.stringify(event));
  const { ops } = report;
  assert.ok(ops.length > 0, 'the scenario writes');
  note(`${ops.length} writes: ${summary(ops)}`);
  assert.deepEqual(
    byPlace(stracedWrites(trace)),
    byPlace(ops.map(placeOf)),
    'strace saw the same writes as the tap',
  );

  // Between two writes nothing is changed, as strace has just shown: after one is before the next.
  const moments: { killAt: number; phase: VictimOrder['phase'] }[] = ops.map((_, killAt) => ({
    killAt,
    phase: 'before',
  }));
  moments.push({ killAt: ops.length - 1, phase: 'after' });
  const victims = new Victims(runtimeDir, config);
  let changed = 0;
  try {
    for (const { killAt, phase } of moments) {
      const where = `${phase} write ${killAt} (${ops[killAt]?.kind} ${ops[killAt]?.target} ${ops[killAt]?.value.trim()})`;
      const before = look(task.pid);
      const { signal } = await victims.run({ killAt, phase, task: task.ref });
      assert.equal(signal, SIGKILL, `killed ${where}`);
      if (differences(before, look(task.pid)).some((line) => !line.startsWith('descendant'))) changed++;
      const { entries, left } = restore({ runtimeDir });
      assert.deepEqual(left, [], where);
      // A child that was forked meanwhile must be as its parent was.
      for (const control of Object.keys(look(task.pid)).filter((name) => name.startsWith('descendant'))) {
        before[control] = before[control.replace(/^descendant \d+/, 'task')] ?? '';
      }
      await asBefore(before, task.pid, () => `${where}; ${JSON.stringify(entries)}`);
      await task.endChildren();
    }
  } finally {
    victims.close();
    await task.end();
  }
  note(`killed at ${moments.length} moments: before and after each of ${ops.length} writes`);
  note(`after ${changed} of them a control had to be put back, and was`);
  if (name !== 'global') assert.ok(changed > 0, 'some kills left a control changed');
  await asBefore(untouched);
}

function summary(ops: readonly WriteOp[]): string {
  const counts = byPlace(ops.map((op) => op.kind));
  return Object.entries(counts)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');
}

function byPlace(places: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const place of [...places].sort()) counts[place] = (counts[place] ?? 0) + 1;
  return counts;
}

/** Where the tap says a write goes, in the words that strace has for it. */
function placeOf(op: WriteOp): string {
  if (op.kind === 'journal') return 'journal';
  if (op.kind === 'sched_setattr' || op.kind === 'sched_setaffinity') return op.kind;
  return `/${op.target.replace(/^\//, '')}`;
}

/**
 * Every write to a control or the journal, from strace's own record of the system calls that did not fail. What the
 * victim sets of its own threads (where those run that kick CPUs) is no control of anybody's.
 */
function stracedWrites(trace: string): string[] {
  // strace -f begins each line with the thread that it is about, if only with the one of its end.
  const own = new Set(trace.split('\n').map((line) => line.split(' ', 1)[0]));
  const places: string[] = [];
  for (const line of trace.split('\n')) {
    if (/ = -1 E/.test(line)) continue;
    const task = /\b(sched_setattr|sched_setaffinity|sched_setscheduler|setpriority)\((\d+)/.exec(line);
    if (task && !own.has(task[2])) places.push(task[1] as string);
    const file = /\bp?writev?(?:64)?\(\d+<([^>]+)>/.exec(line)?.[1];
    if (file === undefined) continue;
    if (file.includes('/guards.journal')) places.push('journal');
    else if (/^\/(sys|proc)\/|^\/dev\/cpu_dma_latency/.test(file)) places.push(file);
  }
  return places;
}
