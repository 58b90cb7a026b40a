import { monotonicMicros } from '@prewake/sdk/protocol';
import { suspendedMicros } from '../kernel/clocks.ts';

/** Time as the lease controller needs it. A test may give one of its own. */
export interface GuardClock {
  /** CLOCK_MONOTONIC, microseconds. */
  now(): number;
  /** How far CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC, microseconds: the time spent in suspend. */
  suspended(): number;
  /** Calls back after a time in milliseconds; the returned function cancels. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: GuardClock = {
  now: monotonicMicros,
  suspended: suspendedMicros,
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
