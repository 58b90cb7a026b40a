import { libc } from './libc.ts';

const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;

const timespec = new BigInt64Array(2);
/** Seconds and nanoseconds, each low half first: a BigInt would be garbage with each reading. */
const halves = new Uint32Array(timespec.buffer);

function read(clock: number): number {
  libc().clock_gettime(clock, timespec);
  return (halves[0] as number) * 1e6 + (halves[2] as number) / 1e3;
}

/**
 * How long the machine has been suspended since boot, microseconds: CLOCK_BOOTTIME ahead of CLOCK_MONOTONIC.
 * A preemption between the two readings looks like a suspend of its length, so the smallest of a few counts.
 */
export function suspendedMicros(): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3 && least > 1000; i++) {
    const monotonic = read(CLOCK_MONOTONIC);
    least = Math.min(least, read(CLOCK_BOOTTIME) - monotonic);
  }
  return least;
}
