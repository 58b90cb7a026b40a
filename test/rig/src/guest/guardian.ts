// The guardian and the replay: what is held when hostd dies, stops or stalls is put back without it.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { restore } from '../../../../packages/hostd/dist/guards/index.js';
import type { Check, CheckContext, CheckSet } from './check.ts';
import { asBefore, type Controls, differences, look } from './controls.ts';
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

  get voids(): number {
    return this.count((message) => message.type === 'void');
  }

  /** Waits until its leases were voided once more than before, and it has armed again. */
  async armedAgain(before: Controls, task: DummyTask, voids: number): Promise<void> {
    await eventually('its leases are void', () => this.voids > voids, 60_000);
    await this.armed(before, task);
  }

  /** Kills it and its guardian, so that nobody is left to restore. */
  async killBoth(): Promise<void> {
    process.kill(this.guardian, 'SIGKILL');
    this.process.kill('SIGKILL');
    await eventually('dead', () => this.process.signalCode !== null);
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

/** One process after the other, because starting one takes seconds here: what one check leaves, the next goes on with. */
let stage: { runtimeDir: string; task: DummyTask; before: Controls; holder: Holder } | undefined;

async function onStage(): Promise<NonNullable<typeof stage>> {
  if (stage) return stage;
  const runtimeDir = mkdtempSync('/run/prewake-');
  const task = await DummyTask.start();
  stage = { runtimeDir, task, before: look(task.pid), holder: new Holder(runtimeDir, task) };
  return stage;
}

async function clear(): Promise<void> {
  if (!stage) return;
  const { holder, runtimeDir, before, task } = stage;
  stage = undefined;
  await holder.killBoth().catch(() => {});
  restore({ runtimeDir });
  await asBefore(before, task.pid);
  await task.end();
}

/** A check that goes on where the last one ended; one that fails leaves a clean stage to the next. */
function act(run: (on: NonNullable<typeof stage>, context: CheckContext) => Promise<void>): Check {
  return async (context) => {
    try {
      await run(await onStage(), context);
    } catch (error) {
      await clear();
      throw error;
    }
  };
}

export const checks: CheckSet = {
  'hostd stopped: everything is put back, and its leases are void when it goes on': act(
    async ({ holder, before, task }, { note }) => {
      note(`held: ${(await holder.armed(before, task)).join('; ')}`);
      const { voids } = holder;
      holder.process.kill('SIGSTOP');
      await restored(before, task);
      holder.process.kill('SIGCONT');
      await holder.armedAgain(before, task, voids);
    },
  ),

  'its event loop stalled: everything is put back meanwhile': act(async ({ holder, before, task }) => {
    await holder.armed(before, task);
    const { voids } = holder;
    holder.process.stdin?.write('5000\n');
    await restored(before, task);
    await holder.armedAgain(before, task, voids);
  }),

  'hostd killed: the guardian puts everything back': act(async (on) => {
    await on.holder.armed(on.before, on.task);
    on.holder.process.kill('SIGKILL');
    await restored(on.before, on.task);
    on.holder = new Holder(on.runtimeDir, on.task);
  }),

  'both killed: the next start puts everything back before it does anything else': act(async (on) => {
    await on.holder.armed(on.before, on.task);
    await on.holder.killBoth();
    assert.ok(differences(on.before, look(on.task.pid)).length > 0, 'nobody was left to restore');
    on.holder = new Holder(on.runtimeDir, on.task);
    await on.holder.armed(on.before, on.task);
    const replayed = on.holder.said[0]?.replayed as { outcome: string }[];
    assert.ok(replayed.length > 0);
    for (const entry of replayed) assert.equal(entry.outcome, 'restored', JSON.stringify(entry));
  }),

  'both killed: restore by hand puts everything back': act(async ({ holder, before, task, runtimeDir }) => {
    await holder.armed(before, task);
    await holder.killBoth();
    assert.ok(differences(before, look(task.pid)).length > 0, 'nobody was left to restore');
    assert.deepEqual(restore({ runtimeDir }).left, []);
    await asBefore(before, task.pid);
    await clear();
  }),
};
