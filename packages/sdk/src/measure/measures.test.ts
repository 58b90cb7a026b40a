import { AsyncResource } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { generateKeyPair, pbkdf2, randomBytes, webcrypto } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { createGzip, gzip, gzipSync } from 'node:zlib';
import { Agent, request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { TestHostd, until } from '../hostd.testkit.ts';
import { connect, type Step, shutdown, startStep, stats, step, wait } from '../index.ts';
import { monotonicMicros } from '../protocol/index.ts';
import { startTracing } from '../span/tracing.testkit.ts';

let tracing: ReturnType<typeof startTracing>;
let hostd: TestHostd | undefined;

async function start(withHostd = true) {
  tracing = startTracing();
  hostd = await new TestHostd().listen();
  const socket = withHostd ? hostd.socketPath : `${hostd.socketPath}.none`;
  expect(await connect({ socket, holdMs: 5_000 }).ready(withHostd ? 10_000 : 30)).toBe(withHostd);
  return hostd;
}

afterEach(async () => {
  await shutdown();
  tracing.stop();
  await hostd?.remove();
  expect(hostd?.errors).toEqual([]);
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function busy(ms: number): { from: number; to: number } {
  const from = monotonicMicros();
  while (monotonicMicros() - from < ms * 1e3);
  return { from, to: monotonicMicros() };
}

/** Keeps this thread busy for so much time on a CPU, however long it has to wait for one. */
function compute(ms: number): void {
  const used = () => process.threadCpuUsage().user + process.threadCpuUsage().system;
  for (const from = used(); used() - from < ms * 1e3; );
}

/** Microseconds of an interval in which the marks say that a step's code ran. */
function marked(server: TestHostd, id: string, { from, to }: { from: number; to: number }): number {
  const marks = server.of('run').flatMap((frame) => frame.marks);
  let sum = 0;
  for (let i = 0; i < marks.length; i += 2) {
    if (marks[i + 1] !== id) continue;
    const begin = Math.max(marks[i] as number, from);
    const end = Math.min((marks[i + 2] as number | undefined) ?? Number.POSITIVE_INFINITY, to);
    sum += Math.max(0, end - begin);
  }
  return sum;
}

describe('run marks', () => {
  it('say of every burst of twenty steps whose it was, however it was woken', async () => {
    const server = await start();
    const promisesAlone = () => Promise.resolve().then(() => undefined);
    const ways = [
      () => sleep(Math.random() * 3),
      () => stat('/'),
      () => new Promise((resolve) => setImmediate(resolve)),
      () => new Promise<void>((resolve) => process.nextTick(resolve)),
      promisesAlone,
      () => new Promise((resolve) => execFile('true', resolve)),
      () => lookup('localhost'),
      () => new Promise((resolve) => randomBytes(64, resolve)),
      () => wait(sleep(1)),
      () => wait(() => readFile('/proc/self/stat')),
    ];
    let first: Step | undefined;
    const bursts: { id: string; way: string; hookless: boolean; from: number; to: number }[] = [];
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        step(`s${i}`, async (begun) => {
          first ??= begun;
          for (let turn = 0; turn < 6; turn++) {
            const way = ways[Math.floor(Math.random() * ways.length)] as () => Promise<unknown>;
            // V8 tells nobody of promises that were awaited before the second step began, and nothing else woke this.
            const hookless = begun === first && turn === 0 && way === promisesAlone;
            await way();
            bursts.push({ id: begun.id, way: `${turn}: ${way}`, hookless, ...busy(1) });
          }
        }),
      ),
    );
    await until('all ends', () => server.of('step_end').length === 20);
    const ids = server.of('step').map((frame) => frame.id);
    const wrong = bursts.filter((burst) =>
      ids.some((id) => id !== burst.id && marked(server, id, burst) > 0),
    );
    expect(wrong).toEqual([]);
    // What is not marked is nobody's.
    const missed = bursts.filter((burst) => marked(server, burst.id, burst) < 0.99 * (burst.to - burst.from));
    expect(missed.filter((burst) => !burst.hookless)).toEqual([]);
    for (const frame of server.of('run')) expect(frame.thread).toBe(process.pid);
  });

  it('are off while no steps overlap: a chain of parents and one child is told by itself', async () => {
    const server = await start();
    await step('agent', async () => {
      for (let i = 0; i < 3; i++) await step('model', () => wait(sleep(1)));
    });
    await until('all ends', () => server.of('step_end').length === 4);
    expect(server.of('run')).toEqual([]);
  });

  it('of a callback that was bound to a step, name that step', async () => {
    const server = await start();
    const bursts: { id: string; from: number; to: number }[] = [];
    const [a, b] = [startStep('a'), startStep('b')];
    const bound = b.run(() => AsyncResource.bind(() => void bursts.push({ id: b.id, ...busy(2) })));
    await a.run(async () => {
      await wait(sleep(1));
      bound();
      bursts.push({ id: a.id, ...busy(2) });
    });
    a.end();
    b.end();
    await until('both ends', () => server.of('step_end').length === 2);
    for (const burst of bursts) {
      expect(marked(server, burst.id, burst) / (burst.to - burst.from)).toBeGreaterThan(0.99);
    }
  });

  it('on a connection that another step opened, name the step whose answer it is', async () => {
    const server = await start();
    let answered = { from: 0, to: 0 };
    const http = createServer(async (_request, response) => {
      const from = monotonicMicros();
      await sleep(5);
      answered = { from, to: monotonicMicros() };
      response.end('x'.repeat(1000));
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const dispatcher = new Agent({ connections: 1 });
    const ask = async () => (await request(url, { dispatcher })).body.text();
    const asked: { id: string; answering: typeof answered; from: number; to: number }[] = [];
    try {
      const opener = await step('opener', async (begun) => {
        await wait(ask);
        const user = startStep({ key: 'user', parent: null });
        for (let i = 0; i < 5; i++) {
          const from = monotonicMicros();
          await user.run(() => wait(ask));
          asked.push({ id: user.id, answering: answered, from, to: monotonicMicros() });
        }
        user.end();
        return begun.id;
      });
      await until('both ends', () => server.of('step_end').length === 2);
      for (const one of asked) {
        expect(marked(server, one.id, one)).toBeGreaterThan(0);
        // While the server works, no code of the opener runs.
        expect(marked(server, opener, one.answering)).toBe(0);
      }
    } finally {
      await dispatcher.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    }
  });

  it('do not make marks of their own: a loop that sleeps is left asleep', async () => {
    const server = await start();
    const steps = ['a', 'b'].map((name) => startStep(name));
    // They end when they are told to, so that nothing of theirs can fall into the silence.
    const wakes: (() => void)[] = [];
    const waits = steps.map((begun) =>
      begun.run(() => wait(new Promise<void>((resolve) => void wakes.push(resolve)))),
    );
    await until('both waits', () => server.of('wait').length === 2);
    // What the beginnings leave is said in a few turns; marks that make marks would never end. Pauses are no marks.
    const said = () => server.frames.length - server.of('gc').length;
    let silences = 0;
    for (let turn = 0; turn < 100 && silences < 5; turn++) {
      const before = said();
      await sleep(10);
      silences = said() === before ? silences + 1 : 0;
    }
    expect(silences).toBe(5);
    for (const wake of wakes) wake();
    await Promise.all(waits);
    for (const begun of steps) begun.end();
  });

  it('end with the step that is left, and come before the ends of the steps that they are about', async () => {
    const server = await start();
    const a = startStep('a');
    const b = startStep('b');
    await a.run(() => wait(sleep(2)));
    a.end();
    await b.run(() => wait(sleep(2)));
    b.end();
    await until('both ends', () => server.of('step_end').length === 2);
    const marks = server.of('run').flatMap((frame) => frame.marks);
    expect(marks.at(-1)).toBe(b.id);
    const firstEnd = server.frames.findIndex((frame) => frame.type === 'step_end');
    const before = server.frames
      .slice(0, firstEnd)
      .flatMap((frame) => (frame.type === 'run' ? frame.marks : []));
    expect(before).toContain(a.id);
  });
});

describe('thread-pool requests', () => {
  it('are announced with their step while steps overlap, and each ends', async () => {
    const server = await start();
    const names = ['a', 'b', 'c'];
    await Promise.all(names.map((name) => step(name, async () => void (await wait(stat('/'))))));
    await until('all ends', () => server.of('step_end').length === 3);
    const requests = server.of('pool');
    const steps = requests.map((frame) => server.step(frame.step ?? '')?.key);
    expect(new Set(steps)).toEqual(new Set(names));
    const ended = server.of('pool_end').map((frame) => frame.id);
    expect(new Set(ended)).toEqual(new Set(requests.map((frame) => frame.id)));
    expect(ended).toHaveLength(requests.length);
  });

  it('that were begun before the overlap are announced when it starts, with their true beginning', async () => {
    const server = await start();
    const first = startStep('first');
    const before = monotonicMicros();
    const reading = first.run(() => readFile('/proc/self/status', 'utf8'));
    const after = monotonicMicros();
    const second = startStep('second');
    await reading;
    first.end();
    second.end();
    await until('both ends', () => server.of('step_end').length === 2);
    const [request] = server.of('pool');
    expect(request?.step).toBe(first.id);
    expect(request?.at).toBeGreaterThanOrEqual(before);
    expect(request?.at).toBeLessThanOrEqual(after);
  });

  it('are not announced where one step alone can have made them', async () => {
    const server = await start();
    await step('alone', () => wait(stat('/')));
    await until('its end', () => server.of('step_end').length === 1);
    expect(server.of('pool')).toEqual([]);
    expect(server.of('step')[0]?.pool).toBe(true);
  });

  it('of no step are told of beside a step, and that step’s own meanwhile', async () => {
    const server = await start();
    const alone = startStep('alone');
    await alone.run(() => stat('/'));
    const outside = stat('/');
    await alone.run(() => stat('/'));
    await outside;
    alone.end();
    await until('its end', () => server.of('step_end').length === 1);
    expect(server.of('pool').map((frame) => frame.step)).toEqual([undefined, alone.id]);
    expect(server.of('pool_end')).toHaveLength(2);
  });

  it('that a step has left behind are told of beside the next one, with their true beginning', async () => {
    const server = await start();
    const before = monotonicMicros();
    let left: Promise<unknown> | undefined;
    await step('leaves', async () => {
      left = promisify(pbkdf2)('a', 'b', 200_000, 32, 'sha512');
    });
    await sleep(1);
    const from = monotonicMicros();
    await step('next', () => left);
    await until('both ends', () => server.of('step_end').length === 2);
    const [request, more] = server.of('pool');
    expect(request).not.toHaveProperty('step');
    expect(request?.at).toBeGreaterThan(before);
    expect(request?.at).toBeLessThan(from);
    expect(more).toBeUndefined();
    expect(server.of('pool_end')).toHaveLength(1);
  });

  it('of a stream from before the step are told of as nobody’s, and as if from its beginning', async () => {
    const server = await start();
    const stream = createGzip();
    stream.resume();
    const write = promisify((text: string, done: (error?: Error | null) => void) => stream.write(text, done));
    await write('before');
    const alone = startStep('alone');
    await write('beside');
    alone.end();
    stream.destroy();
    await until('its end', () => server.of('step_end').length === 1);
    const [request] = server.of('pool');
    expect(request).not.toHaveProperty('step');
    expect(request?.at).toBe(server.of('step')[0]?.at);
  });

  it('of a parent are told of beside its child', async () => {
    const server = await start();
    const parent = startStep('parent');
    await parent.run(async () => {
      const own = stat('/');
      await step('child', () => own);
    });
    parent.end();
    await until('both ends', () => server.of('step_end').length === 2);
    expect(server.of('pool').map((frame) => frame.step)).toEqual([parent.id]);
  });

  it('are those of crypto’s and zlib’s that go there, and end when they are over', async () => {
    const server = await start();
    const other = startStep({ key: 'other', parent: null });
    const inPool = {
      gzip: () => promisify(gzip)(Buffer.alloc(1e6)),
      random: () => promisify(randomBytes)(16),
      digest: () => webcrypto.subtle.digest('SHA-256', Buffer.alloc(16)),
      key: () => promisify(generateKeyPair)('ed25519'),
    };
    const atOnce = {
      gzipSync: () => gzipSync('x'),
      randomSync: () => randomBytes(16),
      compressed: () => createGzip().destroy(),
    };
    for (const [name, work] of Object.entries({ ...inPool, ...atOnce }))
      await step({ kind: 'tool', key: name, parent: null }, async () => {
        await work();
        await sleep(1);
      });
    other.end();
    await until('all ends', () => server.of('step_end').length === 8);
    const keys = server.of('pool').map((frame) => server.step(frame.step ?? '')?.key);
    expect(keys).toEqual(Object.keys(inPool));
    expect(server.of('pool_end')).toHaveLength(keys.length);
  });
});

describe('event loop', () => {
  it('a wait whose event came while other code ran shows how long it queued', async () => {
    await start();
    await step('queued', async () => {
      const ready = wait(sleep(1), { afterMs: 1 });
      busy(40);
      await ready;
    });
    await until('its span', () => tracing.spans().length === 1);
    const ns = tracing.span('queued').attributes['prewake.slowpath.event_loop.self_ns'];
    expect(ns).toBeGreaterThan(35e6);
  });

  it('what a wait’s own function does at once is no queueing', async () => {
    await start();
    let idleFrom = 0;
    const resumed = await step('own', async () => {
      await wait(() => {
        busy(60);
        idleFrom = monotonicMicros();
        return sleep(1);
      });
      return monotonicMicros();
    });
    await until('its span', () => tracing.spans().length === 1);
    const ns = tracing.span('own').attributes['prewake.slowpath.event_loop.self_ns'];
    expect(ns).toBeLessThanOrEqual((resumed - idleFrom) * 1e3);
  });

  it('a wait alone shows none of its own length', async () => {
    await start();
    // Its own callback's dispatch is all that there is. A machine that is busy elsewhere may draw that out, but not
    // every time: one of a few waits shows less than half of its length.
    const shares: number[] = [];
    while (shares.length < 20 && !shares.some((share) => share < 0.5)) {
      const name = `alone ${shares.length}`;
      await step(name, () => wait(sleep(300)));
      await until('its span', () => tracing.spans().some((span) => span.name === name));
      const ns = tracing.span(name).attributes['prewake.slowpath.event_loop.self_ns'] as number;
      shares.push(ns / 300e6);
    }
    expect(Math.min(...shares)).toBeLessThan(0.5);
  });

  it('is unknown where nothing waited', async () => {
    await start();
    step('sync', () => busy(1));
    await until('its span', () => tracing.spans().length === 1);
    expect(tracing.span('sync').attributes['prewake.slowpath.unknown']).toContain('event_loop');
    expect(tracing.span('sync').attributes).not.toHaveProperty('prewake.slowpath.event_loop.self_ns');
  });
});

describe('the collector', () => {
  const collect = () => {
    const kept: object[] = [];
    for (let i = 0; i < 400_000; i++) kept.push({ i, twin: [i] });
    return kept.length;
  };

  it('its pauses stand on the step whose code they interrupted, and go to hostd', async () => {
    const server = await start();
    await Promise.all([
      step('allocates', async () => {
        await wait(sleep(1));
        collect();
        await wait(sleep(5));
      }),
      step('waits', () => wait(sleep(20))),
    ]);
    await until('both spans', () => tracing.spans().length === 2);
    await until('its frame', () => server.of('gc').length > 0);
    const own = tracing.span('allocates').attributes['prewake.slowpath.gc.self_ns'] as number;
    expect(own).toBeGreaterThan(0);
    expect(tracing.span('waits').attributes['prewake.slowpath.gc.self_ns'] ?? 0).toBeLessThan(own);
    const pauses = server.of('gc').flatMap((frame) => frame.pauses);
    const [begun] = server.of('step');
    expect(pauses.some((value, i) => i % 2 === 0 && value > (begun?.at ?? 0))).toBe(true);
  });
});

describe('without hostd', () => {
  it('a span has what the process itself can know, and says where it is from', async () => {
    await start(false);
    await step('work', async () => {
      busy(20);
      await wait(sleep(5));
    });
    await until('its span', () => tracing.spans().length === 1);
    const { attributes } = tracing.span('work');
    expect(attributes).toMatchObject({
      'prewake.attribution.source': 'local',
      'prewake.attribution.complete': true,
      'prewake.slowpath.page_fault.minor.count': expect.any(Number),
      'prewake.slowpath.page_fault.major.count': expect.any(Number),
      'prewake.slowpath.context_switch.voluntary.count': expect.any(Number),
      'prewake.slowpath.context_switch.involuntary.count': expect.any(Number),
      'prewake.slowpath.event_loop.self_ns': expect.any(Number),
      'prewake.slowpath.gc.self_ns': expect.any(Number),
    });
    expect(attributes['prewake.slowpath.unknown']).toContain('wakeup.idle_exit');
    expect(attributes).not.toHaveProperty('prewake.wakeups.total');
    if (existsSync('/proc/self/schedstat')) {
      expect(attributes['prewake.slowpath.runqueue.self_ns']).toBeTypeOf('number');
      expect(attributes['prewake.cpu_ns']).toBeGreaterThan(0);
    }
    if (existsSync('/proc/pressure/cpu')) {
      expect(attributes['prewake.pressure.cpu.some_us']).toBeTypeOf('number');
    }
  });

  it('the first steps have it too, begun while nobody knew yet that there is none', async () => {
    tracing = startTracing();
    connect({ socket: '/nowhere/hostd.sock', holdMs: 5_000 });
    step('over before', () => {});
    await step('still open', () => until('the refusal', () => stats().lastError !== undefined));
    await until('both spans', () => tracing.spans().length === 2);
    for (const { attributes } of tracing.spans()) {
      expect(attributes).toMatchObject({
        'prewake.attribution.source': 'local',
        'prewake.attribution.complete': true,
      });
    }
  });

  it('a parent does not count its child’s part', async () => {
    await start(false);
    await step('parent', async () => {
      await step('child', async () => compute(30));
    });
    await until('both spans', () => tracing.spans().length === 2);
    const cpu = (name: string) => tracing.span(name).attributes['prewake.cpu_ns'] as number;
    expect(cpu('child')).toBeGreaterThan(0);
    expect(cpu('parent')).toBeLessThan(cpu('child'));
  });

  it('nor does it where its children overlapped: what they had is in theirs, and shared there', async () => {
    await start(false);
    await step('parent', async () => {
      compute(5);
      await Promise.all(
        ['a', 'b'].map((name) =>
          step(name, async () => {
            await wait(sleep(1));
            compute(20);
          }),
        ),
      );
      compute(5);
    });
    await until('all spans', () => tracing.spans().length === 3);
    const { attributes } = tracing.span('parent');
    expect(attributes).not.toHaveProperty('prewake.attribution.candidates');
    expect(attributes['prewake.cpu_ns']).toBeGreaterThanOrEqual(10e6);
    expect(attributes['prewake.cpu_ns']).toBeLessThan(40e6);
    for (const name of ['a', 'b'])
      expect(tracing.span(name).attributes['prewake.attribution.candidates']).toBe(2);
  });

  it('page faults of a child are not its parent’s either', async () => {
    await start(false);
    await step('parent', async () => {
      step('child', () => Buffer.alloc(64 << 20, 1));
    });
    await until('both spans', () => tracing.spans().length === 2);
    const faults = (name: string) =>
      tracing.span(name).attributes['prewake.slowpath.page_fault.minor.count'] as number;
    expect(faults('parent')).toBeLessThan(faults('child'));
  });

  it('steps at once share what can’t be told apart, and each knows among how many', async () => {
    await start(false);
    const names = Array.from({ length: 20 }, (_, i) => `s${i}`);
    await Promise.all(names.map((name, i) => step(name, () => wait(sleep(5 + i)))));
    await until('all spans', () => tracing.spans().length === 20);
    for (const name of names) {
      expect(tracing.span(name).attributes['prewake.attribution.candidates']).toBe(20);
      expect(tracing.span(name).attributes).not.toHaveProperty('prewake.cpu_ns');
    }
  });
});

it('steps that are never ended fill neither hostd nor this process, and later ones end as ever', async () => {
  const server = await start();
  for (let i = 0; i < 12_000; i++) {
    startStep('forgotten').wait();
    if (i % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await step('last', () => wait(sleep(1)));
  await until('its span', () => tracing.spans().some((span) => span.name === 'last'));
  // Below what hostd allows a session, so that it has nothing to refuse.
  expect(server.of('step').length).toBe(5000);
  expect(server.of('wait').length).toBe(2000);
  // Steps without room are tried again with their wait; announced ones lose only their waits.
  expect(stats().dropped).toBe(2 * (12_001 - 5000) + (5000 - 2000));
  expect(tracing.span('last').attributes['prewake.attribution.complete']).toBe(false);
  expect(stats().state).toBe('open');
});
