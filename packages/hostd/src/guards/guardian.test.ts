import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FixtureTree, fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { type ChildHostd, runs, startChildHostd, until } from './child-hostd.testkit.ts';
import type { GuardControllerOptions } from './create.ts';
import { restore } from './replay.ts';

const LIMIT0 = 'sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us';
const LIMIT1 = 'sys/devices/system/cpu/cpu1/power/pm_qos_resume_latency_us';
const QOS = 'dev/cpu_dma_latency';

let tree: FixtureTree;
let dir: string;
const children: ChildHostd[] = [];

beforeEach(() => {
  tree = fixtureTree();
  dir = mkdtempSync(join(tmpdir(), 'prewake-run-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.process.kill('SIGKILL');
    signal(child.guardian, 'SIGCONT');
    await until(() => !runs(child.guardian));
  }
  tree[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});

async function hostd(
  options: Partial<GuardControllerOptions> = {},
  inside: readonly string[] = [],
): Promise<ChildHostd> {
  const windows = [{ cpus: [0, 1], latencyUs: 50 }];
  const wishes = { root: tree.root, runtimeDir: dir, windows, ...options };
  const child = await startChildHostd(wishes, undefined, inside);
  children.push(child);
  return child;
}

function signal(pid: number, name: NodeJS.Signals): void {
  if (runs(pid)) process.kill(pid, name);
}

const limits = () => [tree.get(LIMIT0), tree.get(LIMIT1)];
const limitsLifted = () =>
  until(
    () => limits().join() === '0,0',
    () => limits().join(),
  );
const qos = () => readFileSync(join(tree.root, QOS)).readInt32LE();

test('restores when hostd is killed, and goes', async () => {
  const child = await hostd();
  expect(limits()).toEqual(['50', '50']);
  child.process.kill('SIGKILL');
  await limitsLifted();
  await until(() => !runs(child.guardian));
  await child.heard(({ log }) => String(log).includes('hostd is gone: idle.cpu cpu:1 restored (50, was 0)'));
});

test('finds a runtime directory that is named from where hostd runs', async () => {
  const child = await hostd({ root: relative('', tree.root), runtimeDir: relative('', dir) });
  expect(limits()).toEqual(['50', '50']);
  child.process.kill('SIGKILL');
  await limitsLifted();
});

test('restores when hostd is stopped; hostd knows it when it goes on', async () => {
  const child = await hostd();
  child.process.kill('SIGSTOP');
  await limitsLifted();
  expect(runs(child.guardian)).toBe(true);
  child.process.kill('SIGCONT');
  await child.heard((event) => event.type === 'void' && event.reason === 'restored');
  child.process.stdin?.write('\n');
  await until(
    () => limits().join() === '50,50',
    () => limits().join(),
  );
});

test('restores for a stopped hostd also where the runtime directory is full, and hostd knows it all the same', async (ctx) => {
  if (spawnSync('unshare', ['-m', 'true']).status !== 0) ctx.skip('no mount namespaces here');
  const small = 'mount -t tmpfs -o size=64k,mode=700 none "$0" && exec "$@"';
  const child = await hostd({}, ['unshare', '-m', '--propagation', 'private', 'sh', '-c', small, dir]);
  const filler = openSync(`/proc/${child.process.pid}/root${dir}/filler`, 'w');
  expect(() => {
    while (writeSync(filler, Buffer.alloc(4096)) > 0);
  }).toThrow(/ENOSPC/);
  closeSync(filler);
  child.process.kill('SIGSTOP');
  await limitsLifted();
  child.process.kill('SIGCONT');
  await child.heard((event) => event.type === 'void' && event.reason === 'restored');
});

test('lifts the global limit of a stopped hostd, whose descriptor stays open', async () => {
  const child = await hostd({ config: { idle: 'idle.global' } });
  expect(qos()).toBe(50);
  child.process.kill('SIGSTOP');
  await until(
    () => qos() === 2_000_000_000,
    () => String(qos()),
  );
});

test('leaves a foreign value alone when hostd is killed', async () => {
  const child = await hostd();
  tree.set(LIMIT0, '33');
  child.process.kill('SIGKILL');
  await until(() => tree.get(LIMIT1) === '0');
  await until(() => !runs(child.guardian));
  expect(tree.get(LIMIT0)).toBe('33');
});

test('a guardian that is killed is started again', async () => {
  const child = await hostd();
  const [first] = [child.guardian];
  process.kill(first, 'SIGKILL');
  await child.heard((event) => event.type === 'guardian' && event.state === 'down');
  await child.heard((event) => event.type === 'guardian' && event.state === 'ready');
  child.process.kill('SIGSTOP');
  await limitsLifted();
});

/** The lines of a process that has a guardian, and 200 descriptors. `killGuardian()` resolves when it is missed. */
function linkScript(script: string): string[] {
  const whole = `
    import { GuardianLink, guardianEntry } from './dist/guards/guardian-link.js';
    let down = () => {};
    const awake = setInterval(() => {}, 1e6);
    const link = new GuardianLink({
      entry: guardianEntry(), root: '/', runtimeDir: process.argv[1], latencyFd: -1,
      owner: { pid: process.pid, startTime: '0' }, onState: (state) => state === 'down' && down(),
    });
    await link.whenReady(60_000);
    async function killGuardian() {
      const isDown = new Promise((resolve) => { down = resolve; });
      process.kill(link.pid, 'SIGKILL');
      await isDown;
    }
    ${script}
    link.close();
    clearInterval(awake);
  `;
  const node = [process.execPath, '--input-type=module', '-e', whole, dir];
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const few = ['-c', 'ulimit -n 200; exec "$@"', 'sh', ...node];
  const { stdout, stderr } = spawnSync('sh', few, { cwd, encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

test('a hostd that has no descriptors left to start it again goes on, and starts it once there are some', () => {
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { setTimeout as sleep } from 'node:timers/promises';
    // A pipe takes two, the child's output two more.
    for (let left = 0; left < 6; left++) {
      const taken = [];
      try { for (;;) taken.push(openSync('/dev/null')); } catch {}
      for (let i = 0; i < left; i++) closeSync(taken.pop());
      await killGuardian();
      // It is tried 20 ms later.
      await sleep(100);
      taken.forEach(closeSync);
      console.log(left, await link.whenReady(60_000));
    }
  `;
  expect(linkScript(script)).toEqual([0, 1, 2, 3, 4, 5].map((left) => `${left} true`));
});

test('a guardian that is started again does not make way for others as hostd does', (ctx) => {
  if (process.getuid?.() !== 0) ctx.skip('needs root: only it may lower a nice value');
  const script = `
    import { readdirSync } from 'node:fs';
    import { allowedCpus, setAllowedCpus } from './dist/kernel/affinity.js';
    import { yieldToWoken } from './dist/kernel/own-scheduling.js';
    import { schedGetAttr } from './dist/kernel/sched-attr.js';
    import { KernelWriter } from './dist/kernel/writer.js';
    const own = () => [schedGetAttr(0).nice, schedGetAttr(0).runtime, allowedCpus(0).join()].join(' ');
    console.log(own());
    yieldToWoken();
    setAllowedCpus(new KernelWriter(), 0, allowedCpus(0).slice(0, 1));
    console.log(own());
    await killGuardian();
    await link.whenReady(60_000);
    for (const tid of readdirSync('/proc/' + link.pid + '/task').map(Number))
      console.log([schedGetAttr(tid).nice, schedGetAttr(tid).runtime, allowedCpus(tid).join()].join(' '));
  `;
  const [before, meanwhile, ...guardian] = linkScript(script);
  expect(meanwhile).not.toBe(before);
  expect(guardian.length).toBeGreaterThan(1);
  expect(new Set(guardian)).toEqual(new Set([before]));
});

test('a guardian that is stopped is noticed: nothing is held without it, and nothing armed until it listens', async () => {
  const child = await hostd();
  process.kill(child.guardian, 'SIGSTOP');
  await child.heard((event) => event.type === 'void' && event.reason === 'guardian');
  await limitsLifted();
  const armings = () => child.said.filter((message) => message.armed === true).length;
  const before = armings();
  child.process.stdin?.write('\n');
  await until(() => armings() > before);
  expect(child.said.findLast((message) => message.hold)?.hold).toMatchObject({ cpus: [] });
  expect(limits()).toEqual(['0', '0']);
  process.kill(child.guardian, 'SIGCONT');
  await until(() => {
    child.process.stdin?.write('\n');
    return limits().join() === '50,50';
  });
  child.process.kill('SIGKILL');
  await limitsLifted();
});

test('outlives the terminal and the service manager: SIGTERM, SIGINT and SIGHUP are not for it', async () => {
  const child = await hostd();
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(child.guardian, name);
  child.process.kill('SIGKILL');
  await limitsLifted();
});

test('with both killed, the next hostd restores before it does anything else', async () => {
  const child = await hostd();
  process.kill(child.guardian, 'SIGSTOP');
  child.process.kill('SIGKILL');
  process.kill(child.guardian, 'SIGKILL');
  await until(() => !runs(child.guardian));
  expect(limits()).toEqual(['50', '50']);
  const next = await hostd({ config: { idle: 'off' } });
  expect(limits()).toEqual(['0', '0']);
  expect(next.said.find((message) => message.replayed)?.replayed).toMatchObject({
    entries: [{ outcome: 'restored' }, { outcome: 'restored' }],
  });
});

test('with both killed, `prewake restore` does it by hand and says what it did', async () => {
  const child = await hostd();
  process.kill(child.guardian, 'SIGSTOP');
  child.process.kill('SIGKILL');
  process.kill(child.guardian, 'SIGKILL');
  await until(() => !runs(child.guardian) && !runs(child.process.pid as number));
  tree.set(LIMIT0, '33');
  const report = restore({ root: tree.root, runtimeDir: dir });
  expect(limits()).toEqual(['33', '0']);
  expect(report.livingOwner).toBeUndefined();
  expect(report.entries).toEqual([
    expect.objectContaining({ target: 'cpu:1', outcome: 'restored', found: '50', original: '0' }),
    expect.objectContaining({ target: 'cpu:0', outcome: 'foreign', found: '33', reason: expect.any(String) }),
  ]);
  expect(restore({ root: tree.root, runtimeDir: dir }).entries).toEqual([]);
});

test('`prewake restore` beside a living hostd voids its leases', async () => {
  const child = await hostd();
  expect(restore({ root: tree.root, runtimeDir: dir }).livingOwner).toBe(child.process.pid);
  expect(limits()).toEqual(['0', '0']);
  await child.heard((event) => event.type === 'void' && event.reason === 'restored');
});

test('is silent while nothing is armed: it does not leave the CPU once', async () => {
  const windows = [{ cpus: [0], latencyUs: 50, expiresAt: 1 }];
  const child = await startChildHostd({ root: tree.root, runtimeDir: dir, windows });
  children.push(child);
  const switches = () =>
    /^voluntary_ctxt_switches:\s*(\d+)/m.exec(readFileSync(`/proc/${child.guardian}/status`, 'latin1'))?.[1];
  await until(() => readFileSync(`/proc/${child.guardian}/wchan`, 'latin1').includes('poll'));
  const before = switches();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(switches()).toBe(before);
});
