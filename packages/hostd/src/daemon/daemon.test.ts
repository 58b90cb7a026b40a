import { linkSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monotonicMicros, SESSION_PATH } from '@prewake/sdk/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultConfig, type HostdConfig } from './config.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { ask, step, stepId, WireClient, wait } from './wire-client.testkit.ts';

let dir: string;
let daemon: Daemon | undefined;
const clients: WireClient[] = [];

function config(change: (config: HostdConfig) => void = () => {}): HostdConfig {
  const made = defaultConfig({ env: {}, root: true, cpus: 2 });
  made.socket = join(dir, 'hostd.sock');
  made.runtimeDir = dir;
  made.stateDir = join(dir, 'state');
  change(made);
  return made;
}

/** Dry: what is tested here is the wire. Tests of the machine's own controls are in *.machine.test.ts. */
async function start(change?: (config: HostdConfig) => void): Promise<Daemon> {
  daemon = await startDaemon(config(change), { dryRun: true, log: () => {} });
  return daemon;
}

async function connect(): Promise<WireClient> {
  const client = await WireClient.connect(daemon?.socketPath ?? '');
  clients.push(client);
  return client;
}

const get = async (path: string) => JSON.parse((await ask(daemon?.socketPath ?? '', path)).body);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-daemon-'));
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
  await daemon?.stop('end of test');
  daemon = undefined;
  rmSync(dir, { recursive: true, force: true });
});

