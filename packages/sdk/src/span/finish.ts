import { type Attributes, type HrTime, type Span, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import type { ReportFrame } from '../protocol/index.ts';
import { ATTR_ERROR_TYPE, ATTR_STEP_ID, ATTR_WAITS, ATTR_WAITS_NS } from '../semconv.ts';
import type { Failure } from '../step.ts';
import { errorType } from './error-type.ts';
import type { Ended } from './hold.ts';
import { type Figures, reportAttributes } from './report-attributes.ts';
import { emitSlowpathSpans, type SlowpathLimits } from './slowpath-spans.ts';
import { hrTime } from './times.ts';

export interface FinishOptions {
  tracer: Tracer;
  slowpathSpans: SlowpathLimits;
  recordExceptions: boolean;
}

/**
 * Ends a step's span with its true end time and all that is known of it. `figures` is undefined where nobody
 * measured: the span then says nothing of slowpaths at all.
 */
export function finishSpan(
  { step, endedAt, failure }: Ended,
  figures: Figures | undefined,
  events: ReportFrame['events'],
  options: FinishOptions,
): void {
  const { span } = step;
  const end = hrTime(step.epochStart + (endedAt - step.startedAt));
  if (failure) markFailed(span, end, failure, options.recordExceptions);
  if (figures) {
    const attributes: Attributes = reportAttributes(figures);
    attributes[ATTR_STEP_ID] = step.id;
    if (step.waits > 0) {
      attributes[ATTR_WAITS] = step.waits;
      attributes[ATTR_WAITS_NS] = Math.round(step.waitedMicros * 1e3);
    }
    span.setAttributes(attributes);
    emitSlowpathSpans(options.tracer, step, endedAt, events, options.slowpathSpans);
  }
  span.end(end);
}

/** `error.type` is the error's code or class; its message may hold a prompt or a result and is left out by default. */
function markFailed(span: Span, at: HrTime, { error }: Failure, withException: boolean): void {
  span.setAttribute(ATTR_ERROR_TYPE, errorType(error));
  if (!withException || !(error instanceof Error)) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    return;
  }
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  span.recordException(error, at);
}
