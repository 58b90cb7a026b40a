import { afterEach, expect, it } from 'vitest';
import { connect, shutdown, stats } from '../index.ts';
import { startTracing } from './tracing.testkit.ts';

const key = Symbol.for('opentelemetry.js.api.1');
const globals = globalThis as Record<symbol, unknown>;

afterEach(async () => {
  await shutdown();
  delete globals[key];
});

it('a provider that our API can’t use is said once, and seen in stats()', async () => {
  const warnings: (string | undefined)[] = [];
  const onWarning = (warning: Error & { code?: string }) => warnings.push(warning.code);
  process.on('warning', onWarning);
  try {
    globals[key] = { version: '1.0.0', trace: {} };
    connect({ socket: '/nowhere/hostd.sock' });
    expect([stats().tracing, stats().tracing]).toEqual(['mismatch', 'mismatch']);
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(warnings.filter((code) => code === 'PREWAKE_OTEL_MISMATCH')).toHaveLength(1);
  } finally {
    process.off('warning', onWarning);
  }
});

it('no provider, and one of our own API, are fine', () => {
  delete globals[key];
  expect(stats().tracing).toBe('none');
  const tracing = startTracing();
  connect({ socket: '/nowhere/hostd.sock' });
  expect(stats().tracing).toBe('sdk');
  tracing.stop();
});
