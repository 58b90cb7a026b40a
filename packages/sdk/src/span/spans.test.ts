import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, it } from 'vitest';
import { emptyReport, TestHostd, until } from '../hostd.testkit.ts';
import {
  type ConnectOptions,
  connect,
  currentStep,
  flush,
  shutdown,
  startStep,
  stats,
  step,
  tool,
  wait,
} from '../index.ts';
import { CATEGORIES, type HostdFrame, KERNEL_CATEGORIES, type ReportFrame } from '../protocol/index.ts';
import { nanos, startTracing } from './tracing.testkit.ts';

let tracing: ReturnType<typeof startTracing>;
let hostd: TestHostd | undefined;

async function start(options: ConnectOptions = {}, sampler?: AlwaysOffSampler) {
  tracing = startTracing(sampler);
  hostd = await new TestHostd().listen();
  expect(await connect({ socket: hostd.socketPath, ...options }).ready(10_000)).toBe(true);
  return hostd;
}

afterEach(async () => {
  await shutdown();
  tracing.stop();
  await hostd?.remove();
  expect(hostd?.errors ?? []).toEqual([]);
  hostd = undefined;
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const known = Object.fromEntries(KERNEL_CATEGORIES.map((category) => [category, 0]));

/** Answers a step's end with this report, once the test lets it. */
function answerWith(report: (id: string) => Partial<ReportFrame>) {
  (hostd as TestHostd).answer = (frame, send: (frame: HostdFrame) => void) => {
    if (frame.type === 'step_end') send({ ...emptyReport(frame.id), ...report(frame.id) });
  };
}

describe('names', () => {
  it('GenAI operations are named as the conventions say, other steps as the user says', async () => {
    await start();
    await step({ kind: 'agent', key: 'planner' }, async () => {
      await step(
        { kind: 'llm', key: 'gpt-4o', provider: 'openai', attributes: { 'gen_ai.request.top_k': 3 } },
        () => {},
      );
      await tool('Grep', async () => {});
      step('compact history', () => {});
      step({ kind: 'llm' }, () => {});
      step({ kind: 'eval', name: 'score' }, () => {});
    });
    await until('six spans', () => tracing.spans().length === 6);
    const shape = tracing.spans().map((span) => [span.name, span.kind, span.attributes]);
    expect(shape).toContainEqual([
      'chat gpt-4o',
      SpanKind.CLIENT,
      expect.objectContaining({
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.top_k': 3,
      }),
    ]);
    expect(tracing.span('execute_tool Grep').attributes).toMatchObject({
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'Grep',
    });
    expect(tracing.span('invoke_agent planner').attributes).toMatchObject({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.name': 'planner',
    });
    expect(tracing.span('compact history').attributes['prewake.step.kind']).toBe('step');
    expect(tracing.span('score').attributes).not.toHaveProperty('gen_ai.operation.name');
    expect(tracing.span('chat').attributes).not.toHaveProperty('gen_ai.request.model');
    const agent = tracing.span('invoke_agent planner').spanContext().spanId;
    for (const span of tracing.spans()) {
      if (span.name !== 'invoke_agent planner') expect(span.parentSpanContext?.spanId).toBe(agent);
    }
  });

  it('parents are right across user spans, explicit parents and entered steps', async () => {
    await start();
    const tracer = trace.getTracer('user');
    await tracer.startActiveSpan('request', async (request) => {
      const entered = startStep('entered');
      const leave = entered.enter();
      const inner = startStep('inner');
      tracer.startActiveSpan('user inside', (span) => {
        startStep('innermost').end();
        span.end();
      });
      leave();
      startStep({ key: 'root', parent: null }).end();
      startStep('after').end();
      startStep({ key: 'given', parent: inner }).end();
      inner.end();
      entered.end();
      request.end();
    });
    await until('all spans', () => tracing.spans().length === 8);
    const name = (id: string | undefined) =>
      tracing.spans().find((span) => span.spanContext().spanId === id)?.name;
    const parents = Object.fromEntries(
      tracing.spans().map((span) => [span.name, name(span.parentSpanContext?.spanId)]),
    );
    expect(parents).toEqual({
      request: undefined,
      entered: 'request',
      inner: 'entered',
      'user inside': 'entered',
      innermost: 'user inside',
      root: undefined,
      after: 'request',
      given: 'inner',
    });
  });
});

describe('a step that was entered and never left', () => {
  const enterAndEndElsewhere = async () => {
    const entered = startStep('entered');
    entered.enter();
    const within = (async () => {
      await sleep(1);
      step('within', () => {});
      entered.end();
    })();
    await within;
  };

  it('is current until it ends, and then what was around it is: the step, and the span of others', async () => {
    await start();
    await enterAndEndElsewhere();
    expect([currentStep(), trace.getActiveSpan()]).toEqual([undefined, undefined]);
    await step('outer', async (outer) => {
      for (let i = 0; i < 2; i++) await enterAndEndElsewhere();
      expect([currentStep(), trace.getActiveSpan()]).toEqual([outer, outer.span]);
      step('after', () => {});
    });
    await until('all spans', () => tracing.spans().length === 8);
    const name = (id: string | undefined) =>
      tracing.spans().find((span) => span.spanContext().spanId === id)?.name;
    const pairs = tracing.spans().map((span) => `${span.name} in ${name(span.parentSpanContext?.spanId)}`);
    expect(pairs.sort()).toEqual([
      'after in outer',
      'entered in outer',
      'entered in outer',
      'entered in undefined',
      'outer in undefined',
      'within in entered',
      'within in entered',
      'within in entered',
    ]);
  });

  it('leaves no decision of a sampler behind either', async () => {
    tracing = startTracing(new AlwaysOffSampler());
    connect({ socket: '/nowhere/hostd.sock' });
    await until('no session', () => stats().state === 'idle');
    await enterAndEndElsewhere();
    expect(trace.getActiveSpan()).toBeUndefined();
  });
});

describe('figures', () => {
  it('every category is a number or unknown, never both and never neither', async () => {
    await start();
    const unknown = ['frequency', 'io_uring'] as const;
    const self: ReportFrame['self'] = { ...known, 'wakeup.idle_exit': 42_000.4, block: 7 };
    for (const category of unknown) delete self[category];
    answerWith(() => ({
      self,
      unknown: [...unknown],
      inclusive: { vfs: 99 },
      counts: { 'page_fault.major': 2 },
      wakeups: { total: 3, covered: 2, missed: 1 },
      shared: { ns: 5, candidates: 2 },
      cpuNs: 1234,
    }));
    await step('s', () => wait(sleep(2)));
    await until('its span', () => tracing.spans().length === 1);
    const { attributes } = tracing.span('s');
    expect(attributes).toMatchObject({
      'prewake.attribution.complete': true,
      'prewake.attribution.source': 'bpf',
      'prewake.slowpath.wakeup.idle_exit.self_ns': 42_000,
      'prewake.slowpath.block.self_ns': 7,
      'prewake.slowpath.irq.self_ns': 0,
      'prewake.slowpath.vfs.inclusive_ns': 99,
      'prewake.slowpath.page_fault.major.count': 2,
      'prewake.slowpath.unknown': [...unknown],
      'prewake.wakeups.total': 3,
      'prewake.wakeups.covered': 2,
      'prewake.wakeups.missed': 1,
      'prewake.attribution.shared_ns': 5,
      'prewake.attribution.candidates': 2,
      'prewake.cpu_ns': 1234,
      'prewake.step.id': hostd?.of('step')[0]?.id,
      'prewake.waits.count': 1,
      'prewake.waits.duration_ns': expect.any(Number),
    });
    expect(attributes).not.toHaveProperty('prewake.attribution.incomplete');
    for (const category of CATEGORIES) {
      const listed = (attributes['prewake.slowpath.unknown'] as string[]).includes(category);
      expect([category, typeof attributes[`prewake.slowpath.${category}.self_ns`]]).toEqual([
        category,
        listed ? 'undefined' : 'number',
      ]);
    }
  });

  it('a report that is not complete says why on the span', async () => {
    await start();
    answerWith(() => ({ complete: false, incomplete: 'recorder_late', unknown: [...KERNEL_CATEGORIES] }));
    step('s', () => {});
    await until('its span', () => tracing.spans().length === 1);
    expect(tracing.span('s').attributes).toMatchObject({
      'prewake.attribution.complete': false,
      'prewake.attribution.incomplete': 'recorder_late',
    });
    expect(stats()).toMatchObject({ finished: 1, incomplete: 1, held: 0 });
  });

  it('the largest slowpaths become child spans within the step, from the largest', async () => {
    await start();
    answerWith((id) => {
      const at = hostd?.step(id)?.at ?? 0;
      return {
        self: known,
        events: [
          { category: 'irq', at: at + 10, ns: 99_999 },
          { category: 'block', at: at + 100, ns: 300_000, detail: 'hardirq 27 → kworker' },
          { category: 'vfs', at: at + 200, ns: 200_000 },
          { category: 'runqueue', at: at - 5000, ns: 150_000 },
          { category: 'page_fault', at: at + 400, ns: 9e12 },
        ],
      };
    });
    await step('s', () => sleep(10));
    await until('four spans', () => tracing.spans().length === 4);
    const parent = tracing.span('s');
    const children = tracing.spans().filter((span) => span !== parent);
    expect(children.map((span) => span.name)).toEqual([
      'slowpath page_fault',
      'slowpath block',
      'slowpath vfs',
    ]);
    for (const child of children) {
      expect(child.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
      expect(nanos(child.startTime)).toBeGreaterThanOrEqual(nanos(parent.startTime));
      expect(nanos(child.endTime)).toBeLessThanOrEqual(nanos(parent.endTime));
    }
    const block = tracing.span('slowpath block');
    expect(block.attributes).toEqual({
      'prewake.slowpath.category': 'block',
      'prewake.slowpath.duration_ns': 300_000,
      'prewake.slowpath.detail': 'hardirq 27 → kworker',
    });
    // Wire times are exact to a nanosecond, epoch microseconds in a double to a quarter of a microsecond.
    const offset = Number(nanos(block.startTime) - nanos(parent.startTime));
    expect(Math.abs(offset - 100_000)).toBeLessThanOrEqual(500);
    expect(Math.abs(Number(nanos(block.endTime) - nanos(block.startTime)) - 300_000)).toBeLessThanOrEqual(
      500,
    );
  });

  it('slowpath spans can be switched off', async () => {
    await start({ slowpathSpans: { max: 0 } });
    answerWith((id) => ({ events: [{ category: 'irq', at: hostd?.step(id)?.at ?? 0, ns: 1e6 }] }));
    step('s', () => {});
    await until('its span', () => tracing.spans().length === 1);
    await until('nothing held', () => stats().held === 0);
    expect(tracing.spans()).toHaveLength(1);
  });
});

describe('the end of a span', () => {
  it('is the step’s and not the report’s', async () => {
    const server = await start({ holdMs: 10_000 });
    let release = () => {};
    server.answer = (frame, send) => {
      if (frame.type === 'step_end') release = () => send(emptyReport(frame.id));
    };
    await step('s', () => sleep(1));
    await until('step_end', () => server.of('step_end').length === 1);
    expect(tracing.spans()).toEqual([]);
    expect(stats().held).toBe(1);
    await sleep(50);
    release();
    await until('its span', () => tracing.spans().length === 1);
    const span = tracing.span('s');
    const lasted = (server.of('step_end')[0]?.at ?? 0) - (server.of('step')[0]?.at ?? 0);
    expect(Math.abs(Number(nanos(span.endTime) - nanos(span.startTime)) / 1e3 - lasted)).toBeLessThan(1);
  });

  it('without an answer it comes after the hold, as incomplete; a later report is counted', async () => {
    const server = await start({ holdMs: 20 });
    let release = () => {};
    server.answer = (frame, send) => {
      if (frame.type === 'step_end') release = () => send(emptyReport(frame.id));
    };
    step('s', () => {});
    await until('its span', () => tracing.spans().length === 1);
    expect(tracing.span('s').attributes).toMatchObject({
      'prewake.attribution.complete': false,
      'prewake.attribution.incomplete': 'held',
      'prewake.attribution.source': 'none',
    });
    expect(tracing.span('s').attributes['prewake.slowpath.unknown']).toEqual(
      expect.arrayContaining([...KERNEL_CATEGORIES]),
    );
    release();
    await until('the late report', () => stats().late === 1);
    expect(tracing.spans()).toHaveLength(1);
  });

  it('nothing is held any more for a hostd that has stopped answering, until it speaks again', async () => {
    const server = await start({ holdMs: 1 });
    server.answer = () => {};
    for (let i = 0; i < 3; i++) {
      step(`s${i}`, () => {});
      await until('its span', () => tracing.spans().length === i + 1);
    }
    step('at once', () => {});
    expect(tracing.spans()).toHaveLength(4);
    server.answer = (frame, send) => frame.type === 'step' && send({ type: 'pong', id: 1, at: 1 });
    await step('heard of', () => sleep(1));
    await until('hostd’s word', () => {
      const before = tracing.spans().length;
      step('probe', () => {});
      return tracing.spans().length === before;
    });
  });

  it.each([
    ['flush()', () => flush()],
    ['forceFlush()', () => tracing.provider.forceFlush()],
    ['the provider’s shutdown()', () => tracing.provider.shutdown()],
    ['shutdown()', () => shutdown()],
  ])('%s ends held spans at once, as incomplete', async (_name, end) => {
    const server = await start({ holdMs: 10_000 });
    server.answer = () => {};
    step('s', () => {});
    expect(tracing.spans()).toEqual([]);
    // The exporter forgets its spans when it is shut down: look at what it was given.
    const given: unknown[] = [];
    const { spans } = tracing;
    const ending = end();
    given.push(...spans().map((span) => span.attributes));
    await ending;
    expect(given).toMatchObject([
      { 'prewake.attribution.complete': false, 'prewake.attribution.incomplete': 'flushed' },
    ]);
  });

  it('a session that ends releases them', async () => {
    const server = await start({ holdMs: 10_000 });
    server.answer = () => {};
    step('s', () => {});
    await until('step_end', () => server.of('step_end').length === 1);
    await server.stop();
    await until('its span', () => tracing.spans().length === 1);
    expect(tracing.span('s').attributes['prewake.attribution.incomplete']).toBe('disconnected');
  });

  it('with no hold it ends at once, and hostd is not asked', async () => {
    const server = await start({ holdMs: 0 });
    step('s', () => {});
    expect(tracing.span('s').attributes).toMatchObject({
      'prewake.attribution.complete': false,
      'prewake.attribution.incomplete': 'held',
    });
    await until('its announcement', () => server.of('step_end').length === 1);
    expect(server.of('step')[0]?.report).toBe(false);
  });

  it('holds no more than it may: beyond that spans end at once', async () => {
    const server = await start({ holdMs: 10_000 });
    server.answer = () => {};
    for (let i = 0; i < 4100; i++) startStep('s').end();
    expect(stats().held).toBe(4096);
    expect(tracing.spans()).toHaveLength(4);
    expect(tracing.spans()[0]?.attributes['prewake.attribution.incomplete']).toBe('overload');
  });
});

it('an unsampled span is announced, but neither reported nor held', async () => {
  const server = await start({}, new AlwaysOffSampler());
  await step('outer', async () => {
    expect(trace.getActiveSpan()?.isRecording()).toBe(false);
    await step('inner', () => sleep(1));
  });
  expect(stats()).toMatchObject({ held: 0, finished: 0 });
  await until('both ends', () => server.of('step_end').length === 2);
  expect(server.of('step').map((frame) => frame.report)).toEqual([false, false]);
  expect(tracing.spans()).toEqual([]);
});

it('errors are marked by their type; messages only where asked for', async () => {
  await start();
  const boom = Object.assign(new RangeError('the secret prompt'), { code: 'E_BOOM' });
  await expect(step('coded', () => Promise.reject(boom))).rejects.toBe(boom);
  expect(() =>
    step('thrown', () => {
      throw undefined;
    }),
  ).toThrow();
  await until('both spans', () => tracing.spans().length === 2);
  const span = tracing.span('coded');
  expect(span.status).toEqual({ code: SpanStatusCode.ERROR });
  expect(span.attributes['error.type']).toBe('E_BOOM');
  expect(JSON.stringify([span.attributes, span.events, span.status])).not.toContain('secret');
  expect(tracing.span('thrown').attributes['error.type']).toBe('undefined');
  await shutdown();

  await hostd?.remove();
  tracing.stop();
  const server = await start({ recordExceptions: true });
  let release = () => {};
  server.answer = (frame, send) => {
    if (frame.type === 'step_end') release = () => send(emptyReport(frame.id));
  };
  await expect(step('coded', () => Promise.reject(boom))).rejects.toBe(boom);
  await until('step_end', () => server.of('step_end').length === 1);
  await sleep(5);
  release();
  await until('its span', () => tracing.spans().length === 1);
  const { status, events, endTime } = tracing.span('coded');
  expect(status.message).toBe('the secret prompt');
  // However long the span was held, its error is of when the step failed.
  expect(events.map(({ name, time }) => [name, time])).toEqual([['exception', endTime]]);
});
