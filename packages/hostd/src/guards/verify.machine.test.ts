import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { onlineCpus } from '../kernel/cpus.ts';
import { openKernel } from '../kernel/kernel.ts';
import { schedGetAttr } from '../kernel/sched-attr.ts';
import { type ChildHostd, runs, startChildHostd, until } from './child-hostd.testkit.ts';
import { startSleeper } from './child-sleeper.testkit.ts';
import { createGuardController, type GuardControllerOptions } from './create.ts';
import { restore } from './replay.ts';
import { type Verdict, verifyGuard } from './verify.ts';

// Another hostd on this machine may have the controls for a while.
vi.setConfig({ testTimeout: 180_000 });

// This machine's own controls: what they read before is what they must read after, also when a test fails.
const cpu = onlineCpus(openKernel().files).at(-1) ?? 0;
const LIMIT = `/sys/devices/system/cpu/cpu${cpu}/power/pm_qos_resume_latency_us`;
const QOS = '/dev/cpu_dma_latency';

const lacking =
  process.getuid?.() !== 0
    ? 'needs root'
    : !existsSync(LIMIT)
      ? 'no per-CPU latency limit on this machine'
      : !existsSync(QOS)
        ? 'no /dev/cpu_dma_latency on this machine'
        : '';

const read = () => readFileSync(LIMIT, 'latin1').trim();
const qos = () => readFileSync(QOS).readInt32LE();

let dir: string;
let before: { limit: string; qos: number };
let child: ChildHostd | undefined;

beforeEach((ctx) => {
  if (lacking) ctx.skip(lacking);
  dir = mkdtempSync(join(tmpdir(), 'prewake-run-'));
});

afterEach(async () => {
  if (child) {
    child.process.kill('SIGKILL');
    const { guardian } = child;
    await until(() => !runs(guardian));
    child = undefined;
  }
  if (dir) {
    restore({ runtimeDir: dir });
    rmSync(dir, { recursive: true });
  }
});

async function hostd(options: Partial<GuardControllerOptions>): Promise<ChildHostd> {
  const windows = [{ cpus: [cpu], latencyUs: 0 }];
  // Another test's hostd may have the controls: there is one for one machine.
  child = await startChildHostd({ runtimeDir: dir, windows, waitMs: 120_000, ...options }, () => {
    before = { limit: read(), qos: qos() };
  });
  expect(child.said[0]).toMatchObject({ mode: 'arm' });
  return child;
}

test('the per-CPU limit: armed by one process, seen by the kernel, restored when that is killed', async () => {
  const { process: owner } = await hostd({ config: { idle: 'idle.cpu' } });
  expect(read()).toBe('n/a');
  owner.kill('SIGKILL');
  await until(() => read() === before.limit, read);
});

test('the per-CPU limit of a stopped hostd is lifted while it is stopped', async () => {
  const { process: owner } = await hostd({ config: { idle: 'idle.cpu' } });
  owner.kill('SIGSTOP');
  await until(() => read() === before.limit, read);
});

test('the global limit: in force while held, lifted when its owner is stopped or killed', async () => {
  const { process: owner } = await hostd({ config: { idle: 'idle.global' } });
  expect(qos()).toBe(0);
  owner.kill('SIGSTOP');
  await until(
    () => qos() === before.qos,
    () => String(qos()),
  );
  owner.kill('SIGKILL');
  await until(
    () => qos() === before.qos,
    () => String(qos()),
  );
});

test.for(['idle.cpu', 'idle.global'] as const)(
  '%s works by effect: while it is held at 0, the CPU enters no state but POLL',
  async (id, ctx) => {
    let verdict: Verdict | undefined;
    // A CPU that is busy all the time says nothing about its idle states: look again, and elsewhere.
    const cpus = onlineCpus(openKernel().files);
    for (let i = 0; i < 100 && verdict?.works === undefined; i++) {
      const one = cpus[i % cpus.length] as number;
      verdict = await verifyGuard({ guard: id, cpu: one, runtimeDir: dir, waitMs: 120_000 });
    }
    if (verdict?.works === undefined) ctx.skip(`every CPU is busy all the time: ${verdict?.seen}`);
    expect(verdict).toMatchObject({ guard: id, works: true, value: id === 'idle.cpu' ? 'n/a' : '0' });
    expect(verdict?.seen).toMatch(/POLL/);
  },
);

test('on a CPU whose limit was written a thread runs, so that its idle loop begins anew', async () => {
  const cpus = onlineCpus(openKernel().files);
  const config = { idle: 'idle.cpu', scheduler: 'off', frequency: 'off' } as const;
  const guards = await createGuardController({ runtimeDir: dir, config, waitMs: 120_000 });
  expect(guards.mode).toBe('arm');
  const before = pinnedSleeps();
  for (let i = 0; i < 300; i++) {
    const expiresAt = monotonicMicros() + 10e6;
    const wish = { owner: 's1', reason: 'test', cpus, tasks: [], latencyUs: 0, expiresAt };
    guards.release(guards.arm(wish));
    // Let it go to sleep again: a thread that runs already is not woken.
    await sleep(2);
  }
  const after = pinnedSleeps();
  guards.close();
  // The CPU on which this runs sees it anyway.
  expect(after - before).toBeGreaterThanOrEqual(150 * (cpus.length - 1));
});

test('scheduler.slice works on a thread of another process', async () => {
  const sleeper = await startSleeper();
  const before = schedGetAttr(sleeper.task.tid);
  const { task } = sleeper;
  const verdict = await verifyGuard({
    guard: 'scheduler.slice',
    cpu,
    task,
    runtimeDir: dir,
    waitMs: 120_000,
  });
  const after = schedGetAttr(sleeper.task.tid);
  sleeper.end();
  expect(verdict.works).toBe(true);
  expect(after).toEqual(before);
});

test('a guard that this machine lacks is refused with the reason', async () => {
  if (existsSync('/sys/devices/system/cpu/cpufreq/policy0')) return;
  const verdict = verifyGuard({ guard: 'frequency.policy', cpu, runtimeDir: dir, waitMs: 120_000 });
  await expect(verdict).rejects.toMatchObject({
    code: 'PREWAKE_GUARD_UNAVAILABLE',
    message: expect.stringContaining('no cpufreq policy'),
  });
});

/** How often threads of this process that may run on one CPU alone have gone to sleep. */
function pinnedSleeps(): number {
  let sleeps = 0;
  for (const tid of readdirSync('/proc/self/task')) {
    const status = readFileSync(`/proc/self/task/${tid}/status`, 'latin1');
    if (!/^Cpus_allowed_list:\s+\d+$/m.test(status)) continue;
    sleeps += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
  }
  return sleeps;
}
