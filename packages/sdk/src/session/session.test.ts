import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TestHostd, until } from '../hostd.testkit.ts';
import { connect, flush, shutdown, startStep, stats, step, wait } from '../index.ts';
import { encode } from '../protocol/index.ts';

let hostd: TestHostd;

beforeEach(async () => {
  hostd = await new TestHostd().listen();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await shutdown();
  await hostd.remove();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the session', () => {
  it('offers its version, says who it is, and knows what hostd says', async () => {
    hostd.welcome = { mode: 'observe', recorder: 'schedstat' };
    expect(await connect({ socket: hostd.socketPath }).ready(10_000)).toBe(true);
    expect(hostd.requests).toEqual([{ upgrade: 'prewake/1', client: '@prewake/sdk/0.1.0' }]);
    expect(stats()).toMatchObject({
      state: 'open',
      session: 's1',
      sessions: 1,
      hostd: { version: '0.1.0', mode: 'observe', recorder: 'schedstat' },
    });
  });

  it('what is announced during the handshake is not lost', async () => {
    connect({ socket: hostd.socketPath });
    await step('early', () => wait(sleep(1)));
    await until('the step', () => hostd.of('step_end').length === 1);
    expect(hostd.frames.map((frame) => frame.type)).toEqual(['step', 'wait', 'wait_end', 'step_end']);
  });

  it('tries the candidates in their order', async () => {
    mkdirSync(join(hostd.directory, 'prewake'));
    const user = join(hostd.directory, 'prewake', 'hostd.sock');
    await hostd.stop();
    const moved = new TestHostd(user);
    await moved.listen();
    vi.stubEnv('PREWAKE_SOCKET', '');
    vi.stubEnv('XDG_RUNTIME_DIR', hostd.directory);
    // The system's socket may exist on this machine; then the first candidate is as good.
    expect(await connect().ready(10_000)).toBe(true);
    await shutdown();
    await moved.remove();
    vi.stubEnv('PREWAKE_SOCKET', join(hostd.directory, 'other'));
    expect(await connect().ready(50)).toBe(false);
  });

  it('comes back by itself, and announces a step again with its next wait', async () => {
    connect({ socket: hostd.socketPath });
    const long = startStep('long');
    await long.run(() => wait(sleep(1)));
    const open = long.wait();
    await until('the first session', () => hostd.of('wait').length === 2);
    await hostd.stop();
    await until('the loss', () => stats().state !== 'open');
    open.end();
    const unheard = startStep('unheard of');
    hostd.frames.length = 0;
    await hostd.listen();
    await until('the second session', () => stats().sessions === 2 && stats().session !== undefined);
    unheard.end();
    await long.run(() => wait(sleep(1)));
    long.end();
    await until('its end', () => hostd.of('step_end').length === 1);
    expect(hostd.frames.map((frame) => frame.type)).toEqual(['step', 'wait', 'wait_end', 'step_end']);
    expect(hostd.of('step')[0]?.id).toBe(long.id);
    expect(hostd.of('wait')[0]?.id).toBe(1);
    expect(hostd.errors).toEqual([]);
  });

  it('says once that no version is known to both, and that packages differ', async () => {
    const warnings: string[] = [];
    const onWarning = (warning: Error & { code?: string }) => {
      if (warning.name === 'PrewakeWarning') warnings.push(`${warning.code}: ${warning.message}`);
    };
    process.on('warning', onWarning);
    try {
      hostd.accepts = false;
      for (let i = 0; i < 2; i++) {
        expect(await connect({ socket: hostd.socketPath }).ready(50)).toBe(false);
        await until('the refusal', () => stats().lastError !== undefined);
        expect(stats().lastError).toMatch(/^PREWAKE_VERSION_MISMATCH: hostd 9.0.0 speaks prewake\/9/);
        await shutdown();
      }
      hostd.accepts = true;
      hostd.welcome = { version: '0.2.0' };
      for (let i = 0; i < 2; i++) {
        expect(await connect({ socket: hostd.socketPath }).ready(10_000)).toBe(true);
        await shutdown();
      }
      await sleep(1);
      expect(warnings).toEqual([
        expect.stringMatching(/^PREWAKE_VERSION_MISMATCH/),
        'PREWAKE_VERSION_DIFFERS: hostd is 0.2.0 and this SDK 0.1.0: what both know is used',
      ]);
    } finally {
      process.off('warning', onWarning);
    }
  });

  it('keeps hostd’s decisions and errors as counters', async () => {
    hostd.answer = (frame, send) => {
      if (frame.type !== 'wait') return;
      send({ type: 'window', wait: frame.id, state: 'released', reason: 'predicted', at: 1 });
      send({ type: 'window', wait: frame.id, state: 'refused', reason: 'budget', at: 1, retryMs: 5 });
      send({ type: 'budget', state: 'degraded', bucket: 'host', at: 1 });
      send({ type: 'error', code: 'PREWAKE_BAD_KEY', message: 'no', fatal: false });
      // A newer hostd's.
      send({ type: 'later' } as never);
    };
    connect({ socket: hostd.socketPath });
    await step('s', () => wait(sleep(1)));
    await until('the error', () => stats().errors === 1);
    expect(stats()).toMatchObject({
      state: 'open',
      windows: { released: 1, refused: 1 },
      degraded: ['host'],
      lastError: 'PREWAKE_BAD_KEY: no',
    });
  });
});

