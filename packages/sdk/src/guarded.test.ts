import { trace } from '@opentelemetry/api';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, expect, it } from 'vitest';
import { TestHostd, until } from './hostd.testkit.ts';
import { connect, shutdown, step, wait } from './index.ts';

afterEach(async () => {
  await shutdown();
  trace.disable();
});

/** A processor of the application that is broken in one place. */
function broken(where: 'onStart' | 'onEnd'): SpanProcessor {
  const sound = { onStart() {}, onEnd() {}, forceFlush: async () => {}, shutdown: async () => {} };
  return {
    ...sound,
    [where]: () => {
      throw new Error(`broken ${where}`);
    },
  };
}

it.each(['onStart', 'onEnd'] as const)(
  'a span processor that throws in %s does not reach the agent',
  async (where) => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [broken(where)] }));
    const hostd = await new TestHostd().listen();
    try {
      expect(await connect({ socket: hostd.socketPath }).ready(10_000)).toBe(true);
      const sleep = new Promise((resolve) => setTimeout(resolve, 1));
      expect(await step('s', () => wait(sleep.then(() => 42)))).toBe(42);
      const boom = new Error('boom');
      await expect(step('s', () => Promise.reject(boom))).rejects.toBe(boom);
      // The report comes in a callback of ours: nothing is there to catch what it throws.
      if (where === 'onEnd') await until('both ends', () => hostd.of('step_end').length === 2);
      await new Promise((resolve) => setTimeout(resolve, 20));
      for (const warning of warnings) expect(warning.message).toContain('broken');
    } finally {
      process.off('warning', onWarning);
      await hostd.remove();
    }
  },
);

it('a tracer provider that throws costs the spans, and nothing else', async () => {
  const tracerProvider = {
    getTracer: () => {
      throw new Error('broken getTracer');
    },
  };
  const hostd = await new TestHostd().listen();
  try {
    expect(await connect({ socket: hostd.socketPath, tracerProvider }).ready(10_000)).toBe(true);
    expect(step('s', () => 42)).toBe(42);
    await until('its end', () => hostd.of('step_end').length === 1);
  } finally {
    await shutdown();
    await hostd.remove();
  }
});

it.each([
  null,
  { slowpathSpans: null, signals: null, tracerProvider: null },
  { socket: 5 },
  { signals: 'all' },
])('connect(%j), from code that no compiler has seen, does not throw', async (options) => {
  expect(() => connect(options as never)).not.toThrow();
  expect(await step('s', async () => 42)).toBe(42);
});
