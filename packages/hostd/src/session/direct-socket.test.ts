import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { directSocket, READ_BYTES } from './direct-socket.ts';

const UPGRADE = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';
const openFiles = () => readdirSync('/proc/self/fd').length;

let dir: string;
let peer: Socket;
let own: Socket;
let read: Buffer[];
/** Bytes after which no more is wanted until {@link own} resumes. */
let enough: number;

const bytes = () => Buffer.concat(read);

/** A server whose only connection is taken over, and has been sent `first` with its upgrade. */
async function takenOver(first = ''): Promise<void> {
  const server = createServer();
  const path = join(dir, 'test.sock');
  server.listen(path);
  await once(server, 'listening');
  server.once('upgrade', (_request, from, head) => {
    own = directSocket(from as Socket, head, (chunk) => {
      read.push(Buffer.from(chunk));
      return bytes().length < enough;
    });
    own.write('taken over\n');
    server.close();
  });
  peer = connect(path);
  peer.write(UPGRADE + first);
  await once(peer, 'data');
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-direct-'));
  read = [];
  enough = Number.POSITIVE_INFINITY;
});
afterEach(() => {
  peer.destroy();
  own.destroy();
  rmSync(dir, { recursive: true, force: true });
});

test('hands on what had come with the upgrade, and then all that comes', async () => {
  await takenOver('with it');
  peer.write(' and after it');
  await expect.poll(() => bytes().toString()).toBe('with it and after it');
});

test('reads so much at once and no more, and waits where no more is wanted', async () => {
  await takenOver();
  enough = 1;
  const sent = Buffer.from(Array.from({ length: 3 * READ_BYTES }, (_, i) => i & 0xff));
  peer.write(sent);
  await expect.poll(() => read.length).toBe(1);
  expect(read[0]?.length).toBeLessThanOrEqual(READ_BYTES);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(read).toHaveLength(1);
  enough = Number.POSITIVE_INFINITY;
  own.resume();
  await expect.poll(() => bytes().length).toBe(sent.length);
  expect(bytes().equals(sent)).toBe(true);
  for (const chunk of read) expect(chunk.length).toBeLessThanOrEqual(READ_BYTES);
});

test('waits also where no more is wanted of what had come with the upgrade', async () => {
  enough = 1;
  await takenOver('with it');
  peer.write(' and after it');
  await expect.poll(() => read.length).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(bytes().toString()).toBe('with it');
  own.resume();
  await expect.poll(() => bytes().toString()).toBe('with it and after it');
});

test('ends with its peer’s side, and gives its descriptors back', async () => {
  const before = openFiles();
  await takenOver();
  const ended = once(own, 'end');
  const closed = Promise.all([once(own, 'close'), once(peer, 'close')]);
  peer.end();
  await ended;
  await closed;
  await expect.poll(openFiles).toBe(before);
});
