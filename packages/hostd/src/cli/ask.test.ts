import { chmodSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prewake, RunningHostd } from './prewake.testkit.ts';

const NOBODY = 65_534;
const hostd = new RunningHostd();
beforeAll(() => hostd.start());
afterAll(() => hostd.remove());

const ask = (...args: string[]) => prewake([...args, '--socket', hostd.socket]);
async function askJson(...args: string[]) {
  const { code, out, err } = await ask(...args, '--json');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}

/** A session as docs/protocol.md describes it, with nothing of the SDK. */
async function openSession(): Promise<Socket> {
  const socket = connect(hostd.socket);
  socket.write(
    'GET /v1/session HTTP/1.1\r\nHost: hostd\r\nConnection: Upgrade\r\nUpgrade: prewake/1\r\nPrewake-Client: a\tb\r\n\r\n',
  );
  await new Promise<void>((resolve, reject) => {
    let text = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.includes('"type":"welcome"')) resolve();
    });
  });
  return socket;
}

describe('commands that ask hostd', () => {
  it('status', async () => {
    expect(await askJson('status')).toMatchObject({ pid: hostd.child?.pid, mode: 'observe', sessions: 0 });
    const { out } = await ask('status');
    expect(out).toContain(`pid ${hostd.child?.pid}`);
    expect(out).toContain('observe');
  });

  it('sessions', async () => {
    expect((await ask('sessions')).out).toBe('no agent is connected\n');
    const socket = await openSession();
    try {
      const { sessions } = await askJson('sessions');
      expect(sessions).toMatchObject([{ pid: process.pid, uid: process.getuid?.(), steps: 0 }]);
      expect((await ask('sessions')).out.split('\n')[1]).toMatch(new RegExp(`^s\\d+ +${process.pid} `));
    } finally {
      socket.destroy();
    }
  });

  it('leases, budgets, capabilities', async () => {
    expect(await askJson('leases')).toEqual({ leases: [] });
    expect((await ask('leases')).out).toBe('no guard is held\n');
    expect((await askJson('budgets')).buckets).toBeInstanceOf(Array);
    const { guards, categories } = await askJson('capabilities');
    const { out } = await ask('capabilities');
    for (const { guard } of guards) expect(out).toContain(guard);
    for (const { category } of categories) expect(out).toContain(category);
    expect(guards.length).toBeGreaterThan(0);
  });

  it('top', async () => {
    const { code, out } = await ask('top', '--count', '2', '--interval', '1');
    expect(code).toBe(0);
    expect(out.match(/^hostd \d/gm)).toHaveLength(2);
    expect(await askJson('top', '--count', '1')).toMatchObject({ sessions: [], leases: [] });
  });

  it('pause and resume, and the events of both', async () => {
    const events = ask('events', '--count', '2', '--json');
    // The reader has to be there before there is something to read: go on until it has read enough.
    let read = false;
    void events.then(() => {
      read = true;
    });
    while (!read) {
      expect(JSON.parse((await ask('pause', 'a film', '--json')).out)).toMatchObject({
        mode: 'paused',
        paused: true,
      });
      expect(await askJson('resume')).toMatchObject({ mode: 'observe', paused: false });
    }
    const told = (await events).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(told.map(({ type }) => type).sort()).toEqual(['paused', 'resumed']);
    expect(told.find(({ type }) => type === 'paused')).toMatchObject({ reason: 'a film' });
  });

  it('refuses who may not pause', async (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('not root: no other user to be');
    chmodSync(hostd.dir, 0o755);
    const { code, err, out } = await prewake(['pause', '--socket', hostd.socket], { uid: NOBODY });
    if (/EACCES|Cannot find module/.test(err)) ctx.skip('this checkout is closed to other users');
    expect({ code, err, out }).toEqual({
      code: 4,
      err: 'prewake: this needs root or the group prewake (PREWAKE_FORBIDDEN)\n',
      out: '',
    });
  });

  it('stats', async () => {
    expect((await askJson('stats')).stats).toBeInstanceOf(Array);
    expect(await ask('stats', '--by', 'luck')).toMatchObject({ code: 2, out: '' });
    const { code, out, err } = await ask('stats', '--category', 'luck');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('PREWAKE_BAD_QUERY');
  });

  it('stats of what this machine cannot know say so, and why', async () => {
    const { categories } = (await askJson('capabilities')) as {
      categories: { category: string; tier: string; reason?: string }[];
    };
    const said = async (category: string) => (await ask('stats', '--category', category)).out;
    const unknown = categories.find(({ tier }) => tier === 'unavailable');
    const known = categories.find(({ tier }) => tier !== 'unavailable');
    if (unknown)
      expect(await said(unknown.category)).toBe(
        `${unknown.category} is unknown on this machine: ${unknown.reason}\n`,
      );
    if (known) expect(await said(known.category)).toBe('nothing has been recorded yet\n');
    expect([unknown, known]).not.toEqual([undefined, undefined]);
  });

  it('classes, and doctor beside a running hostd', async () => {
    expect(await askJson('classes')).toEqual({ classes: [] });
    expect((await ask('classes')).out).toBe('nothing has been learned yet\n');
    expect(await askJson('doctor')).toMatchObject({
      hostd: { running: true, status: { pid: hostd.child?.pid } },
      probedBy: 'hostd',
      capabilities: await askJson('capabilities'),
      withoutBenefit: [],
    });
    expect((await ask('doctor')).out).toContain('hostd is running');
  });
});

describe('docs/protocol.md', () => {
  const text = readFileSync(new URL('../../../../docs/protocol.md', import.meta.url), 'utf8');

  it('names every field that the endpoints answer', async () => {
    const socket = await openSession();
    try {
      for (const name of ['status', 'capabilities', 'sessions', 'leases', 'budgets', 'stats']) {
        const row = text.split('\n').find((line) => line.startsWith(`| \`GET /v1/${name}`)) ?? '';
        for (const key of keysOf(await askJson(name))) expect(row).toContain(`\`${key}\``);
      }
    } finally {
      socket.destroy();
    }
  });

  /** Down to what a part or an entry of a list has; `attribution` is for the curious. */
  function keysOf(answer: object, depth = 2): string[] {
    return Object.entries(answer).flatMap(([key, value]) => {
      const below = Array.isArray(value) ? value[0] : value;
      const goOn = depth > 1 && key !== 'attribution' && typeof below === 'object' && below !== null;
      return goOn ? [key, ...keysOf(below, depth - 1)] : [key];
    });
  }
});

describe('colour', () => {
  const escapeCode = String.fromCharCode(27);

  it('is for terminals, or who forces it', async () => {
    expect((await ask('status')).out).not.toContain(escapeCode);
    const forced = await prewake(['status', '--socket', hostd.socket], { env: { FORCE_COLOR: '1' } });
    expect(forced.out).toContain(escapeCode);
  });
});