describe('a hostd that misbehaves', () => {
  const answer = () => step('s', () => wait(sleep(1).then(() => 42)));

  async function against(serve: (socket: Socket) => void): Promise<void> {
    const path = join(hostd.directory, 'bad.sock');
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      serve(socket);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    connect({ socket: path });
    try {
      expect(await answer()).toBe(42);
      await until('the loss', () => stats().lastError !== undefined);
      expect(await answer()).toBe(42);
      expect(stats().session).toBeUndefined();
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  }
  const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: prewake/1\r\n\r\n';

  it.each([
    ['never answers', () => {}],
    ['closes at once', (socket: Socket) => socket.destroy()],
    ['is no HTTP server', (socket: Socket) => socket.end('SSH-2.0-x\r\n')],
    ['answers 500', (socket: Socket) => socket.end('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n')],
    [
      'switches to something else',
      (socket: Socket) => socket.write(switched.replace('prewake/1', 'websocket')),
    ],
    ['sends what is no JSON', (socket: Socket) => socket.write(`${switched}nonsense\n`)],
    [
      'sends binary',
      (socket: Socket) => socket.write(Buffer.concat([Buffer.from(switched), Buffer.from([0xff, 0x0a])])),
    ],
    ['sends an endless line', (socket: Socket) => socket.write(switched + 'x'.repeat(5000))],
    ['vanishes in mid-line', (socket: Socket) => socket.end(`${switched}{"type":"wel`)],
  ])('%s: the agent goes on as if it were not there', (_name, serve) =>
    against((socket) => void serve(socket)),
  );

  it('reads nothing: announcements are dropped and counted, memory stays bounded', async () => {
    const path = join(hostd.directory, 'stopped.sock');
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      socket.once('data', () => {
        const welcome = {
          type: 'welcome',
          session: 's',
          version: '0.1.0',
          mode: 'arm',
          recorder: 'bpf',
          at: 1,
        };
        socket.write(switched + encode(welcome as never));
        socket.pause();
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    expect(await connect({ socket: path }).ready(10_000)).toBe(true);
    try {
      for (let turn = 0; turn < 60; turn++) {
        for (let i = 0; i < 500; i++) expect(step({ kind: 'tool', key: 'x'.repeat(100) }, () => i)).toBe(i);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(stats().dropped).toBeGreaterThan(10_000);
      expect(stats().sent).toBeGreaterThan(1000);
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe('switched off', () => {
  it('without connect() nothing happens', async () => {
    const id = await step('s', async (begun) => {
      begun.signal('x');
      await wait(sleep(1));
      return begun.id;
    });
    expect(id).toBe('');
    await flush();
    expect(stats()).toMatchObject({ state: 'off', sent: 0, dropped: 0 });
    expect(hostd.requests).toEqual([]);
  });

  it('with PREWAKE_DISABLED=1 nothing happens either', async () => {
    vi.stubEnv('PREWAKE_DISABLED', '1');
    expect(await connect({ socket: hostd.socketPath }).ready()).toBe(false);
    expect(step('s', () => 1)).toBe(1);
    expect(stats().state).toBe('off');
    expect(hostd.requests).toEqual([]);
  });

  it('a socket that may not be opened, and a path that is none, are no hostd', async () => {
    writeFileSync(join(hostd.directory, 'file'), '');
    for (const socket of [join(hostd.directory, 'file'), '\0', '/'.repeat(500), hostd.directory]) {
      expect(await connect({ socket }).ready(30)).toBe(false);
      expect(step('s', () => 1)).toBe(1);
      await shutdown();
    }
  });
});

it('ends held spans when a process has nothing more to do, and does not keep it for them', async () => {
  hostd.answer = () => {};
  const script = `
    import { trace } from '@opentelemetry/api';
    import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
    import { connect, step } from ${JSON.stringify(new URL('../index.js', import.meta.url.replace('/src/', '/dist/')).href)};
    const spans = [];
    const exporter = { export: (batch, done) => { spans.push(...batch); done({ code: 0 }); }, shutdown: async () => {} };
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
    await connect({ holdMs: 10_000 }).ready(20_000);
    step('last', () => {});
    const held = spans.length;
    process.on('exit', () => console.log(held, spans.map((span) => span.attributes['prewake.attribution.incomplete'])));
  `;
  const output = await new Promise<string>((resolve, reject) => {
    const env = { ...process.env, PREWAKE_SOCKET: hostd.socketPath };
    const cwd = new URL('..', import.meta.url).pathname;
    execFile(
      process.execPath,
      ['--input-type=module', '-e', script],
      { env, cwd, timeout: 50_000 },
      (error, stdout) => (error ? reject(error) : resolve(stdout)),
    );
  });
  expect(output).toBe("0 [ 'flushed' ]\n");
});

it('holds no process open, with a session and without, and says nothing on its own', async () => {
  const script = `
    import { connect, startStep, step, wait } from ${JSON.stringify(new URL('../index.js', import.meta.url.replace('/src/', '/dist/')).href)};
    await connect().ready(5000);
    await step('s', () => wait(new Promise((resolve) => setTimeout(resolve, 5))));
    startStep('never ended').wait();
    console.log('done');
  `;
  const run = (socket: string) =>
    new Promise<string>((resolve, reject) => {
      execFile(
        process.execPath,
        ['--input-type=module', '-e', script.replace('5000', socket === hostd.socketPath ? '5000' : '50')],
        { env: { ...process.env, PREWAKE_SOCKET: socket }, timeout: 30_000 },
        (error, stdout, stderr) => (error ? reject(error) : resolve(stdout + stderr)),
      );
    });
  expect(await run(hostd.socketPath)).toBe('done\n');
  expect(await run(join(hostd.directory, 'nobody'))).toBe('done\n');
  await until('what the first announced', () => hostd.of('step').length === 2);
});
