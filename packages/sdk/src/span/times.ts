import type { HrTime } from '@opentelemetry/api';
import type { Micros } from '../protocol/index.ts';

/** How far the wall clock may have moved against the monotonic one before a tree of steps is anchored anew, in µs. */
const DRIFT = 10_000;

/**
 * Microseconds since the epoch at which a step began: its parent's plus the monotonic difference, so that a tree of
 * steps is consistent to the nanosecond, unless the clocks have parted (suspend, a clock that was set).
 *
 * Never from performance.timeOrigin, which does not follow the wall clock.
 */
export function epochStart(
  at: Micros,
  parent: { startedAt: Micros; epochStart: number } | undefined,
): number {
  // A millisecond's beginning: never later than a span that begins within the step and asks the clock itself.
  const wall = Date.now() * 1000;
  if (!parent) return wall;
  const derived = parent.epochStart + (at - parent.startedAt);
  return Math.abs(derived - wall) < DRIFT ? derived : wall;
}

/** Microseconds since the epoch as OpenTelemetry's [seconds, nanoseconds]. */
export function hrTime(epochMicros: number): HrTime {
  const seconds = Math.floor(epochMicros / 1e6);
  return [seconds, Math.min(999_999_999, Math.round((epochMicros - seconds * 1e6) * 1e3))];
}
