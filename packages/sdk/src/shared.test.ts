import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

/** What npm makes of two packages that ask for different versions: two copies of the compiled SDK in one process. */
const root = fileURLToPath(new URL('..', import.meta.url.replace('/dist/', '/src/')));
let second: string;

beforeEach(() => {
  second = mkdtempSync(join(tmpdir(), 'prewake-copy-'));
  cpSync(join(root, 'dist'), join(second, 'dist'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(second, 'node_modules'));
  writeFileSync(join(second, 'package.json'), '{ "type": "module" }');
});

afterEach(() => rmSync(second, { recursive: true, force: true }));

const first = () => JSON.stringify(pathToFileURL(join(root, 'dist/index.js')));
const other = () => JSON.stringify(pathToFileURL(join(second, 'dist/index.js')));

function edit(file: string, change: (source: string) => string): void {
  const path = join(second, 'dist', file);
  const source = readFileSync(path, 'utf8');
  expect(change(source)).not.toBe(source);
  writeFileSync(path, change(source));
}

const asOtherVersion = () => edit('version.js', (source) => source.replace(/'\d+\.\d+\.\d+'/, "'99.0.0'"));

async function run(script: string): Promise<unknown> {
  const args = ['--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: 50_000 });
  return JSON.parse(stdout);
}

const application = () => `
  import * as application from ${first()};
  import * as adapter from ${other()};
  import { trace } from '@opentelemetry/api';
  import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
  const warnings = [];
  process.on('warning', ({ code }) => warnings.push(code));
  const exporter = new InMemorySpanExporter();
  const spanProcessors = [new adapter.PrewakeSpanProcessor(), new SimpleSpanProcessor({ exporter })];
  const provider = new TracerProvider({ spanProcessors });
  trace.setGlobalTracerProvider(provider);
  application.connect({ socket: '/nowhere/hostd.sock', holdMs: 10_000 });
  await application.step('outer', () => adapter.step('middle', () => application.step('inner', async () => {})));
  await provider.forceFlush();
  const spans = exporter.getFinishedSpans();
  const name = (id) => spans.find((span) => span.spanContext().spanId === id)?.name;
  console.log(JSON.stringify({
    warnings,
    state: adapter.stats().state === application.stats().state && adapter.stats().state !== 'off',
    spans: Object.fromEntries(spans.map((span) => [span.name, name(span.parentSpanContext?.spanId) ?? null])),
  }));
`;
const spans = { outer: null, middle: 'outer', inner: 'middle' };

it('two copies of one version are one: steps, parents, and the processor that releases what is held', async () => {
  expect(await run(application())).toEqual({ warnings: [], state: true, spans });
});

it('of two versions the one that was loaded first does the work, and it is said', async () => {
  asOtherVersion();
  expect(await run(application())).toEqual({ warnings: ['PREWAKE_TWO_COPIES'], state: true, spans });
});

it('what the first lacks changes nothing', async () => {
  asOtherVersion();
  edit('own.js', (source) => source.replace(/.*startStep.*/, ''));
  const script = `
    import { connect } from ${other()};
    import { startStep, step } from ${first()};
    connect({ socket: '/nowhere/hostd.sock' });
    const begun = startStep('new');
    const result = begun.run(() => step('known', () => 42));
    begun.end();
    console.log(JSON.stringify(result));
  `;
  expect(await run(script)).toBe(42);
});
