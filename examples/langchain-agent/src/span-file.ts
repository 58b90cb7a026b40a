import { appendFileSync } from 'node:fs';
import { type HrTime, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';

/** Collects finished spans, and appends them to a file, one JSON object a line, when it is flushed or shut down. */
export class SpanFile implements SpanProcessor {
  readonly #file: string;
  #lines: string[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  onStart(): void {}

  // Kept in memory: writing here would be work of the agent's own thread, between its steps.
  onEnd(span: ReadableSpan): void {
    this.#lines.push(`${JSON.stringify(toLine(span))}\n`);
  }

  async forceFlush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    if (lines.length > 0) appendFileSync(this.#file, lines.join(''));
  }

  shutdown(): Promise<void> {
    return this.forceFlush();
  }
}

function toLine(span: ReadableSpan): object {
  const { traceId, spanId } = span.spanContext();
  return {
    traceId,
    spanId,
    ...(span.parentSpanContext && { parentSpanId: span.parentSpanContext.spanId }),
    name: span.name,
    startTimeUnixNano: unixNano(span.startTime),
    endTimeUnixNano: unixNano(span.endTime),
    status: SpanStatusCode[span.status.code],
    attributes: span.attributes,
  };
}

/** As OTLP's JSON has it: a string, since a double can't hold it. */
function unixNano([seconds, nanos]: HrTime): string {
  return String(BigInt(seconds) * 1_000_000_000n + BigInt(nanos));
}
