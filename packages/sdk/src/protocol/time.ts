import type { Micros } from './frames.ts';

/** Now, in microseconds of CLOCK_MONOTONIC, with its nanoseconds as the fraction. The BPF clock is the same clock. */
export function monotonicMicros(): Micros {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e6 + nanos / 1e3;
}
