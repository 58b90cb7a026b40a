import { readdirSync, readFileSync } from 'node:fs';

/** Each CPU's resume-latency limit as it reads now, seen from outside of hostd. */
export function resumeLimits(root = '/sys/devices/system/cpu'): string[] {
  return readdirSync(root)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => readFileSync(`${root}/${name}/power/pm_qos_resume_latency_us`, 'utf8').trim());
}

/** Waits until the limits differ from these, or are these. Sleeps in between, so that hostd has the core. */
export function untilLimits(
  limits: readonly string[],
  what: 'same' | 'different',
  ms: number,
): { at: number } {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const deadline = performance.now() + ms;
  for (;;) {
    const same = resumeLimits().every((limit, cpu) => limit === limits[cpu]);
    const at = performance.now();
    if (same === (what === 'same')) return { at };
    if (at > deadline) throw new Error(`the CPUs’ limits were not ${what} within ${ms} ms`);
    Atomics.wait(pause, 0, 0, 0.1);
  }
}
