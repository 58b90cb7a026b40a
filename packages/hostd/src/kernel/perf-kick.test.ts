import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { onlineCpus } from './cpus.ts';
import { openKernel } from './kernel.ts';
import { errorCode } from './libc.ts';
import { CpuKicker } from './perf-kick.ts';

/** Function-call interrupts that a CPU has got so far. */
function calls(cpu: number): number {
  const line = readFileSync('/proc/interrupts', 'latin1').match(/^\s*CAL:(.*)$/m)?.[1] ?? '';
  return Number(line.trim().split(/\s+/)[cpu]);
}

const cpus = onlineCpus(openKernel().files);

test.skipIf(cpus.length < 2 || process.arch !== 'x64')(
  'a kick is an interrupt on the CPU that is kicked',
  () => {
    const kicker = new CpuKicker();
    const before = cpus.map(calls);
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let i = 0; i < 100; i++) {
      // A CPU that polls is told without an interrupt: let it go to sleep first.
      Atomics.wait(pause, 0, 0, 3);
      for (const cpu of cpus) kicker.kick(cpu);
    }
    const after = cpus.map(calls);
    kicker.close();
    // The CPU that this runs on needs no interrupt, and one that a neighbour keeps awake may poll most of the time.
    const got = cpus.map((_, i) => (after[i] as number) - (before[i] as number));
    expect(got.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(10);
  },
);

test('a CPU that is not there: ENODEV, or EINVAL beyond what the kernel knows', () => {
  const kicker = new CpuKicker();
  try {
    kicker.kick(4000);
    expect.unreachable();
  } catch (error) {
    expect(['ENODEV', 'EINVAL']).toContain(errorCode(error));
  }
  kicker.close();
});
