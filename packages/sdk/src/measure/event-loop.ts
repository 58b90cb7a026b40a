import { executionAsyncResource } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';
import { type Micros, monotonicMicros } from '../protocol/index.ts';

/** The loop has slept in its poll if its idle time grew by this much, in milliseconds. */
const SLEPT_MS = 0.01;

interface UvMetrics {
  uvMetricsInfo: { loopCount: number };
}
const timing = performance.nodeTiming as typeof performance.nodeTiming & UvMetrics;

/**
 * Follows the event loop's iterations by the callbacks that it starts, to bound how long the event behind the
 * current callback may have been queueing: an event that the previous poll did not bring became ready after it.
 * So it is an upper bound, and zero where the loop slept until the event came.
 */
export class EventLoopWatch {
  /** When the callback that runs now was started. */
  callbackAt: Micros = 0;
  /** The earliest time at which its event may have become ready. */
  readySince: Micros = 0;
  #iterationAt: Micros = 0;
  #iteration = -1;
  #idleMs = 0;

  /** Begins in the middle of a callback. */
  start(): void {
    this.#iteration = timing.uvMetricsInfo.loopCount;
    this.#idleMs = timing.idleTime;
    this.callbackAt = this.readySince = this.#iterationAt = monotonicMicros();
  }

  /** A callback begins. */
  before(): void {
    // A nextTick's plain object: it is the same callback's tail.
    if (executionAsyncResource()?.constructor === Object) return;
    const now = monotonicMicros();
    this.callbackAt = now;
    const iteration = timing.uvMetricsInfo.loopCount;
    if (iteration === this.#iteration) return;
    const idleMs = timing.idleTime;
    this.readySince = idleMs - this.#idleMs > SLEPT_MS ? now : this.#iterationAt;
    this.#iteration = iteration;
    this.#idleMs = idleMs;
    this.#iterationAt = now;
  }
}
