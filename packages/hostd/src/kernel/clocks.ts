import { libc } from './libc.ts';

const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;

/** Seconds and nanoseconds of 64 bits, the low half first: a BigInt would be garbage with each reading. */
const timespec = new Uint32Array(4);

function read(clock: number): number {
  libc().clock_gettime(clock, timespec);
  return (timespec[0] as number) * 1e6 + (timespec[2] as number) / 1e3;
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
