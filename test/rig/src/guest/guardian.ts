// The guardian and the replay: what is held when hostd dies, stops or stalls is put back without it.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { restore } from '../../../../packages/hostd/dist/guards/index.js';
import type { CheckContext, CheckSet } from './check.ts';
import { type Controls, differences, look } from './controls.ts';
import { DummyTask } from './dummy-task.ts';
import { eventually } from './eventually.ts';

type Said = Record<string, unknown>;

class Holder {
  readonly process: ChildProcess;
  readonly said: Said[] = [];

  constructor(runtimeDir: string, task: DummyTask) {
    const args = [join(import.meta.dirname, 'holder.js'), runtimeDir, JSON.stringify(task.ref)];
    this.process = spawn('taskset', ['-c', '0-1', process.execPath, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.process.stdout as NodeJS.ReadableStream }).on('line', (line) =>
      this.said.push(JSON.parse(line)),
    );
  }

  count(match: (message: Said) => boolean): number {
    return this.said.filter(match).length;
  }

  get guardian(): number {
    return this.said.find((message) => 'guardian' in message)?.guardian as number;
  }

  /** Waits until it has armed for the `times`th time, and something reads otherwise than before. */
  async armed(before: Controls, task: DummyTask, times = 1): Promise<string[]> {
    await eventually(
      () => `armed ${times} times; it said ${JSON.stringify(this.said)}`,
      () =>
        this.count((message) => message.armed === true) >= times &&
        differences(before, look(task.pid)).length > 0,
      60_000,
    );
    return differences(before, look(task.pid));
  }
}

async function withHolder(
  { note }: CheckContext,
  use: (holder: Holder, before: Controls, task: DummyTask, runtimeDir: string) => Promise<void>,
): Promise<void> {
  const runtimeDir = mkdtempSync('/run/prewake-');
  const task = await DummyTask.start();
  const before = look(task.pid);
  const holder = new Holder(runtimeDir, task);
  try {
    const held = await holder.armed(before, task);
    note(`held: ${held.join('; ')}`);
    await use(holder, before, task, runtimeDir);
  } finally {
    holder.process.kill('SIGKILL');
    await eventually('all is as before', () => {
      restore({ runtimeDir });
      return differences(before, look(task.pid)).length === 0;
    });
    await task.end();
  }
}

/** Waits until every control reads as before, without doing anything for it. */
async function restored(before: Controls, task: DummyTask): Promise<void> {
  await eventually(
    () => `restored; still ${differences(before, look(task.pid)).join('; ')}`,
    () => differences(before, look(task.pid)).length === 0,
    30_000,
  );
}

export const checks: CheckSet = {
  'SIGKILL of hostd: the guardian puts everything back': (context) =>
    withHolder(context, async (holder, before, task) => {
      holder.process.kill('SIGKILL');
      await restored(before, task);
    }),

  'SIGSTOP of hostd: everything is put back, and its leases are void when it goes on': (context) =>
    withHolder(context, async (holder, before, task) => {
      const voids = holder.count((message) => message.type === 'void');
      holder.process.kill('SIGSTOP');
      await restored(before, task);
      holder.process.kill('SIGCONT');
      await eventually(
        'its leases are void',
        () => holder.count((message) => message.type === 'void') > voids,
      );
      await holder.armed(before, task);
    }),

  'a stalled event loop: everything is put back meanwhile': (context) =>
    withHolder(context, async (holder, before, task) => {
      const voids = holder.count((message) => message.type === 'void');
      holder.process.stdin?.write('8000\n');
      await restored(before, task);
      await eventually(
        'its leases are void',
        () => holder.count((message) => message.type === 'void') > voids,
        60_000,
      );
    }),

  'both killed: the next start puts everything back before it does anything else': (context) =>
    withHolder(context, async (holder, before, task, runtimeDir) => {
      process.kill(holder.guardian, 'SIGKILL');
      holder.process.kill('SIGKILL');
      await eventually('dead', () => holder.process.signalCode !== null);
      assert.ok(differences(before, look(task.pid)).length > 0, 'nobody was left to restore');
      const next = new Holder(runtimeDir, task);
      try {
        await next.armed(before, task);
        const replayed = next.said[0]?.replayed as { outcome: string }[];
        assert.ok(replayed.length > 0);
        for (const entry of replayed) assert.equal(entry.outcome, 'restored', JSON.stringify(entry));
      } finally {
        next.process.kill('SIGKILL');
      }
      await restored(before, task);
    }),

  'both killed: restore by hand puts everything back': (context) =>
    withHolder(context, async (holder, before, task, runtimeDir) => {
      process.kill(holder.guardian, 'SIGKILL');
      holder.process.kill('SIGKILL');
      await eventually('dead', () => holder.process.signalCode !== null);
      assert.ok(differences(before, look(task.pid)).length > 0, 'nobody was left to restore');
      assert.deepEqual(restore({ runtimeDir }).left, []);
      assert.deepEqual(differences(before, look(task.pid)), []);
    }),
};
