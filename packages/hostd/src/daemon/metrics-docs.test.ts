import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { defaultConfig } from './config.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { ask, step, stepId, WireClient, wait } from './wire-client.testkit.ts';

const text = readFileSync(new URL('../../../../docs/metrics.md', import.meta.url), 'utf8');
const code = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

/** As docs/metrics.md has them. */
const documented = rows
  .filter((row) => row.length === 7)
  .map(([, name = '', type, labels = '', unit, meaning]) => ({
    ...{ name: code(name)[0] ?? '', type, meaning, labels: code(labels), unit },
  }));
const values = new Map(
  rows.filter((row) => row.length === 4).map(([, label = '', cell = '']) => [code(label)[0], code(cell)]),
);

const dir = mkdtempSync(join(tmpdir(), 'prewake-metrics-'));
let daemon: Daemon;

beforeAll(async () => {
  const config = defaultConfig({ env: {}, root: true, cpus: 2 });
  Object.assign(config, { socket: join(dir, 'hostd.sock'), runtimeDir: dir, stateDir: dir });
  // Every wait is armed from its beginning, and nobody can pay for more than its first moments.
  Object.assign(config.policy, { armedShare: 1, holdout: 0 });
  const limit = { refillPerSecond: 200, capacity: 25, recovery: 0.9 };
  Object.assign(config.budget, { host: limit, user: limit, cgroup: limit });
  daemon = await startDaemon(config, { dryRun: true, log: () => {} });
});
afterAll(async () => {
  await daemon.stop('end of test');
  rmSync(dir, { recursive: true, force: true });
});

interface Scrape {
  types: Record<string, string>;
  help: Record<string, string>;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

async function scrape(): Promise<Scrape> {
  const found: Scrape = { types: {}, help: {}, samples: [] };
  for (const line of (await ask(daemon.socketPath, '/metrics')).body.split('\n')) {
    const [, what, name = '', rest = ''] = /^# (TYPE|HELP) (\S+) (.+)$/.exec(line) ?? [];
    if (what === 'TYPE') found.types[name] = rest;
    if (what === 'HELP') found.help[name] = rest;
    const [, series, labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (!series) continue;
    const pairs = [...labels.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, label = '', of = '']) => [label, of]);
    found.samples.push({ name: series, labels: Object.fromEntries(pairs), value: Number(value) });
  }
  return found;
}

it('names each metric with its type and its meaning, and none that there is not', async () => {
  const { types, help } = await scrape();
  expect(documented.map(({ name, type, meaning }) => [name, type, meaning]).sort()).toEqual(
    Object.entries(types)
      .map(([name, type]) => [name, type, help[name]])
      .sort(),
  );
  for (const { name, unit } of documented) expect(unit === 'seconds').toBe(name.includes('_seconds'));
});

it('names the labels and their values', async (ctx) => {
  const { guards } = JSON.parse((await ask(daemon.socketPath, '/v1/capabilities')).body);
  if (!guards.some((guard: { guard: string; chosen: boolean }) => guard.chosen && /^idle/.test(guard.guard)))
    ctx.skip('no idle guard on this machine: nothing costs a token');
  const events = await follow();
  const client = await WireClient.connect(daemon.socketPath);
  client.send({ type: 'dance' });
  let { samples } = await scrape();
  const seriesOf = ({ name, type }: (typeof documented)[number]) =>
    samples.filter((sample) => sample.name === (type === 'histogram' ? `${name}_count` : name));
  for (let id = 1; documented.some((metric) => seriesOf(metric).length === 0); id++) {
    const stepOf = stepId();
    client.send(step(stepOf), wait(id, stepOf));
    await sleep(50);
    const at = monotonicMicros();
    client.send({ type: 'wait_end', id, at }, { type: 'step_end', id: stepOf, at });
    await client.frame('report', (report) => report.step === stepOf);
    ({ samples } = await scrape());
  }
  expect(await events('budget', 'recovered')).toMatchObject({ refilled: expect.toSatisfy((sum) => sum > 0) });

  ({ samples } = await scrape());
  for (const metric of documented) {
    for (const { labels: seen } of seriesOf(metric)) {
      expect(Object.keys(seen), metric.name).toEqual(metric.labels);
      for (const [label, value] of Object.entries(seen))
        expect(values.get(label), label).toContain(value.replace(/^user:\d+$/, 'user:UID'));
    }
  }
  const total = (wanted: string) => samples.find(({ name }) => name === wanted)?.value;
  expect(total('prewake_frame_errors_total')).toBe(1);
  expect(total('prewake_arm_lateness_seconds_count')).toBeGreaterThan(0);
  expect(total('prewake_budget_refilled_tokens_total')).toBeGreaterThan(0);
  await client.end();
});

/** Follows hostd's events from here on; what it returns gives the next one of a type and a state. */
async function follow(): Promise<(type: string, state: string) => Promise<object>> {
  const call = request({ socketPath: daemon.socketPath, path: '/v1/events', agent: false }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  const lines = createInterface(response)[Symbol.asyncIterator]();
  return async (type, state) => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`hostd ended without ${type} ${state}`);
      const event = value.startsWith('data: ') ? JSON.parse(value.slice('data: '.length)) : {};
      if (event.type === type && event.state === state) return event;
    }
  };
}
