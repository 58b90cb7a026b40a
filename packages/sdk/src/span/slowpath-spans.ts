import type { Tracer } from '@opentelemetry/api';
import type { SlowpathEvent } from '../protocol/index.ts';
import { ATTR_CATEGORY, ATTR_DETAIL, ATTR_DURATION_NS } from '../semconv.ts';
import type { LiveStep } from '../step.ts';
import { hrTime } from './times.ts';

export interface SlowpathLimits {
  max: number;
  minNs: number;
}

/**
 * The largest slowpaths of a step as child spans. Their epoch times are the step's start plus the monotonic
 * difference, clamped to the step: a slowpath of its first slice may have begun before its code did.
 */
export function emitSlowpathSpans(
  tracer: Tracer,
  step: LiveStep,
  endedAt: number,
  events: readonly SlowpathEvent[],
  limits: SlowpathLimits,
): void {
  if (limits.max <= 0 || events.length === 0) return;
  const largest = events
    .filter((event) => event.ns >= limits.minNs)
    .sort((a, b) => b.ns - a.ns)
    .slice(0, limits.max);
  for (const event of largest) {
    const begin = clamp(event.at, step.startedAt, endedAt);
    const end = clamp(event.at + event.ns / 1e3, begin, endedAt);
    const epoch = (at: number) => hrTime(step.epochStart + (at - step.startedAt));
    const attributes = { [ATTR_CATEGORY]: event.category, [ATTR_DURATION_NS]: Math.round(event.ns) };
    if (event.detail) Object.assign(attributes, { [ATTR_DETAIL]: event.detail });
    const options = { startTime: epoch(begin), attributes };
    tracer.startSpan(`slowpath ${event.category}`, options, step.inner).end(epoch(end));
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
