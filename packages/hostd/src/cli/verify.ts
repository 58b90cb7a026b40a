import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrewakeError } from '@prewake/sdk/protocol';
import type { GuardId } from '../guards/guard.ts';
import { type Verdict, verifyGuard } from '../guards/verify.ts';
import { onlineCpus } from '../kernel/cpus.ts';
import { openKernel } from '../kernel/kernel.ts';
import { startTimeOf } from '../kernel/threads.ts';

/** What became of one guard: a verdict, or why none could be had. */
export type Verified = Verdict | { guard: GuardId; works: undefined; seen: string };

/**
 * Arms each guard for a moment, one after the other, and looks at its effect. Everything is put back. A task guard
 * is tried on a process of our own that sleeps a millisecond at a time.
 */
export async function verifyGuards(guards: readonly GuardId[]): Promise<Verified[]> {
  const runtimeDir = mkdtempSync(join(tmpdir(), 'prewake-verify-'));
  const kernel = openKernel();
  const cpu = onlineCpus(kernel.files).at(-1) ?? 0;
  kernel.close();
  const sleeper = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1)'], { stdio: 'ignore' });
  const verdicts: Verified[] = [];
  try {
    const tgid = sleeper.pid as number;
    const task = { tgid, tid: tgid, startTime: startTimeOf(tgid) ?? '0' };
    for (const guard of guards) verdicts.push(await verified({ guard, cpu, task, runtimeDir }));
  } finally {
    sleeper.kill('SIGKILL');
    rmSync(runtimeDir, { recursive: true, force: true });
  }
  return verdicts;
}

async function verified(options: Parameters<typeof verifyGuard>[0]): Promise<Verified> {
  try {
    return await verifyGuard(options);
  } catch (error) {
    if (!(error instanceof PrewakeError)) throw error;
    return { guard: options.guard, works: undefined, seen: error.message };
  }
}
