import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { afterEach, expect, it } from 'vitest';
import { connect, shutdown, signal, step, tool, wait } from '../index.ts';
import { startTracing } from './tracing.testkit.ts';

let tracing: ReturnType<typeof startTracing>;
afterEach(async () => {
  await shutdown();
  tracing.stop();
});

async function record(options: { metrics?: boolean }) {
  tracing = startTracing();
  connect({ socket: '/nowhere/hostd.sock', holdMs: 0, ...options });
  await step('before there is a provider', () => tool('Grep', async () => {}));
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
  metrics.setGlobalMeterProvider(provider);
  await step({ kind: 'llm', key: 'gpt-4o', provider: 'openai' }, () =>
    wait(async () => signal('first_token')),
  );
  await step({ kind: 'agent', key: 'planner' }, async () => {});
  await step({ kind: 'llm', key: 'davinci', operation: 'text_completion' }, async () => {});
  await step('own kind', async () => {});
  await tool('Grep', async () => {});
  await tool('Grep', () => Promise.reject(new RangeError('no'))).catch(() => {});
  await provider.forceFlush();
  const found = exporter
    .getMetrics()
    .flatMap((batch) => batch.scopeMetrics.flatMap((scope) => scope.metrics));
  await provider.shutdown();
  return found.flatMap((metric) =>
    metric.dataPoints.map((point) => [
      metric.descriptor.name,
      metric.descriptor.unit,
      point.attributes,
      (point.value as { count: number }).count,
    ]),
  );
}

it('records the conventions’ duration histograms', async () => {
  const model = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'gpt-4o',
    'gen_ai.provider.name': 'openai',
  };
  const grep = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'Grep' };
  const found = await record({});
  expect(found).toHaveLength(6);
  expect(found).toEqual(
    expect.arrayContaining([
      ['gen_ai.client.inference.duration', 's', model, 1],
      ['gen_ai.client.inference.time_to_first_chunk', 's', model, 1],
      [
        'gen_ai.client.inference.duration',
        's',
        { 'gen_ai.operation.name': 'text_completion', 'gen_ai.request.model': 'davinci' },
        1,
      ],
      [
        'gen_ai.invoke_agent.duration',
        's',
        { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'planner' },
        1,
      ],
      ['gen_ai.execute_tool.duration', 's', grep, 1],
      ['gen_ai.execute_tool.duration', 's', { ...grep, 'error.type': 'RangeError' }, 1],
    ]),
  );
});

it('or none, where asked', async () => {
  expect(await record({ metrics: false })).toEqual([]);
});
