import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { peerOf, uidOf } from './peer.ts';
import { startTimeOf } from './threads.ts';

const dir = mkdtempSync(join(tmpdir(), 'prewake-peer-'));
const server = createServer();
let client: Socket;
let accepted: Socket;

beforeAll(async () => {
  server.listen(join(dir, 'socket'));
  await once(server, 'listening');
  client = connect(join(dir, 'socket'));
  [accepted] = (await once(server, 'connection')) as [Socket];
});

afterAll(() => {
  client.destroy();
  accepted.destroy();
  server.close();
  rmSync(dir, { recursive: true });
});

test('the kernel says who connected', () => {
  expect(peerOf(accepted)).toMatchObject({
    pid: process.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
    startTime: startTimeOf(process.pid),
  });
  expect(uidOf(accepted)).toBe(process.getuid?.());
});

test('a signal at the wrong moment makes nobody a stranger', async () => {
  const ignore = () => {};
  process.on('SIGUSR2', ignore);
  const storm = spawn('perl', [
    '-e',
    `$| = 1; print "go"; kill(USR2 => ${process.pid}), select undef, undef, undef, 2e-5 while 1`,
  ]);
  try {
    await once(storm.stdout, 'data');
    for (let i = 0; i < 20_000; i++) {
      expect(peerOf(accepted).pid).toBe(process.pid);
      // libuv loses signals, a child's end too, when 4,096 of them wait for its loop.
      if (i % 500 === 0) await setImmediate();
    }
  } finally {
    storm.kill('SIGKILL');
    await once(storm, 'exit');
    process.off('SIGUSR2', ignore);
  }
});
