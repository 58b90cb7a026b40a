import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type SpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { connect, PrewakeSpanProcessor, shutdown } from '@prewake/sdk';
import { afterEach, beforeEach, expect } from 'vitest';
import { type PrewakeCallbackHandler, prewake } from './index.ts';

type Recorded = ReturnType<InMemorySpanExporter['getFinishedSpans']>[number];

/** Records spans with OpenTelemetry's own SDK. Spans end at once: nothing is held. */
export class SpanRecorder {
  #exporter = new InMemorySpanExporter();
  #provider = new TracerProvider();
  /** Identifiers of spans in the order in which they began: their times are too coarse to tell. */
  #begun: string[] = [];

  /** Begins afresh: with no span, and a provider that nobody has shut down. */
  async start(socket = '/nowhere/hostd.sock'): Promise<this> {
    this.#exporter = new InMemorySpanExporter();
    this.#begun = [];
    const beginnings: SpanProcessor = {
      onStart: (span) => void this.#begun.push(span.spanContext().spanId),
      onEnd: () => undefined,
      forceFlush: async () => undefined,
      shutdown: async () => undefined,
    };
    this.#provider = new TracerProvider({
      spanProcessors: [
        beginnings,
        new PrewakeSpanProcessor(),
        new SimpleSpanProcessor({ exporter: this.#exporter }),
      ],
    });
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(this.#provider);
    await connect({ socket, holdMs: 0 }).ready(socket.startsWith('/nowhere') ? 0 : 10_000);
    return this;
  }

  async stop(): Promise<void> {
    await shutdown();
    await this.#provider.shutdown();
    trace.disable();
    context.disable();
  }

  get spans(): Recorded[] {
    return this.#exporter.getFinishedSpans();
  }

  named(name: string): Recorded[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** The spans as lines in the order in which they began, children indented below their parents. */
  tree(): string[] {
    const ended = new Map(this.spans.map((span) => [span.spanContext().spanId, span]));
    const begun = this.#begun.map((id) => ended.get(id)).filter((span) => span !== undefined);
    const below = (parent: string | undefined, indent: string): string[] =>
      begun
        .filter((span) => span.parentSpanContext?.spanId === parent)
        .flatMap((span) => [indent + span.name, ...below(span.spanContext().spanId, `${indent}  `)]);
    return below(undefined, '');
  }
}

/** A handler for the tests of a file, and the spans of the test that runs. No test may leave a run open. */
export function recordEachTest(): {
  handler: PrewakeCallbackHandler;
  callbacks: PrewakeCallbackHandler[];
  recorder: SpanRecorder;
} {
  const handler = prewake();
  const recorder = new SpanRecorder();
  beforeEach(async () => {
    await recorder.start();
  });
  afterEach(async () => {
    await recorder.stop();
    expect(handler.openRuns).toBe(0);
  });
  return { handler, callbacks: [handler], recorder };
}
