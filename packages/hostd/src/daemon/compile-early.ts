import { setFlagsFromString } from 'node:v8';

/** After so many calls of a function; by default 400, 500 and 3,000. */
const THRESHOLDS = [
  '--invocation-count-for-maglev=20',
  '--minimum-invocations-after-ic-update=20',
  '--invocation-count-for-turbofan=150',
];

/**
 * Lets V8 compile what hostd runs after far fewer calls than by default. Hints come a few times a second, and the CPU
 * is cold each time: at V8's own thresholds they are interpreted, or nearly, for many minutes (benches `hint-latency`
 * and `attribution-cost`). To be called after the start, which runs a lot once. A V8 without one of them says so on stderr
 * and goes on.
 */
export function compileEarly(): void {
  for (const flag of THRESHOLDS) setFlagsFromString(flag);
}