describe('a session', () => {
  it('is welcomed, is who the kernel says, and ends with its connection', async () => {
    await start();
    const client = await connect();
    const welcome = await client.frame('welcome');
    expect(welcome?.mode).toBe('observe');
    const { sessions } = await get('/v1/sessions');
    expect(sessions).toHaveLength(1);
    expect(sessions[0]).toMatchObject({ id: welcome?.session, pid: process.pid, uid: process.getuid?.() });
    await client.end();
    await expect.poll(async () => (await get('/v1/sessions')).sessions).toHaveLength(0);
  });

  it('gets a report for a step that wants one, and none for one that does not', async () => {
    await start();
    const client = await connect();
    const [wanted, unwanted] = [stepId(), stepId()];
    client.send(step(unwanted, { report: false }), step(wanted));
    client.send(wait(1, wanted), { type: 'wait_end', id: 1, at: monotonicMicros() });
    const at = monotonicMicros();
    client.send({ type: 'step_end', id: unwanted, at }, { type: 'step_end', id: wanted, at });
    const report = await client.frame('report');
    expect(report?.step).toBe(wanted);
    await client.sync();
    expect(client.frames.filter((frame) => frame.type === 'report')).toHaveLength(1);
  });

  it('is told of every step that wants a report, also beyond those that are followed', async () => {
    await start();
    const client = await connect();
    const ids = Array.from({ length: 1100 }, stepId);
    for (const id of ids) client.send(step(id));
    const at = monotonicMicros();
    for (const id of ids) client.send({ type: 'step_end', id, at: at + 1 });
    const told = () =>
      new Set(client.frames.flatMap((frame) => (frame.type === 'report' ? [frame.step] : [])));
    await expect.poll(() => told().size, { timeout: 20_000 }).toBe(ids.length);
    const report = await client.frame('report', (frame) => frame.step === ids.at(-1));
    expect(report).toMatchObject({ complete: false, incomplete: 'too_many_steps' });
  });

  it('is told of a step that is not followed, whatever came along with its end', async () => {
    await start();
    const client = await connect();
    const ids = Array.from({ length: 513 }, stepId);
    client.send(...ids.map((id) => step(id, { report: id === ids.at(-1) })));
    const at = monotonicMicros();
    client.send({ type: 'step_end', id: ids.at(-1), at }, { type: 'step_end', id: ids[0], at });
    const report = await client.frame('report');
    expect(report).toMatchObject({ step: ids.at(-1), incomplete: 'too_many_steps' });
  });

  it.each([
    ['an unknown type', { type: 'dance' }, 'PREWAKE_UNKNOWN_TYPE'],
    ['a negative time', step(stepId(), { at: -1 }), 'PREWAKE_BAD_TIME'],
    ['a time that is no number', step(stepId(), { at: 'now' }), 'PREWAKE_BAD_TIME'],
    ['a time years ahead', step(stepId(), { at: 1e17 }), 'PREWAKE_BAD_TIME'],
    ['a wait without its step', wait(1, stepId()), 'PREWAKE_UNKNOWN_STEP'],
    ['the end of no step', { type: 'step_end', id: stepId(), at: 5 }, 'PREWAKE_UNKNOWN_STEP'],
    ['the end of no wait', { type: 'wait_end', id: 9, at: 5 }, 'PREWAKE_UNKNOWN_WAIT'],
    ['a signal to no wait', { type: 'signal', wait: 9, signal: 'headers', at: 5 }, 'PREWAKE_UNKNOWN_WAIT'],
    ['an oversized key', step(stepId(), { key: 'k'.repeat(300) }), 'PREWAKE_KEY_TOO_LONG'],
  ])('answers %s with a code, and goes on', async (_what, frame, code) => {
    await start();
    const client = await connect();
    client.send(frame);
    expect((await client.frame('error'))?.code).toBe(code);
    expect((await client.frame('error'))?.fatal).toBe(false);
    await client.sync();
  });

  it('refuses a second step of one id, and an end before the beginning', async () => {
    await start();
    const client = await connect();
    const id = stepId();
    client.send(step(id), step(id), { type: 'step_end', id, at: 1 });
    expect((await client.frame('error'))?.code).toBe('PREWAKE_DUPLICATE_ID');
    expect(await client.frame('error', (error) => error.code === 'PREWAKE_OUT_OF_ORDER')).toBeDefined();
  });

  it.each([
    ['garbage', Buffer.from('{"type":\n'), 'PREWAKE_LINE_MALFORMED'],
    ['binary', Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x0a]), 'PREWAKE_LINE_NOT_UTF8'],
    ['an endless line', Buffer.alloc(5000, 0x61), 'PREWAKE_LINE_TOO_LONG'],
  ])('is closed for %s, and others do not notice', async (_what, bytes, code) => {
    await start();
    const [bad, good] = [await connect(), await connect()];
    bad.socket.write(bytes);
    const error = await bad.frame('error');
    expect(error).toMatchObject({ code, fatal: true });
    await expect.poll(() => bad.closed).toBe(true);
    await good.sync();
    expect((await get('/v1/sessions')).sessions).toHaveLength(1);
  });

  it('that vanishes in mid-line is gone', async () => {
    await start();
    const client = await connect();
    client.socket.write('{"type":"step","id":"00');
    await client.end();
    await expect.poll(async () => (await get('/v1/sessions')).sessions).toHaveLength(0);
  });

  it('is closed after too many bad frames', async () => {
    await start((it) => {
      it.sessions.errors = 5;
    });
    const client = await connect();
    for (let i = 0; i < 10; i++) client.send({ type: 'dance' });
    expect(await client.frame('error', (error) => error.fatal)).toMatchObject({
      code: 'PREWAKE_TOO_MANY_ERRORS',
    });
    await expect.poll(() => client.closed).toBe(true);
  });

  it('may have so many steps open, and no more', async () => {
    await start((it) => {
      it.sessions.openSteps = 100;
      it.sessions.errors = 100_000;
    });
    const client = await connect();
    for (let i = 0; i < 10_000; i++) client.send(step(stepId()));
    await client.sync();
    const [session] = (await get('/v1/sessions')).sessions;
    expect(session.openSteps).toBe(100);
    expect(client.frames.find((frame) => frame.type === 'error')).toMatchObject({
      code: 'PREWAKE_TOO_MANY_OPEN',
    });
  });

  it('is dropped when it does not read what it is sent', async () => {
    await start((it) => {
      it.sessions.errors = 1e9;
      it.sessions.backlogBytes = 64 * 1024;
    });
    const deaf = await connect();
    deaf.socket.pause();
    const flood = '{"type":"dance"}\n'.repeat(4000);
    deaf.socket.on('error', () => {});
    for (let i = 0; i < 200 && !deaf.socket.destroyed; i++) deaf.socket.write(flood);
    await expect.poll(async () => (await get('/v1/sessions')).sessions, { timeout: 30_000 }).toHaveLength(0);
  });

  it('is refused beyond a user’s limit, and let in again when one has left', async () => {
    await start((it) => {
      it.sessions.maxPerUser = 2;
    });
    const [first] = [await connect(), await connect()];
    await expect(connect()).rejects.toMatchObject({ code: 'PREWAKE_TOO_MANY_SESSIONS', status: 429 });
    await first?.end();
    await expect
      .poll(() =>
        connect().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
  });

  it('of an unknown version is refused with the versions that are spoken', async () => {
    await start();
    await expect(WireClient.connect(daemon?.socketPath ?? '', 'prewake/99')).rejects.toMatchObject({
      code: 'PREWAKE_VERSION_MISMATCH',
      status: 426,
    });
  });
});

