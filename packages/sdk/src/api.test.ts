import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestHostd, until } from './hostd.testkit.ts';
import { connect, currentStep, shutdown, signal, startStep, stats, step, tool, wait } from './index.ts';
import { monotonicMicros } from './protocol/index.ts';

let hostd: TestHostd;

beforeEach(async () => {
  hostd = await new TestHostd().listen();
  expect(await connect({ socket: hostd.socketPath }).ready(10_000)).toBe(true);
});

afterEach(async () => {
  await shutdown();
  await hostd.remove();
  expect(hostd.errors).toEqual([]);
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it('announces a step, its wait, a signal and their ends, in this order', async () => {
  const answer = await step({ kind: 'llm', key: 'gpt-4o' }, async () => {
    return await wait(
      async () => {
        await sleep(1);
        signal('headers', { afterMs: 20 });
        await sleep(1);
        return 42;
      },
      { inputTokens: 17, stream: true },
    );
  });
  expect(answer).toBe(42);
  await until('step_end', () => hostd.of('step_end').length === 1);
  const [begun] = hostd.of('step');
  const [waited] = hostd.of('wait');
  expect(hostd.frames.map((frame) => frame.type)).toEqual(['step', 'wait', 'signal', 'wait_end', 'step_end']);
  // No OpenTelemetry SDK is here: nobody would see a report.
  expect(begun).toMatchObject({ kind: 'llm', key: 'gpt-4o', report: false });
  expect(waited).toMatchObject({
    step: begun?.id,
    id: 1,
    kind: 'llm',
    key: 'gpt-4o',
    inputTokens: 17,
    stream: true,
  });
  const [told] = hostd.of('signal');
  expect(told).toMatchObject({ wait: 1, signal: 'headers' });
  expect(told?.deadline).toBeCloseTo((told?.at ?? 0) + 20_000, 0);
  expect(hostd.of('wait_end')).toEqual([{ type: 'wait_end', id: 1, at: expect.any(Number) }]);
  const times = hostd.frames.map((frame) => ('at' in frame ? frame.at : 0));
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

it('a tool is a step that is one wait', async () => {
  expect(await tool('Grep', async () => 'found')).toBe('found');
  expect(tool('Add', () => 1 + 1)).toBe(2);
  await until('both ends', () => hostd.of('step_end').length === 2);
  expect(hostd.of('step')).toMatchObject([
    { kind: 'tool', key: 'Grep' },
    { kind: 'tool', key: 'Add' },
  ]);
  expect(hostd.of('wait').map((frame) => frame.key)).toEqual(['Grep', 'Add']);
});

it('steps know their parents, by context and by hand', async () => {
  const outer = startStep({ kind: 'agent', key: 'a' });
  await outer.run(async () => {
    await sleep(1);
    await step('inner', async () => expect(currentStep()?.key).toBe('inner'));
    startStep({ key: 'orphan', parent: null }).end();
  });
  startStep({ key: 'by hand', parent: outer }).end();
  outer.end();
  await until('all ends', () => hostd.of('step_end').length === 4);
  const parents = Object.fromEntries(hostd.of('step').map((frame) => [frame.key, frame.parent]));
  expect(parents).toEqual({ a: undefined, inner: outer.id, orphan: undefined, 'by hand': outer.id });
});

it('enter() makes a step current until it is left, across what it started meanwhile', async () => {
  const begun = startStep('by callback');
  const leave = begun.enter();
  const later = sleep(1).then(() => currentStep()?.id);
  leave();
  leave();
  expect(currentStep()).toBeUndefined();
  expect(await later).toBe(begun.id);
  begun.end();
  begun.end();
  await until('its end', () => hostd.of('step_end').length > 0);
  expect(hostd.of('step_end')).toHaveLength(1);
});

it('concurrent steps keep apart', async () => {
  await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      step({ kind: 'tool', key: `t${i}` }, async () => {
        await sleep(i % 7);
        await wait(sleep(1));
        signal('progress');
        expect(currentStep()?.key).toBe(`t${i}`);
      }),
    ),
  );
  await until('all ends', () => hostd.of('step_end').length === 50);
  for (const waited of hostd.of('wait')) expect(hostd.step(waited.step)?.key).toBe(waited.key);
  // The wait was over: a signal has nothing to narrow.
  expect(hostd.of('signal')).toEqual([]);
});

it('a wait outside of a step gets an unnamed one', async () => {
  expect(await wait(Promise.resolve(5), { kind: 'http', key: 'api' })).toBe(5);
  await until('its end', () => hostd.of('step_end').length === 1);
  expect(hostd.frames.map((frame) => frame.type)).toEqual(['step', 'wait', 'wait_end', 'step_end']);
  expect(hostd.of('step')).toMatchObject([{ kind: 'http', key: 'api', report: false }]);
});

it('errors pass through as they are, and say how the wait ended', async () => {
  const boom = new Error('boom');
  const given = Object.assign(new Error('given up'), { name: 'AbortError' });
  await expect(step({ kind: 'llm' }, () => wait(Promise.reject(boom)))).rejects.toBe(boom);
  await expect(tool('Bash', () => Promise.reject(boom))).rejects.toBe(boom);
  await expect(tool('Bash', () => Promise.reject(given))).rejects.toBe(given);
  expect(() =>
    tool('Bash', () => {
      throw boom;
    }),
  ).toThrow(boom);
  await until('all ends', () => hostd.of('step_end').length === 4);
  expect(hostd.of('wait_end').map((frame) => frame.cancelled ?? false)).toEqual([true, false, true, false]);
});

/** What is rejected meanwhile, and nobody handles. */
async function unhandled(run: () => unknown): Promise<unknown[]> {
  const seen: unknown[] = [];
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (reason) => seen.push(reason));
  try {
    await run();
    await sleep(5);
    return seen;
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const other of others) process.on('unhandledRejection', other);
  }
}

