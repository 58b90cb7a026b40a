import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestHostd, until } from '../hostd.testkit.ts';
import { connect, PrewakeSpanProcessor, shutdown, step, tool, wait } from '../index.ts';

// The set-up that most applications have: OTLP over HTTP, in batches. Its requests are node:http's, as the agent's are.

let hostd: TestHostd;
let collector: Server;
let provider: TracerProvider;
let posts: number;

beforeEach(async () => {
  posts = 0;
  // Busy at first, whose answer would do most harm: a new known end for whatever waits.
  collector = createServer((request, response) => {
    response.writeHead(posts++ === 0 ? 503 : 200, { 'retry-after': '30' });
    request.resume().on('end', () => response.end());
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo;
  const exporter = new OTLPTraceExporter({ url: `http://127.0.0.1:${port}/v1/traces`, timeoutMillis: 2_000 });
  const batches = new BatchSpanProcessor({ exporter, scheduledDelayMillis: 10 });
  provider = new TracerProvider({ spanProcessors: [new PrewakeSpanProcessor(), batches] });
  trace.setGlobalTracerProvider(provider);
  hostd = await new TestHostd().listen();
});

afterEach(async () => {
  await shutdown();
  trace.disable();
  context.disable();
  await hostd.remove();
  await provider.shutdown();
  collector.closeAllConnections();
  await new Promise((resolve) => collector.close(resolve));
});

/** A step that waits for the first export without any request of its own. */
const waitForExport = () => wait(() => until('an export', () => posts > 0), { kind: 'llm', key: 'slow' });

it('an export that a span of the step’s own code began says nothing of its wait', async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  expect(await connect({ socket: hostd.socketPath }).ready(10_000)).toBe(true);
  await step('agent', async () => {
    trace.getTracer('user').startSpan('own').end();
    await waitForExport();
  });
  await until('the end', () => hostd.of('step_end').length === 1);
  expect(hostd.of('signal')).toEqual([]);
});

it.each([
  ['for want of its figures', { holdMs: 20 }],
  ['with its step', { holdMs: 0 }],
])(
  'nor does one that a span of ours began which was ended %s, where no context manager tells them apart',
  async (_, hold) => {
    hostd.answer = () => {};
    expect(await connect({ socket: hostd.socketPath, ...hold }).ready(10_000)).toBe(true);
    await step('agent', async () => {
      await tool('quick', async () => {});
      await waitForExport();
    });
    await until('both ends', () => hostd.of('step_end').length === 2);
    expect(hostd.of('signal')).toEqual([]);
  },
);
