import { setFlagsFromString } from 'node:v8';

/** After so many calls of a function; by default 400, 500 and 3,000. */
const THRESHOLDS = [
  '--invocation-count-for-maglev=20',
  '--minimum-invocations-after-ic-update=20',
  '--invocation-count-for-turbofan=150',
];

/** A rush at the start reaches V8's own thresholds at once, and compiling more of it would add to it (bench `load`). */
const AFTER_START_MS = 10_000;

/**
 * Lets V8 compile what hostd runs after far fewer calls than by default. Hints come a few times a second, and the CPU
 * is cold each time: at V8's own thresholds they are interpreted, or nearly, for many minutes (benches `hint-latency`
 * and `attribution-cost`). A V8 without one of them says so on stderr and goes on.
 */
export function compileEarly(): void {
  for (const flag of THRESHOLDS) setFlagsFromString(flag);
}

/** The same once a rush at the start would be over: the one time that hostd wakes by itself at rest. */
export function compileEarlyAfterStart(): void {
  setTimeout(compileEarly, AFTER_START_MS).unref();
}
