import fc from 'fast-check';
import * as client from 'prom-client';
import { expect, test } from 'vitest';
import { Metrics } from './metrics.ts';

const count = fc.nat();
const amount = fc.oneof(fc.double({ min: 0, max: 1e9, noNaN: true }), count);
const label = fc.oneof(fc.string(), fc.constantFrom('a\nb', 'a"b', 'a\\b', '\\n', '', 'a,b:c'));
const lateness = fc.oneof(
  amount,
  fc.double({ min: 0, max: 0.1, noNaN: true }),
  fc.constantFrom(0.0001, 0.05),
);

const happenings = fc.record({
  sessions: count,
  openWaits: count,
  leases: count,
  buckets: fc.uniqueArray(
    fc.record({
      bucket: fc.oneof(label, fc.constantFrom('host', 'user:0', 'cgroup:/x')),
      tokens: amount,
      refilled: amount,
    }),
    { selector: ({ bucket }) => bucket },
  ),
  armed: fc.array(fc.tuple(label, amount)),
  records: fc.record({ read: count, lost: count }),
  foreignWriters: count,
  waits: fc.array(fc.record({ kind: label, plan: label, open: label })),
  refused: fc.array(fc.record({ reason: label })),
  budgetChanges: fc.array(fc.record({ scope: label, state: label })),
  reports: fc.array(fc.record({ complete: label })),
  frameErrors: fc.record({ connected: count, ended: fc.array(count) }),
  lateness: fc.array(lateness),
});
type Happenings = typeof happenings extends fc.Arbitrary<infer T> ? T : never;

test('the page is, to the byte, what prom-client writes of the same counted by itself', async () => {
  await fc.assert(
    fc.asyncProperty(happenings, async (all) => {
      const registry = countedByClient(all);
      expect(await metricsOf(all).page()).toEqual({
        contentType: registry.contentType,
        text: await registry.metrics(),
      });
    }),
  );
});

test('what is kept elsewhere is read anew for each page', async () => {
  let sessions = 1;
  const metrics = new Metrics({ ...sourcesOf(NOTHING), sessions: () => sessions });
  expect((await metrics.page()).text).toMatch(/^prewake_sessions 1$/m);
  sessions = 0;
  expect((await metrics.page()).text).toMatch(/^prewake_sessions 0$/m);
});

const NOTHING: Happenings = {
  ...{ sessions: 0, openWaits: 0, leases: 0, foreignWriters: 0, records: { read: 0, lost: 0 } },
  ...{ buckets: [], armed: [], waits: [], refused: [], budgetChanges: [], reports: [] },
  ...{ frameErrors: { connected: 0, ended: [] }, lateness: [] },
};

const sourcesOf = (all: Happenings) => ({
  sessions: () => all.sessions,
  openWaits: () => all.openWaits,
  leases: () => all.leases,
  buckets: () => all.buckets,
  armedSeconds: () => all.armed,
  records: () => all.records,
  foreignWriters: () => all.foreignWriters,
  frameErrors: () => all.frameErrors.connected,
});

function metricsOf(all: Happenings): Metrics {
  const metrics = new Metrics(sourcesOf(all));
  for (const labels of all.waits) metrics.waits.inc(labels);
  for (const labels of all.refused) metrics.refused.inc(labels);
  for (const labels of all.budgetChanges) metrics.budgetChanges.inc(labels);
  for (const labels of all.reports) metrics.reports.inc(labels);
  for (const errors of all.frameErrors.ended) metrics.frameErrors += errors;
  for (const seconds of all.lateness) metrics.armLateness.observe(seconds);
  return metrics;
}

function countedByClient(all: Happenings): client.Registry {
  const registry = new client.Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, value: number) =>
    new client.Gauge({ name, help, registers }).set(value);
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new client.Counter({ name, help, labelNames, registers });
  const counted = (name: string, help: string, labels: Record<string, string>[], labelNames: string[]) => {
    const each = counter(name, help, labelNames);
    for (const one of labels) each.inc(one);
  };

  gauge('prewake_sessions', 'Connected sessions', all.sessions);
  gauge('prewake_open_waits', 'Waits that have begun and not ended', all.openWaits);
  gauge('prewake_leases', 'Leases held on guards', all.leases);
  const tokens = new client.Gauge({
    name: 'prewake_budget_tokens',
    help: 'Weighted armed CPU-milliseconds in a bucket (host and users)',
    labelNames: ['bucket'],
    registers,
  });
  const refill = 'Tokens that refill has added to a bucket (host and users)';
  const refills = counter('prewake_budget_refilled_tokens_total', refill, ['bucket']);
  for (const { bucket, tokens: left, refilled } of all.buckets) {
    if (bucket.startsWith('cgroup:')) continue;
    tokens.set({ bucket }, left);
    refills.inc({ bucket }, refilled);
  }
  const armed = counter('prewake_armed_seconds_total', 'Time that targets were held, by guard', ['guard']);
  for (const [guard, seconds] of all.armed) armed.inc({ guard }, seconds);
  counter('prewake_records_total', 'Records read from the ring').inc(all.records.read);
  counter('prewake_records_lost_total', 'Records that a full ring dropped').inc(all.records.lost);
  const foreign = 'Claims given up because another tool wrote the control';
  counter('prewake_foreign_writers_total', foreign).inc(all.foreignWriters);
  const errors = counter('prewake_frame_errors_total', 'Frames that were refused');
  for (const by of [all.frameErrors.connected, ...all.frameErrors.ended]) errors.inc(by);
  const ended = 'Ended waits, by kind, plan and whether a window was open at the end';
  counted('prewake_waits_total', ended, all.waits, ['kind', 'plan', 'open']);
  counted('prewake_refused_total', 'Leases refused or cut, by reason', all.refused, ['reason']);
  const changes = 'Budgets degraded and recovered, by scope (host, user, cgroup)';
  counted('prewake_budget_changes_total', changes, all.budgetChanges, ['scope', 'state']);
  counted('prewake_reports_total', 'Step reports sent', all.reports, ['complete']);
  const late = new client.Histogram({
    name: 'prewake_arm_lateness_seconds',
    help: 'From the planned start of a window to its guards being written',
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05],
    registers,
  });
  for (const seconds of all.lateness) late.observe(seconds);
  return registry;
}
