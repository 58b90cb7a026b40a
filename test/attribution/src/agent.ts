/**
 * The agent: twenty steps at once, each with one cause of its own. Takes a {@link Plan} as JSON in its first
 * argument, and prints an {@link AgentResult}: what each step measured itself, and what Prewake put on its span.
 */
import { once } from 'node:events';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { connect, step } from '@prewake/sdk';
import { causes } from './causes.ts';
import type { AgentResult, Plan, Truth } from './plan.ts';
import { account } from './witness.ts';

const plan: Plan = JSON.parse(process.argv[2] as string);
const exporter = new InMemorySpanExporter();
const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

const prewake = connect({ socket: plan.socket, holdMs: 10_000, tracerProvider, slowpathSpans: { max: 0 } });
if (!(await prewake.ready(10_000))) throw new Error('hostd did not answer');

// Its witness has to be there first.
process.stdout.write('ready\n');
await once(process.stdin, 'data');
process.stdin.destroy();

const swapped = (index: number) => {
  const [a, b] = plan.swap ?? [-1, -1];
  return index === a ? b : index === b ? a : index;
};

const before = account();
const truths = await Promise.all(
  plan.labels.map((label, index): Promise<Truth> => {
    const cause = plan.causes[index] as (typeof plan.causes)[number];
    const done = swapped(index);
    // With a swap the code of another cause runs under this label. Its truth is told under the other one's.
    const told = step({ kind: 'tool', key: label }, () =>
      causes[plan.causes[done] as typeof cause](plan, done),
    );
    return told.then((truth) => ({
      ...truth,
      label: plan.labels[done] as string,
      cause: plan.causes[done] as typeof cause,
    }));
  }),
);
const mainQueueNs = account().queueNs - before.queueNs;

await prewake.settled();
const spans = exporter.getFinishedSpans().map(({ attributes }) => ({
  label: String(attributes['gen_ai.tool.name']),
  attributes: attributes as Record<string, unknown>,
}));
await prewake.shutdown();
process.stdout.write(JSON.stringify({ truths, spans, mainQueueNs } satisfies AgentResult));
