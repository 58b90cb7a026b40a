import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { SYSTEM_SOCKET } from '@prewake/sdk/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prewake, RunningHostd } from './prewake.testkit.ts';

describe('prewake hostd', () => {
  let hostd: RunningHostd;
  beforeEach(() => {
    hostd = new RunningHostd();
  });
  afterEach(() => hostd.remove());

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'ends cleanly on %s, and takes its socket with it',
    async (signal) => {
      await hostd.start();
      expect(await hostd.end(signal)).toBe(0);
      expect(existsSync(hostd.socket)).toBe(false);
    },
  );

  it('ends cleanly when the signal comes twice, as from a terminal and from npm', async () => {
    await hostd.start();
    hostd.child?.kill('SIGINT');
    expect(await hostd.end('SIGINT')).toBe(0);
    expect(existsSync(hostd.socket)).toBe(false);
  });

  it.each([
    ['SIGTERM', 'hostd has ended'],
    ['SIGKILL', 'the connection broke off: hostd was killed, or does not wait for a reader this slow'],
  ] as const)('that ends on %s ends its followers, who say so in a line', async (signal, message) => {
    await hostd.start();
    let reading = false;
    const following = prewake(['events', '--socket', hostd.socket], {
      started: (child) =>
        child.stdout?.once('data', () => {
          reading = true;
        }),
    });
    while (!reading) await prewake(['resume', '--socket', hostd.socket]);
    await hostd.end(signal);
    expect(await following).toMatchObject({ code: 3, err: `prewake: ${message} (PREWAKE_NOT_RUNNING)\n` });
  });

  it('keeps away from the socket of another, and takes over that of a dead one', async () => {
    await hostd.start();
    const second = await prewake(['hostd', '--dry-run', '--socket', hostd.socket]);
    expect(second.code).toBe(1);
    expect(second.err).toContain('PREWAKE_ALREADY_RUNNING');
    expect(await prewake(['status', '--socket', hostd.socket])).toMatchObject({ code: 0 });

    await hostd.end('SIGKILL');
    expect(existsSync(hostd.socket)).toBe(true);
    await hostd.start();
    expect(await prewake(['status', '--socket', hostd.socket])).toMatchObject({ code: 0 });
  });

  it('reads its file again on SIGHUP, and keeps the old one where the new one is wrong', async () => {
    const file = join(hostd.dir, 'hostd.yaml');
    const capacity = async () => {
      const { out } = await prewake(['budgets', '--json', '--socket', hostd.socket]);
      const { buckets } = JSON.parse(out) as { buckets: { bucket: string; capacity: number }[] };
      return buckets.find(({ bucket }) => bucket === 'host')?.capacity;
    };
    writeFileSync(file, 'budget: {host: {capacity: 300}}\n');
    await hostd.start(['--dry-run', '--config', file]);
    expect(await capacity()).toBe(300);

    writeFileSync(file, 'budget: {host: {capacity: 400}}\n');
    hostd.child?.kill('SIGHUP');
    await hostd.says('configuration reloaded');
    expect(await capacity()).toBe(400);

    writeFileSync(file, 'budget: {host: {capacity: much}}\n');
    hostd.child?.kill('SIGHUP');
    await hostd.says(`the old configuration stays: ${file}:1: budget.host.capacity must be a number`);
    expect(await capacity()).toBe(400);
  });

  it('goes on when nobody reads its log any more', async () => {
    await hostd.start();
    hostd.child?.stderr?.destroy();
    expect(await prewake(['pause', '--socket', hostd.socket])).toMatchObject({ code: 0 });
    expect(await prewake(['resume', '--socket', hostd.socket])).toMatchObject({ code: 0 });
    expect(await hostd.end()).toBe(0);
  });

  it('says why it does not arm', async () => {
    await hostd.start();
    const ask = async (...args: string[]) => (await prewake([...args, '--socket', hostd.socket])).out;
    expect(JSON.parse(await ask('status', '--json'))).toMatchObject({
      mode: 'observe',
      modeReason: 'dry run',
    });
    expect(await ask('doctor')).toContain('hostd is running: observe, dry run\n');

    expect(await ask('pause', 'a film')).toMatch(/^mode +paused \(a film\)$/m);
    expect(await ask('status')).toMatch(/^mode +paused \(a film\)$/m);
    expect(await ask('doctor')).toContain('hostd is running: paused, a film\n');
    expect(await ask('pause')).toMatch(/^mode +paused$/m);
    expect(await ask('resume')).toMatch(/^mode +observe \(dry run\)$/m);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'stays paused across its end by %s, until resumed',
    async (signal) => {
      const mode = async () =>
        JSON.parse((await prewake(['status', '--json', '--socket', hostd.socket])).out);
      await hostd.start();
      await prewake(['pause', 'a film', '--socket', hostd.socket]);
      await hostd.end(signal);
      await hostd.start();
      expect(hostd.err).toContain('is still paused: a film\n');
      expect(await mode()).toMatchObject({ mode: 'paused', modeReason: 'a film', paused: true });

      await prewake(['resume', '--socket', hostd.socket]);
      await hostd.end(signal);
      await hostd.start();
      expect(await mode()).toMatchObject({ mode: 'observe', paused: false });
    },
  );

  it('stays paused where it can’t read why, and says where a pause can’t be kept', async () => {
    const file = `${hostd.socket}.paused`;
    mkdirSync(file);
    await hostd.start();
    expect(hostd.err).toContain("is still paused: its reason can't be read: EISDIR");
    const { out } = await prewake(['resume', '--socket', hostd.socket]);
    expect(out).toMatch(/^mode +observe/m);
    await hostd.says('the next hostd will be paused again: ');
    expect((await prewake(['pause', '--socket', hostd.socket])).out).toMatch(/^mode +paused$/m);
    await hostd.says('the pause will end with this hostd: EISDIR');
  });

  it('is found in the runtime directory of the user where there is none of the system', async (ctx) => {
    if (existsSync(SYSTEM_SOCKET)) ctx.skip(`this machine has a hostd at ${SYSTEM_SOCKET}`);
    await hostd.start(['--dry-run', '--socket', join(hostd.dir, 'prewake', 'hostd.sock')]);
    const { out } = await prewake(['status', '--json'], { env: { XDG_RUNTIME_DIR: hostd.dir } });
    expect(JSON.parse(out)).toMatchObject({ pid: hostd.child?.pid });
  });

  it('serves metrics over TCP where it is told to', async () => {
    const port = await freePort();
    await hostd.start(['--dry-run', '--metrics-listen', `127.0.0.1:${port}`]);
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(text).toMatch(/^prewake_sessions 0$/m);
    expect((await fetch(`http://127.0.0.1:${port}/v1/status`)).status).toBe(404);

    // No more connections than it can bear.
    const held = Array.from({ length: 80 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    let refused = 0;
    for (const socket of held) socket.on('close', () => refused++);
    await expect.poll(() => refused).toBeGreaterThanOrEqual(16);
    for (const socket of held) socket.destroy();

    // The port is taken: one that could not start whole does not go on in part.
    const socket = join(hostd.dir, 'second.sock');
    const args = ['--dry-run', '--socket', socket, '--metrics-listen', `127.0.0.1:${port}`];
    const second = await prewake(['hostd', ...args]);
    expect(second.code).toBe(1);
    expect(second.err).toContain('PREWAKE_LISTEN');
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