describe('the socket', () => {
  it('of a living hostd is refused to a second one', async () => {
    await start();
    await expect(startDaemon(config(), { dryRun: true, log: () => {} })).rejects.toMatchObject({
      code: 'PREWAKE_ALREADY_RUNNING',
    });
    await (await connect()).sync();
  });

  it('that a dead hostd left behind is taken over', async () => {
    // A socket on which nobody listens, and a lock file that nobody holds.
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(dir, 'other.sock'), resolve));
    linkSync(join(dir, 'other.sock'), join(dir, 'hostd.sock'));
    await new Promise((resolve) => server.close(resolve));
    writeFileSync(join(dir, 'hostd.sock.lock'), '99999\n');
    await start();
    await (await connect()).sync();
  });

  it('is removed at the end', async () => {
    const stopped = await start();
    await stopped.stop('test');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(stopped.socketPath, resolve));
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('endpoints', () => {
  it('answer what they show as JSON, and the rest with a code', async () => {
    const { socketPath } = await start();
    for (const path of ['status', 'capabilities', 'sessions', 'leases', 'budgets'])
      expect((await ask(socketPath, `/v1/${path}`)).status).toBe(200);
    expect(await ask(socketPath, '/v1/nothing')).toMatchObject({ status: 404 });
    expect(await ask(socketPath, '/v1/__proto__')).toMatchObject({ status: 404 });
    expect(await ask(socketPath, '/v1/status', 'POST')).toMatchObject({ status: 405 });
    expect((await get('/v1/nothing')).error.code).toBe('PREWAKE_NOT_FOUND');
  });

  it('ask for an upgrade where a session is asked for without', async () => {
    const { socketPath } = await start();
    const { status, body, headers } = await ask(socketPath, SESSION_PATH);
    expect(status).toBe(426);
    expect(headers).toMatchObject({ connection: 'Upgrade', upgrade: 'prewake/1' });
    expect(JSON.parse(body).error.code).toBe('PREWAKE_VERSION_MISMATCH');
  });

  it('speak Prometheus at /metrics', async () => {
    const { socketPath } = await start();
    const client = await connect();
    await client.sync();
    const { body } = await ask(socketPath, '/metrics');
    expect(body).toMatch(/^prewake_sessions 1$/m);
    expect(body).toMatch(/^# TYPE prewake_waits_total counter$/m);
  });

  it('pause and resume', async () => {
    const { socketPath } = await start();
    expect(JSON.parse((await ask(socketPath, '/v1/pause?reason=test', 'POST')).body).mode).toBe('paused');
    expect((await (await connect()).frame('welcome'))?.mode).toBe('paused');
    expect(JSON.parse((await ask(socketPath, '/v1/resume', 'POST')).body).mode).toBe('observe');
  });
});

it('ends a reader of events that asks for more: requests would pile up behind its stream', async () => {
  await start();
  const socket = connectTo(daemon?.socketPath ?? '');
  socket.on('error', () => {});
  socket.resume();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write('GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
  await closed;
});

it('answers what is no path at all with a code', async () => {
  const { socketPath } = await start();
  expect(await ask(socketPath, '//')).toMatchObject({
    status: 404,
    body: expect.stringContaining('PREWAKE_NOT_FOUND'),
  });
});

it('leaves a file alone that is no socket', async () => {
  writeFileSync(join(dir, 'hostd.sock'), 'precious');
  await expect(start()).rejects.toMatchObject({ code: 'PREWAKE_LISTEN' });
  expect(readFileSync(join(dir, 'hostd.sock'), 'utf8')).toBe('precious');
});
