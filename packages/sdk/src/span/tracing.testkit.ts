import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { PrewakeSpanProcessor } from './processor.ts';

/** A real OpenTelemetry SDK (3.x) as an application sets it up, with an exporter that keeps the spans. */
export function startTracing(sampler?: Sampler) {
  const exported: ReadableSpan[] = [];
  const exporter: SpanExporter = {
    export: (spans, done) => {
      exported.push(...spans);
      done({ code: 0 });
    },
    shutdown: () => Promise.resolve(),
    forceFlush: () => Promise.resolve(),
  };
  const provider = new TracerProvider({
    ...(sampler && { sampler }),
    spanProcessors: [new PrewakeSpanProcessor(), new SimpleSpanProcessor({ exporter })],
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return {
    provider,
    spans: (): readonly ReadableSpan[] => exported,
    span: (name: string): ReadableSpan => {
      const found = exported.filter((span) => span.name === name);
      if (found.length !== 1) throw new Error(`${found.length} spans are called ${name}`);
      return found[0] as ReadableSpan;
    },
    stop: () => {
      trace.disable();
      context.disable();
      metrics.disable();
    },
  };
}

/** Nanoseconds since the epoch, exactly. */
export function nanos([seconds, rest]: [number, number]): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(rest);
}
