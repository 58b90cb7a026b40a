import { execFile } from 'node:child_process';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { emptyReport, TestHostd } from '../hostd.testkit.ts';

/** Applications with another OpenTelemetry than the one that these tests are installed with: each in a process of its own. */
let hostd: TestHostd;

beforeEach(async () => {
  hostd = await new TestHostd().listen();
});

afterEach(() => hostd.remove());

const here = JSON.stringify(import.meta.url);
const sdk = JSON.stringify(new URL('../index.js', import.meta.url.replace('/src/', '/dist/')).href);

/** Makes every import of the API, the SDK's own included, one of the 1.9 line: what such an application has installed. */
const API_1_9 = `
  import { registerHooks } from 'node:module';
  registerHooks({
    resolve: (name, context, next) =>
      name === '@opentelemetry/api' ? next('otel-api-1.9', { ...context, parentURL: ${here} }) : next(name, context),
  });
`;

const LINE_2 = `
  import { NodeTracerProvider, SimpleSpanProcessor } from 'otel-sdk-2';
  const begin = (first, exporter) => {
    const provider = new NodeTracerProvider({ spanProcessors: [first, new SimpleSpanProcessor(exporter)] });
    provider.register();
    return provider;
  };
`;

const LINE_3 = `
  import { NodeSDK } from '@opentelemetry/sdk-node';
  import { SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
  const begin = (first, exporter) => {
    const spanProcessors = [first, new SimpleSpanProcessor({ exporter })];
    // Resource detectors are asynchronous, and SimpleSpanProcessor exports nothing before they are done.
    const sdk = new NodeSDK({ spanProcessors, instrumentations: [], autoDetectResources: false });
    sdk.start();
    return sdk;
  };
`;

const APPLICATION = `
  import { trace } from '@opentelemetry/api';
  import { connect, PrewakeSpanProcessor, startStep, step, tool, wait } from ${sdk};
  const spans = [];
  const exporter = {
    export: (batch, done) => { spans.push(...batch); done({ code: 0 }); },
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  const provider = begin(new PrewakeSpanProcessor(), exporter);
  const prewake = connect({ holdMs: 10_000 });
  if (!(await prewake.ready(20_000))) throw new Error('no session');
  await trace.getTracer('user').startActiveSpan('request', async (request) => {
    await step({ kind: 'agent', key: 'planner' }, async () => {
      await step({ kind: 'llm', key: 'gpt-4o' }, () => wait(new Promise((resolve) => setTimeout(resolve, 5))));
      await Promise.all(['a', 'b'].map((name) => tool(name, async () => { await null; })));
      const entered = startStep('entered');
      const leave = entered.enter();
      startStep('within').end();
      trace.getTracer('user').startSpan('user within').end();
      leave();
      entered.end();
    });
    request.end();
  });
  await prewake.settled();
  const settled = spans.length;
  step('unanswered', () => {});
  await provider.shutdown();
  const id = (span) => span.spanContext().spanId;
  console.log(JSON.stringify({
    settled,
    spans: spans.map((span) => ({
      name: span.name,
      parent: spans.find((other) => id(other) === span.parentSpanContext?.spanId)?.name ?? null,
      attributes: span.attributes,
      inside: (() => {
        const parent = spans.find((other) => id(other) === span.parentSpanContext?.spanId);
        const at = ([s, n]) => BigInt(s) * 1000000000n + BigInt(n);
        return !parent || (at(span.startTime) >= at(parent.startTime) && at(span.endTime) <= at(parent.endTime));
      })(),
    })),
  }));
`;

async function run(...parts: string[]) {
  const { answer } = hostd;
  hostd.answer = (frame, send) => {
    const begun = frame.type === 'step_end' ? hostd.step(frame.id) : undefined;
    if (begun?.key === 'unanswered') return;
    if (begun?.key !== 'gpt-4o') return answer(frame, send);
    const event = { category: 'block', at: begun.at + 1000, ns: 500_000 } as const;
    send({ ...emptyReport(begun.id), self: { block: 500_000 }, events: [event] });
  };
  const args = ['--input-type=module'];
  if (parts[0] === API_1_9) args.push('--import', `data:text/javascript,${encodeURIComponent(API_1_9)}`);
  const script = parts.filter((part) => part !== API_1_9).join('\n');
  const env = {
    ...process.env,
    PREWAKE_SOCKET: hostd.socketPath,
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
  };
  const cwd = new URL('..', import.meta.url).pathname;
  const output = await new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      [...args, '-e', script],
      { env, cwd, timeout: 50_000 },
      (error, stdout, stderr) => (error ? reject(new Error(stderr, { cause: error })) : resolve(stdout)),
    );
  });
  interface Seen {
    name: string;
    parent: string | null;
    inside: boolean;
    attributes: Record<string, unknown>;
  }
  return JSON.parse(output) as { settled: number; spans: Seen[] };
}

it.each([
  ['SDK 2.x with API 1.9', [API_1_9, LINE_2], 'request'],
  ['SDK 0.30x (3.x) with API 1.10', [LINE_3], 'entered'],
])(
  '%s: spans, parents, child spans, reports, and a held span at shutdown',
  async (_name, parts, userParent) => {
    const { settled, spans } = await run(...parts, APPLICATION);
    const parents = Object.fromEntries(spans.map((span) => [span.name, span.parent]));
    expect(parents).toEqual({
      request: null,
      'invoke_agent planner': 'request',
      'chat gpt-4o': 'invoke_agent planner',
      'slowpath block': 'chat gpt-4o',
      'execute_tool a': 'invoke_agent planner',
      'execute_tool b': 'invoke_agent planner',
      entered: 'invoke_agent planner',
      within: 'entered',
      // The older API has no way to make a context active without a function: other people's spans keep their parent.
      'user within': userParent === 'entered' ? 'entered' : 'invoke_agent planner',
      unanswered: null,
    });
    expect(settled).toBe(9);
    // Among our own spans; others keep time by the millisecond.
    const own = spans.filter(({ name, parent }) => !name.startsWith('user') && parent !== 'request');
    expect(own.filter((span) => !span.inside)).toEqual([]);
    const chat = spans.find((span) => span.name === 'chat gpt-4o');
    expect(chat?.attributes).toMatchObject({
      'prewake.attribution.complete': true,
      'prewake.slowpath.block.self_ns': 500_000,
    });
    const unanswered = spans.find((span) => span.name === 'unanswered');
    expect(unanswered?.attributes).toMatchObject({ 'prewake.attribution.incomplete': 'flushed' });
  },
);