it('a rejection that nobody handles is reported once, as it would be without us', async () => {
  const boom = new Error('boom');
  const seen = await unhandled(() => {
    void step('unhandled', () => wait(Promise.reject(boom)));
  });
  expect(seen).toEqual([boom]);
});

it('a promise that is handed over stays its owner’s to handle', async () => {
  const seen = await unhandled(async () => {
    const boom = new Error('boom');
    const failing = Promise.reject(boom);
    await step('handled', async () => {
      expect(wait(failing)).toBe(failing);
      await expect(failing).rejects.toBe(boom);
    });
    expect(wait(failing)).toBe(failing);
    await until('all ends', () => hostd.of('wait_end').length === 2);
  });
  expect(seen).toEqual([]);
});

it('a promise that is more than a promise comes back itself, and is waited for', async () => {
  class Request extends Promise<number> {
    withResponse = () => 'response';
  }
  const over: number[] = [];
  const later = async (value: number) => {
    await sleep(20);
    over.push(monotonicMicros());
    return value;
  };
  const subclass = new Request((done) => void later(7).then(done));
  const extended = Object.assign(later(8), { kill: () => {} });
  expect(step('subclass', () => wait(() => subclass))).toBe(subclass);
  expect(tool('extended', () => extended)).toBe(extended);
  expect([await subclass, await extended]).toEqual([7, 8]);
  await until('all ends', () => hostd.of('step_end').length === 2);
  const ends = hostd.of('wait_end').map(({ at }) => at);
  expect(ends).toHaveLength(2);
  for (const [i, at] of ends.entries()) expect(at).toBeGreaterThanOrEqual(over[i] as number);
});

