import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import { connect, shutdown, stats } from '../index.ts';
import { startTracing } from './tracing.testkit.ts';

const key = Symbol.for('opentelemetry.js.api.1');
const globals = globalThis as Record<symbol, unknown>;

afterEach(async () => {
  await shutdown();
  delete globals[key];
});

const stale = { version: '1.0.0', trace: {} };

/** Runs it in a process of its own, since a warning comes once in each. @returns the codes of its warnings */
async function warnings(script: string): Promise<string[]> {
  const sdk = JSON.stringify(new URL('../index.js', import.meta.url.replace('/src/', '/dist/')));
  const source = `
    import { connect, stats, step } from ${sdk};
    const codes = [];
    process.on('warning', ({ code }) => codes.push(code));
    const register = () => { globalThis[Symbol.for('opentelemetry.js.api.1')] = ${JSON.stringify(stale)}; };
    ${script}
    setImmediate(() => console.log(JSON.stringify(codes)));
  `;
  const args = ['--input-type=module', '-e', source];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 50_000 });
  return JSON.parse(stdout);
}

it('a provider that our API can’t use is seen in stats()', () => {
  globals[key] = stale;
  connect({ socket: '/nowhere/hostd.sock' });
  expect(stats().tracing).toBe('mismatch');
});

it.each([
  ['before connect()', `register(); connect({ socket: '/nowhere/hostd.sock' });`],
  [
    'after it, with the first step',
    `connect({ socket: '/nowhere/hostd.sock' }); step('none yet', () => {}); register(); step('x', () => {});`,
  ],
])('it is said once where it was registered %s', async (_, script) => {
  const later = `step('y', () => {});`;
  expect(await warnings(`${script} ${later}`)).toEqual(['PREWAKE_OTEL_MISMATCH']);
});

it('and not where another one was given', async () => {
  const script = `
    const provider = { getTracer: () => ({ startSpan: () => ({ isRecording: () => false, spanContext: () => ({}), end() {} }) }) };
    register();
    connect({ socket: '/nowhere/hostd.sock', tracerProvider: provider });
    step('x', () => {});
  `;
  expect(await warnings(script)).toEqual([]);
});

it('no provider, and one of our own API, are fine', () => {
  delete globals[key];
  expect(stats().tracing).toBe('none');
  const tracing = startTracing();
  connect({ socket: '/nowhere/hostd.sock' });
  expect(stats().tracing).toBe('sdk');
  tracing.stop();
});
