/** One variant of the loop of `sdk-cost`, in a process of its own: prints nanoseconds a step. */
import { trace } from '@opentelemetry/api';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-node';
import { connect, PrewakeSpanProcessor, shutdown, stats, step, wait } from '@prewake/sdk';

const [variant = '', count = ''] = process.argv.slice(2);
const steps = Number(count);

class Discard implements SpanExporter {
  export(_spans: ReadableSpan[], done: (result: { code: number }) => void): void {
    done({ code: 0 });
  }
  async shutdown(): Promise<void> {}
}

const spans = variant.endsWith('span');
const sdk = spans
  ? new NodeTracerProvider({
      spanProcessors: [
        ...(variant === 'span' ? [] : [new PrewakeSpanProcessor()]),
        new BatchSpanProcessor(new Discard(), { maxQueueSize: 2 ** 20 }),
      ],
    })
  : undefined;
sdk?.register();

if (variant !== 'none' && variant !== 'span') {
  connect();
  // Looking for a hostd settles; what is measured is the steady state.
  await new Promise((resolve) => setTimeout(resolve, 300));
}
if (variant.startsWith('hostd')) {
  for (let tries = 0; stats().state !== 'open' && tries < 500; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  if (stats().state !== 'open') throw new Error('no hostd');
}

const nothing = () => Promise.resolve();
const tracer = trace.getTracer('bench');
const once: Record<string, () => Promise<unknown>> = {
  none: nothing,
  span: () =>
    tracer.startActiveSpan('step', async (span) => {
      await nothing();
      span.end();
    }),
};
const prewake = () => step('bench', () => wait(nothing, {}));
const run = once[variant] ?? prewake;

for (let i = 0; i < Math.min(steps, 5000); i++) await run();
globalThis.gc?.();
const began = process.hrtime.bigint();
for (let i = 0; i < steps; i++) await run();
const ns = Number(process.hrtime.bigint() - began) / steps;
process.stdout.write(String(ns));
await shutdown();
await sdk?.shutdown();
process.exit(0);
