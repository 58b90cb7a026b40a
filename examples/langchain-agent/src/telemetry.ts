import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace';
import { PrewakeSpanProcessor } from '@prewake/sdk';
import { SpanFile } from './span-file.ts';

/**
 * Starts OpenTelemetry as an application would, where somebody wants the spans: a file, or a backend that the
 * standard variables name. Otherwise there is none, and Prewake works without. Gives the function that ends it.
 */
export async function startTelemetry(
  spansFile: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<() => Promise<void>> {
  const exporter = await otlpExporter(env);
  const wanted: SpanProcessor[] = [];
  if (spansFile !== undefined) wanted.push(new SpanFile(spansFile));
  if (exporter) wanted.push(new BatchSpanProcessor({ exporter }));
  if (wanted.length === 0) return async () => {};
  const sdk = new NodeSDK({
    serviceName: env.OTEL_SERVICE_NAME ?? 'prewake-example-langchain-agent',
    // Prewake's comes first: a flush then ends the spans that still wait for their figures before they are exported.
    spanProcessors: [new PrewakeSpanProcessor(), ...wanted],
    // Without a backend, NodeSDK would send metrics and logs to a port on which nobody listens.
    ...(!exporter && { metricReaders: [], logRecordProcessors: [] }),
  });
  sdk.start();
  return () => sdk.shutdown();
}

/** The exporter that OTEL_EXPORTER_OTLP_* asks for; it reads endpoint, headers, timeout and certificates itself. */
async function otlpExporter(env: NodeJS.ProcessEnv): Promise<SpanExporter | undefined> {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const asked = env.OTEL_TRACES_EXPORTER ?? (endpoint ? 'otlp' : 'none');
  if (!asked.split(',').includes('otlp')) return undefined;
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? env.OTEL_EXPORTER_OTLP_PROTOCOL;
  switch (protocol) {
    case 'grpc':
      return new (await import('@opentelemetry/exporter-trace-otlp-grpc')).OTLPTraceExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter();
    default:
      return new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter();
  }
}
