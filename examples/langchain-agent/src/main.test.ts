import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { createModelServer } from './model-server.ts';
import { scenario } from './scenario.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('./main.ts', import.meta.url));

/** Runs the agent in a process of its own, as a user does. */
function agent(args: string[], env: NodeJS.ProcessEnv = {}) {
  const { OPENAI_API_KEY: _, ...inherited } = process.env;
  return run(process.execPath, [main, ...args], {
    env: { ...inherited, PREWAKE_SOCKET: '/nowhere/hostd.sock', ...env },
    timeout: 60_000,
  });
}

interface Span {
  spanId: string;
  parentSpanId?: string;
  name: string;
  attributes: Record<string, unknown>;
}

test('the agent completes its steps, and prints the same bytes with Prewake and without', {
  timeout: 120_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'prewake-agent-test-'));
  const file = join(directory, 'spans.jsonl');
  const [first, second] = await Promise.all([
    agent(['--speed', '50', '--json', '--spans', file]),
    agent(['--speed', '100', '--seed', '7', '--json'], { PREWAKE_DISABLED: '1' }),
  ]);
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  await rm(directory, { recursive: true });

  expect(second.stdout).toBe(first.stdout);
  const result = JSON.parse(first.stdout);
  expect(result.steps.model + result.steps.tool).toBeGreaterThanOrEqual(64);
  expect(result.tools).toHaveLength(result.steps.tool);
  expect(new Set(result.tools.map((tool: { name: string }) => tool.name))).toEqual(
    new Set(['search_files', 'read_file', 'run_command', 'query_sql']),
  );
  expect(result.tools.every((tool: { status: string }) => tool.status === 'success')).toBe(true);
  expect(result.answer).toMatch(/looked into \d+ topics and found [1-9]\d* places/);

  const spans = lines.map((line) => JSON.parse(line) as Span);
  const steps = spans.filter((span) => !span.name.startsWith('slowpath '));
  const [root, ...others] = steps.filter((span) => span.parentSpanId === undefined);
  expect(root?.name).toBe('invoke_agent source-reader');
  expect(others).toEqual([]);
  expect(steps.filter((span) => span.parentSpanId === root?.spanId)).toHaveLength(steps.length - 1);
  expect(steps.filter((span) => span.name === 'chat together/llama-2-70b-chat')).toHaveLength(
    result.steps.model,
  );
  expect(steps.filter((span) => span.name.startsWith('execute_tool '))).toHaveLength(result.steps.tool);
  expect(steps.every((span) => 'prewake.attribution.complete' in span.attributes)).toBe(true);
});

test.each(['http/protobuf', 'http/json'])(
  'OTEL_EXPORTER_OTLP_ENDPOINT gets the spans, as %s',
  async (protocol) => {
    const bodies: Buffer[] = [];
    const backend = createServer(async (request, response) => {
      if (request.url === '/v1/traces') bodies.push(await buffer(request));
      response.end();
    });
    backend.listen(0, '127.0.0.1');
    await once(backend, 'listening');
    await agent(['--speed', '100', '--steps', '5'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(backend.address() as AddressInfo).port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    });
    backend.close();
    const text = Buffer.concat(bodies).toString('latin1');
    for (const name of ['invoke_agent source-reader', 'execute_tool query_sql', 'prewake.step.id'])
      expect(text).toContain(name);
  },
);

test('OPENAI_API_KEY and OPENAI_BASE_URL name another service, and the agent says which', async () => {
  const service = createModelServer({ reply: scenario(9), seed: 1, speed: 100 });
  const keys: (string | undefined)[] = [];
  service.on('request', (request) => keys.push(request.headers.authorization));
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const baseURL = `http://127.0.0.1:${(service.address() as AddressInfo).port}/v1`;
  const { stdout, stderr } = await agent(['--model', 'fireworks/llama-2-7b-chat', '--json'], {
    OPENAI_API_KEY: 'a-key',
    OPENAI_BASE_URL: baseURL,
  });
  service.closeAllConnections();
  service.close();
  expect(stderr).toBe(`model: fireworks/llama-2-7b-chat at ${baseURL}\n`);
  const { steps } = JSON.parse(stdout);
  expect(steps.model + steps.tool).toBeGreaterThanOrEqual(9);
  expect(keys).toEqual(Array(steps.model).fill('Bearer a-key'));
});

test('--help and a wrong option', async () => {
  expect((await agent(['--help'])).stdout).toContain('--speed F');
  const wrong = await agent(['--steps', 'many']).catch((error) => error);
  expect(wrong).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--steps: many is not an integer'),
  });
});
