import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
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

/** A process that asks for its peer where the kernel answers SO_PEERPIDFD with an errno: what it learns, or the code. */
function askedWhere(errno: number): string {
  const getsockopt = { x64: 55, arm64: 209 }[process.arch as 'x64' | 'arm64'];
  const script = `
    import { connect, createServer } from 'node:net';
    import koffi from 'koffi';
    import { peerOf } from './dist/kernel/peer.js';
    const path = process.argv[1];
    const server = createServer((accepted) => {
      let answer;
      try { answer = peerOf(accepted).pid === process.pid ? 'peer' : 'another'; } catch (error) { answer = error.code; }
      console.log(answer);
      process.exit();
    });
    // What seccomp(2) lets a filter do: load the number and the third argument, compare, refuse with the errno.
    const filter = Buffer.alloc(48);
    const program = [
      [0x20, 0, 0, 0], [0x15, 0, 3, ${getsockopt}], [0x20, 0, 0, 32], [0x15, 0, 1, 77],
      [0x06, 0, 0, ${0x50000 + errno}], [0x06, 0, 0, 0x7fff0000],
    ];
    program.forEach(([code, jt, jf, k], i) => {
      filter.writeUInt16LE(code, i * 8);
      filter.set([jt, jf], i * 8 + 2);
      filter.writeUInt32LE(k, i * 8 + 4);
    });
    koffi.struct('sock_fprog', { len: 'uint16', filter: 'void *' });
    const self = koffi.load(null);
    self.func('int prctl(int, ulong, ulong, ulong, ulong)')(38, 1, 0, 0, 0);
    if (self.func('int prctl(int, ulong, sock_fprog *, ulong, ulong)')(22, 2, { len: 6, filter }, 0, 0) !== 0)
      throw new Error('no seccomp');
    server.listen(path, () => connect(path));
  `;
  const node = ['--input-type=module', '-e', script, join(dir, `errno-${errno}`)];
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const { stdout, stderr } = spawnSync(process.execPath, node, { cwd, encoding: 'utf8' });
  return stdout.trim() || stderr;
}

test('a kernel without SO_PEERPIDFD is believed; any other refusal is about the peer', () => {
  const { ENOPROTOOPT, EINVAL, EMFILE } = constants.errno;
  expect(askedWhere(ENOPROTOOPT)).toBe('peer');
  // What Linux 6.5 says of a process that is gone.
  expect(askedWhere(EINVAL)).toBe('PREWAKE_PEER_UNKNOWN');
  expect(askedWhere(EMFILE)).toBe('PREWAKE_PEER_UNKNOWN');
});
