import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunningHostd } from '../cli/prewake.testkit.ts';
import { ARMS_ALWAYS } from './arms-always.testkit.ts';
import { ask, step, stepId, WireClient, wait } from './wire-client.testkit.ts';

/** What hostd may grow by under any of this, MiB: its heap's own slack is tens of it. */
const GROWTH_MIB = 150;

const UPGRADE = 'GET /v1/session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: prewake/1\r\n';

let hostd: RunningHostd;
let witness: WireClient;
const sockets: Socket[] = [];

beforeEach(async () => {
  hostd = await new RunningHostd().start();
  witness = await WireClient.connect(hostd.socket);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await witness.end();
  await hostd.remove();
});

/** Runs hostd anew, by another configuration. */
async function restart(config: string): Promise<void> {
  await witness.end();
  await hostd.remove();
  hostd = new RunningHostd();
  const file = join(hostd.dir, 'hostd.yaml');
  writeFileSync(file, config);
  await hostd.start(['--dry-run', '--config', file]);
  witness = await WireClient.connect(hostd.socket);
}

const get = async (path: string) => JSON.parse((await ask(hostd.socket, path)).body);
const residentMiB = () =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${hostd.child?.pid}/status`, 'latin1'))?.[1]) / 1024;

function open(text = ''): Promise<Socket> {
  const socket = connect(hostd.socket);
  sockets.push(socket);
  socket.on('error', () => {});
  if (text) socket.write(text);
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(socket));
  });
}

interface HeardEvent {
  type: string;
  what?: string;
  target?: { type: string; tgid: number };
}

/** Reads hostd's events; each must be one line of JSON under its own name. */
async function openEvents(): Promise<() => HeardEvent[]> {
  const socket = await open('GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await expect.poll(() => text).toContain(': prewake');
  return () =>
    [...text.matchAll(/^event: (.*)\ndata: (.*)\n/gm)].map(([, type, data]) => ({
      ...JSON.parse(data as string),
      type: type as string,
    }));
}

/** Another session, from before, still gets its report: it has noticed nothing. */
async function othersAreServed(): Promise<void> {
  const id = stepId();
  witness.send(step(id), { type: 'step_end', id, at: monotonicMicros() });
  expect(await witness.frame('report', (report) => report.step === id)).toBeDefined();
}

describe.each([
  ['say nothing', ''],
  ['never end their request', 'GET /v1/status HTTP/1.1\r\nX-A: '],
  ['stop in the middle of their upgrade', UPGRADE],
  ['read no answer', 'GET /v1/capabilities HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20)],
])('two thousand connections that %s', (_, text) => {
  it('are cut to what one user may have, and keep nobody out who is in', async () => {
    const before = residentMiB();
    for (let i = 0; i < 2000; i++) {
      const socket = await open(text);
      socket.pause();
    }
    await othersAreServed();
    const fds = () => readdirSync(`/proc/${hostd.child?.pid}/fd`).length;
    await expect.poll(fds, { timeout: 20_000 }).toBeLessThan(400);
    expect(residentMiB() - before).toBeLessThan(GROWTH_MIB);
    // All have left: the user is let in again.
    for (const socket of sockets.splice(0)) socket.destroy();
    await expect
      .poll(() => get('/v1/status').catch(() => ({})), { timeout: 20_000 })
      .toHaveProperty('version');
  }, 60_000);
});

describe('one session', () => {
  it('that floods gets its turns, and others theirs', async () => {
    const flood = await WireClient.connect(hostd.socket);
    await flood.frame('welcome');
    const id = (await flood.frame('welcome'))?.session;
    flood.send(step(stepId()));
    const lines = `{"type":"gc","thread":1,"pauses":[],"at":1}\n`.repeat(10_000);
    const more = () => {
      while (!flood.closed && flood.socket.write(lines));
    };
    flood.socket.on('drain', more);
    more();
    const read = async () =>
      (await get('/v1/sessions')).sessions.find((session: { id: string }) => session.id === id).frames;
    // Others are served while there is always more to read.
    const before = await read();
    await othersAreServed();
    await expect.poll(read, { timeout: 20_000 }).toBeGreaterThan(before);
    await othersAreServed();
    expect(flood.closed).toBe(false);
    await flood.end();
  });

  it('that dies with thousands of waits open leaves nothing behind', async () => {
    const before = residentMiB();
    for (let round = 0; round < 5; round++) {
      const client = await WireClient.connect(hostd.socket);
      const id = stepId();
      client.send(step(id));
      // All due soon, and all at once; what is above the limit is an error each, and too many of those close it.
      const now = monotonicMicros();
      for (let i = 1; i <= 4096; i++) client.send(wait(i, id, { deadline: now + 2e6 + i * 100 }));
      await client.sync();
      expect((await get('/v1/status')).openWaits).toBe(4096);
      await client.end();
      await expect.poll(async () => (await get('/v1/status')).openWaits, { timeout: 20_000 }).toBe(0);
    }
    expect((await get('/v1/leases')).leases).toEqual([]);
    expect(residentMiB() - before).toBeLessThan(GROWTH_MIB);
    await othersAreServed();
  }, 60_000);

  it('that never ends its steps and floods signals stays within its limits', async () => {
    const before = residentMiB();
    const client = await WireClient.connect(hostd.socket);
    const id = stepId();
    client.send(step(id), wait(1, id, { kind: 'llm', stream: true }));
    for (let i = 0; i < 9_990; i++) client.send(step(stepId()));
    for (let i = 0; i < 50_000; i++)
      client.send({ type: 'signal', wait: 1, signal: `s${i}`, at: monotonicMicros() });
    await client.sync();
    // The witness is in this same process, which has more steps open than are told apart: it is answered, at least.
    await witness.sync();
    await client.end();
    await expect.poll(async () => (await get('/v1/status')).openWaits, { timeout: 20_000 }).toBe(0);
    await othersAreServed();
    expect(residentMiB() - before).toBeLessThan(GROWTH_MIB);
  }, 60_000);

  it('that names threads of others arms none of them', async () => {
    await restart(ARMS_ALWAYS);
    const victim = spawn('sleep', ['60']);
    try {
      const events = await openEvents();
      const client = await WireClient.connect(hostd.socket);
      const id = stepId();
      client.send(step(id));
      for (let i = 1; i <= 2000; i++) {
        const thread = i % 2 ? (victim.pid as number) : 1 + ((i * 7919) % 30_000);
        client.send(wait(i, id, { kind: 'timer', thread, deadline: monotonicMicros() + 1e6 }));
      }
      const armed = () =>
        events().flatMap(({ what, target }) =>
          what === 'armed' && target?.type === 'task' ? target.tgid : [],
        );
      const refusals = async () =>
        (await ask(hostd.socket, '/metrics')).body.match(/^prewake_refused_total.* [1-9].*$/gm) ?? [];
      // Every one of them stands for the session's own main thread.
      await expect
        .poll(async () => ({ armed: armed(), refusals: await refusals() }), { timeout: 20_000 })
        .toMatchObject({ armed: expect.arrayContaining([process.pid]) });
      await client.end();
      await expect.poll(async () => (await get('/v1/leases')).leases, { timeout: 20_000 }).toEqual([]);
      expect(armed().filter((tgid) => tgid !== process.pid)).toEqual([]);
    } finally {
      victim.kill('SIGKILL');
    }
  }, 60_000);

  it.each([
    ['zeros', 'a\u0000b'],
    ['emoji', '🦊'.repeat(40)],
    ['half a surrogate', '\ud800'],
    ['a terminal’s escapes', '\u001b[2J\u001b]0;x\u0007'],
    ['a line’s end', 'a\r\nevent: forged\n\n'],
    ['a name of objects', '__proto__'],
    ['quotes', `"},{"x":"`],
  ])('may use a key of %s: it is a key', async (_, key) => {
    const events = await openEvents();
    const client = await WireClient.connect(hostd.socket);
    const id = stepId();
    client.send(step(id, { key }), wait(1, id, { key }), { type: 'wait_end', id: 1, at: monotonicMicros() });
    client.send({ type: 'step_end', id, at: monotonicMicros() });
    await client.sync();
    const refused = client.frames.some((frame) => frame.type === 'error');
    if (!refused) {
      expect(await client.frame('report', (report) => report.step === id)).toBeDefined();
      await expect.poll(() => events().map(({ type }) => type)).toContain('wait_end');
    }
    expect(events().map(({ type }) => type)).not.toContain('forged');
    expect((await ask(hostd.socket, '/metrics')).status).toBe(200);
    await client.end();
    await othersAreServed();
  });
});

it('sixty-four sessions a user, and their deaths make room', async () => {
  const clients = [];
  for (let i = 1; i < 64; i++) clients.push(await WireClient.connect(hostd.socket));
  await expect(WireClient.connect(hostd.socket)).rejects.toMatchObject({ code: 'PREWAKE_TOO_MANY_SESSIONS' });
  await othersAreServed();
  for (const client of clients) client.socket.destroy();
  await expect.poll(async () => (await get('/v1/status')).sessions, { timeout: 20_000 }).toBe(1);
  await (await WireClient.connect(hostd.socket)).end();
});