it('a lazy thenable comes back itself, starts when the agent asks, and is waited for', async () => {
  let started = 0;
  // A client's request: private fields, and work that begins with the first `then`.
  class Query {
    #rows = 7;
    // biome-ignore lint/suspicious/noThenProperty: query builders are like this
    then(done?: (rows: number) => unknown, failed?: (error: unknown) => unknown) {
      started++;
      return Promise.resolve(this.#rows).then(done, failed);
    }
  }
  const query = new Query();
  expect(step('query', () => wait(query))).toBe(query);
  await sleep(5);
  expect([started, hostd.of('step_end').length]).toEqual([0, 0]);
  expect(await query).toBe(7);
  expect(started).toBe(1);
  expect(Object.keys(query)).toEqual([]);
  expect(Object.hasOwn(query, 'then')).toBe(false);
  await until('its end', () => hostd.of('step_end').length === 1);
  expect(hostd.of('wait_end')[0]?.cancelled).toBeUndefined();
});

it('whatever a then is, the agent meets it as it was', async () => {
  const boom = new Error('boom');
  /* biome-ignore-start lint/suspicious/noThenProperty: odd thenables are the point */
  const bare = { then: (done: (value: string) => void) => void setTimeout(done, 1, 'v') };
  const throwing = {
    then: () => {
      throw boom;
    },
  };
  const refusing = {
    get then(): unknown {
      throw boom;
    },
  };
  const frozen = Object.freeze({ then: (done: (value: number) => void) => done(9) });
  /* biome-ignore-end lint/suspicious/noThenProperty: see above */
  const original = bare.then;
  expect(await step('bare', () => bare)).toBe('v');
  expect(bare.then).toBe(original);
  expect(step('throwing', () => throwing)).toBe(throwing);
  await expect((async () => await (throwing as unknown))()).rejects.toBe(boom);
  expect(step('refusing', () => refusing)).toBe(refusing);
  expect(await step('frozen', () => frozen)).toBe(9);
  await until('all ends', () => hostd.of('step_end').length === 4);
});

it('an error that can’t be looked at is the agent’s own all the same', async () => {
  const shy = Object.defineProperty(new Error('shy'), 'name', {
    get: () => {
      throw new Error('not this one');
    },
  });
  await expect(tool('shy', () => Promise.reject(shy))).rejects.toBe(shy);
  const mine = new RangeError('mine');
  const none = null as unknown as undefined;
  await expect(step('none', () => wait(() => Promise.reject(mine), none))).rejects.toBe(mine);
});

it('what is not a promise comes back at once and as it is', () => {
  // biome-ignore lint/suspicious/noThenProperty: a property of that name makes no promise
  const value = { then: 5 };
  expect(step('sync', () => wait(value))).toBe(value);
  expect(step('sync', () => wait(() => value))).toBe(value);
});

it('waits that are still open end with their step, as cancelled', async () => {
  const begun = startStep({ kind: 'llm' });
  const open = begun.wait();
  begun.end();
  open.end();
  open.signal('late');
  begun.wait().end();
  await until('its end', () => hostd.of('step_end').length === 1);
  expect(hostd.frames.map((frame) => frame.type)).toEqual(['step', 'wait', 'wait_end', 'step_end']);
  expect(hostd.of('wait_end')[0]?.cancelled).toBe(true);
});

it('cleans what would break a line or a terminal', async () => {
  tool('a\u001b[31m\nb\ud800', () => {});
  tool('k'.repeat(500), () => {});
  startStep({ kind: 'x'.repeat(100) }).end();
  await until('all ends', () => hostd.of('step_end').length === 3);
  expect(hostd.of('step').map((frame) => frame.key)).toEqual(['a [31m b ', 'k'.repeat(200), undefined]);
  expect(hostd.of('step')[2]?.kind).toBe('x'.repeat(64));
});

it('what a turn of the loop announces is one write', async () => {
  const before = stats().sent;
  let chunks = 0;
  for (const socket of hostd.connections) socket.on('data', () => chunks++);
  for (let i = 0; i < 20; i++) tool('Grep', () => i);
  await until('all ends', () => hostd.of('step_end').length === 20);
  expect(stats().sent - before).toBe(80);
  // 80 lines are below what one read of the other end takes.
  expect(chunks).toBe(1);
});
