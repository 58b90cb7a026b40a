import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HostdProcess } from '@prewake/bench/hostd-process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ARMS_ALWAYS } from '../../../packages/hostd/dist/daemon/arms-always.testkit.js';
import { runAgent } from './agent.ts';
import { startArmedClient } from './armed-client.ts';
import { changedControls, readControls } from './controls.ts';

const root = process.getuid?.() === 0;
const launcher = fileURLToPath(new URL('../../../packages/hostd/bin/prewake', import.meta.url));

let before: Record<string, string>;
let hostd: HostdProcess | undefined;
let client: { stop(): void } | undefined;

beforeEach(() => {
  before = readControls();
});
afterEach(async () => {
  client?.stop();
  client = undefined;
  await hostd?.stop();
  hostd = undefined;
  expect(changedControls(before)).toEqual([]);
});

/** Stops hostd at a moment at which a guard is held, seen in sysfs. */
async function stopWhileArmed(process: HostdProcess): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 7));
    process.child.kill('SIGSTOP');
    if (changedControls(before).length > 0) return;
    process.child.kill('SIGCONT');
  }
}

const armed = () =>
  expect.poll(() => changedControls(before).length, { timeout: 20_000, interval: 3 }).toBeGreaterThan(0);
const restored = () =>
  expect.poll(() => changedControls(before), { timeout: 20_000, interval: 20 }).toEqual([]);

describe.skipIf(!root)(`every control reads what it read before${root ? '' : ' [needs root]'}`, () => {
  it('after SIGKILL of hostd with a guard held', async () => {
    hostd = await HostdProcess.start(ARMS_ALWAYS);
    client = startArmedClient(hostd.socket);
    await stopWhileArmed(hostd);
    hostd.child.kill('SIGKILL');
    await restored();
  });

  it('after SIGSTOP of hostd with a guard held, and hostd goes on after SIGCONT', async () => {
    hostd = await HostdProcess.start(ARMS_ALWAYS);
    client = startArmedClient(hostd.socket);
    await stopWhileArmed(hostd);
    await restored();
    hostd.child.kill('SIGCONT');
    expect((await hostd.get<{ mode: string }>('/v1/status')).mode).toBe('arm');
    // It arms again: being restored is no reason to stay away.
    await armed();
  });

  it('after hostd and guardian are killed at once and `prewake restore` is run', async () => {
    hostd = await HostdProcess.start(ARMS_ALWAYS);
    client = startArmedClient(hostd.socket);
    const { guardianPid } = await hostd.get<{ guardianPid: number }>('/v1/status');
    await stopWhileArmed(hostd);
    process.kill(guardianPid, 'SIGKILL');
    hostd.child.kill('SIGKILL');
    const held = changedControls(before);
    const restore = spawnSync(launcher, ['restore', '--json', '--runtime-dir', dirname(hostd.socket)], {
      encoding: 'utf8',
    });
    expect(held.length, 'a guard was held').toBeGreaterThan(0);
    expect(restore.status, restore.stderr).toBe(0);
    expect(changedControls(before)).toEqual([]);
  });

  it('after hostd and guardian are killed at once and hostd is started again', async () => {
    hostd = await HostdProcess.start(ARMS_ALWAYS);
    client = startArmedClient(hostd.socket);
    const { guardianPid } = await hostd.get<{ guardianPid: number }>('/v1/status');
    await stopWhileArmed(hostd);
    process.kill(guardianPid, 'SIGKILL');
    hostd.child.kill('SIGKILL');
    expect(changedControls(before).length, 'a guard was held').toBeGreaterThan(0);
    client.stop();
    const next = await HostdProcess.start(`${ARMS_ALWAYS}runtimeDir: ${dirname(hostd.socket)}\n`);
    expect(changedControls(before)).toEqual([]);
    await next.stop();
  });

  it('after SIGTERM in mid-run', async () => {
    hostd = await HostdProcess.start(ARMS_ALWAYS);
    client = startArmedClient(hostd.socket);
    await armed();
    await hostd.stop();
    hostd = undefined;
    expect(changedControls(before)).toEqual([]);
  });
});

describe('the agent does not notice', () => {
  const args = ['--steps', '12', '--speed', '40'];
  let without: string;

  it('its answers are those of a run without hostd', async () => {
    const alone = await runAgent(args, { PREWAKE_DISABLED: '1' });
    expect(alone.code, alone.errors).toBe(0);
    without = alone.output;
    hostd = await HostdProcess.start(ARMS_ALWAYS);
    const run = await runAgent(args, { PREWAKE_SOCKET: hostd.socket });
    expect(run.code, run.errors).toBe(0);
    expect(run.output).toBe(without);
  });

  it('a hostd that is stopped', async () => {
    hostd = await HostdProcess.start(ARMS_ALWAYS);
    hostd.child.kill('SIGSTOP');
    const run = await runAgent(args, { PREWAKE_SOCKET: hostd.socket });
    hostd.child.kill('SIGCONT');
    expect(run.code, run.errors).toBe(0);
    expect(run.output).toBe(without);
  });

  it('a hostd that is killed in mid-run', async () => {
    hostd = await HostdProcess.start(ARMS_ALWAYS);
    let steps = 0;
    const doomed = hostd;
    await hostd.events((event) => {
      if (event.type === 'step' && ++steps === 5) doomed.child.kill('SIGKILL');
    });
    const run = await runAgent(args, { PREWAKE_SOCKET: hostd.socket });
    expect(steps).toBeGreaterThanOrEqual(5);
    expect(run.code, run.errors).toBe(0);
    expect(run.output).toBe(without);
    await restored();
  });

  it('a socket where nobody listens', async () => {
    const run = await runAgent(args, { PREWAKE_SOCKET: '/nowhere/hostd.sock' });
    expect(run.code, run.errors).toBe(0);
    expect(run.output).toBe(without);
  });
});
