import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientFrame, monotonicMicros } from '@prewake/sdk/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { directSocket } from './direct-socket.ts';
import { defaultSessionLimits, Session } from './session.ts';

let dir: string;
let client: Socket;
let session: Session;
const frames: ClientFrame[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'prewake-session-'));
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(join(dir, 's'), resolve));
  client = connect(join(dir, 's'));
  const [stream] = (await once(server, 'connection')) as [Socket];
  server.close();
  frames.length = 0;
  session = new Session({
    ...{ id: 's1', cgroup: '/', client: 'test/1', limits: defaultSessionLimits, now: monotonicMicros },
    peer: { pid: process.pid, uid: 0, gid: 0, groups: [], startTime: '0' },
    connect: (data) => directSocket(stream, Buffer.alloc(0), data),
    handler: { frame: (_session, frame) => frames.push(frame), ended: () => {} },
  });
});
afterEach(() => {
  client.destroy();
  session.close('PREWAKE_SHUTTING_DOWN', 'end of test');
  rmSync(dir, { recursive: true, force: true });
});

it('keeps nothing of an open step and wait but what it knows', async () => {
  const junk = { junk: [[], []], constructor: 'x', ['__proto__' as string]: 1 };
  const step = {
    type: 'step',
    id: '00000000000000aa',
    kind: 'tool',
    key: 'Grep',
    at: 5,
    thread: 7,
    report: false,
    pool: true,
  };
  const parent = { ...step, id: '00000000000000bb', parent: step.id };
  const wait = { type: 'wait', id: 1, step: step.id, kind: 'llm', key: 'm', at: 6, thread: 7, deadline: 9 };
  const full = { ...wait, inputTokens: 3, stream: true };
  for (const frame of [step, parent, full]) {
    const text = JSON.stringify(frame).replace(/}$/, `,"__proto__":[1],${JSON.stringify(junk).slice(1)}\n`);
    client.write(text);
  }
  await expect.poll(() => frames.length).toBe(3);
  expect([...session.openSteps.values()]).toStrictEqual([step, parent]);
  expect([...session.openWaits.values()]).toStrictEqual([full]);
});

it('sends what waits for another frame by itself when there is much of it', async () => {
  const lines: string[] = [];
  client.on('data', (chunk) => lines.push(...String(chunk).split('\n').filter(Boolean)));
  for (let i = 0; i < 40; i++)
    session.sendAlong({ type: 'budget', state: 'degraded', bucket: 'host', at: i });
  await expect.poll(() => lines.length).toBe(32);
  session.send({ type: 'pong', id: 1, at: 0 });
  await expect.poll(() => lines.length).toBe(41);
  expect(JSON.parse(lines.at(-1) ?? '').type).toBe('pong');
});
