import { closeSync, openSync, writeSync } from 'node:fs';
import { cpus } from 'node:os';
import { readIdleUsage } from './demo/idle-usage.ts';
import {
  ACTIVE_US,
  asLines,
  fixedWindow,
  parseWakeups,
  plannedShare,
  type WorkloadWait,
} from './effect-waits.ts';
import { hasPerformanceGovernor, holdPerformanceGovernor } from './governor.ts';
import { HostdProcess } from './hostd-process.ts';
import type { NativeProgram } from './native.ts';
import { withControls } from './own-controls.ts';
import { sum } from './statistics.ts';
import { IDLE_GUARD_ONLY, UNLIMITED_BUDGET } from './unlimited.ts';

/** The service and everything else; the agent waits on the last CPU. */
const SERVICE_CPU = 0;
const HOME_CPU = cpus().length - 1;

/**
 * Covered is what has been armed for the lead time, 1 ms, or since the wait began, as `prewake simulate` counts. hostd
 * hears of a wait some tenths of a millisecond after it began, so in one shorter than this the guard came later.
 */
export const LONG_ENOUGH_US = 2000;

/** One run of the workload. */
export interface EffectRun {
  lateUs: number[];
  /** Which wakeups had a guard on their CPU in time. */
  covered: boolean[];
  elapsed: number;
  /** Armed CPU time, seconds, summed over CPUs; for the global guard of one CPU, so that it flatters nobody else. */
  armed: number;
  /** Time that CPUs spent in the polling idle state, seconds of all CPUs; NaN where the kernel does not count it. */
  polled: number;
}

export interface Setup {
  name: string;
  /** What the guard costs is known only where there is an idle guard. */
  guard: boolean;
  run(waiter: NativeProgram, waits: readonly WorkloadWait[]): Promise<EffectRun>;
}

/** Time in the state in which the idle loop polls, seconds. */
function polledSeconds(): number {
  const poll = readIdleUsage().find(({ state }) => state === 'POLL');
  return poll ? poll.timeUs / 1e6 : Number.NaN;
}

async function wait(
  waiter: NativeProgram,
  waits: readonly WorkloadWait[],
  { socket = '-', fixedUs = 0, locked = true },
): Promise<EffectRun> {
  const seconds = sum(waits.map(({ us }) => us)) / 1e6;
  const args = [HOME_CPU, SERVICE_CPU, socket, fixedUs.toFixed(1)];
  const before = polledSeconds();
  const run = (prefix: string[]) =>
    waiter.run(args, { seconds: 3 * seconds + 30, input: asLines(waits), prefix });
  const out = locked ? await withControls(run) : await run([]);
  const { lateUs, armed, elapsed } = parseWakeups(out);
  if (lateUs.length !== waits.length) throw new Error(`${lateUs.length} of ${waits.length} waits ended`);
  const held = sum(waits.map(({ us }) => Math.min(us, fixedUs))) / 1e6;
  return { lateUs, covered: armed, elapsed, armed: held, polled: polledSeconds() - before };
}

const nothing: Setup = {
  name: 'nothing',
  guard: false,
  run: (waiter, waits) => wait(waiter, waits, {}),
};

/** What cyclictest and audio tools do. */
const always: Setup = {
  name: 'always-on',
  guard: true,
  async run(waiter, waits) {
    const fd = openSync('/dev/cpu_dma_latency', 'r+');
    try {
      writeSync(fd, Buffer.alloc(4)); // 0 µs
      const run = await wait(waiter, waits, {});
      return { ...run, covered: run.lateUs.map(() => true), armed: run.elapsed };
    } finally {
      closeSync(fd);
    }
  },
};

const governor: Setup = {
  name: 'performance governor',
  guard: false,
  async run(waiter, waits) {
    const restore = holdPerformanceGovernor();
    try {
      return await wait(waiter, waits, {});
    } finally {
      restore();
    }
  },
};

const fixed = (share: number): Setup => ({
  name: `fixed window, ${share * 100} %`,
  guard: true,
  run: (waiter, waits) => wait(waiter, waits, { fixedUs: fixedWindow(waits, share) }),
});

/** A hostd for each run, so that nothing of it is there in the others; what it has learned is kept in between. */
const prewake = (share: number, stateDir: string): Setup => ({
  name: `Prewake, ${share * 100} %`,
  guard: true,
  async run(waiter, waits) {
    const planned = plannedShare(waits, share);
    const policy = `policy: { armedShare: ${planned}, startCreditMs: 0, activeWindowMs: ${ACTIVE_US / 1000} }`;
    const hostd = await HostdProcess.startArming(`${policy}\n${UNLIMITED_BUDGET}${IDLE_GUARD_ONLY}`, [
      '--state-dir',
      stateDir,
    ]);
    try {
      const run = await wait(waiter, waits, { socket: hostd.socket, locked: false });
      const covered = run.covered.map((armed, i) => armed && (waits[i] as WorkloadWait).us >= LONG_ENOUGH_US);
      const armed = await hostd.metric('prewake_armed_seconds_total', 'guard="idle.');
      return { ...run, covered, armed };
    } finally {
      await hostd.stop();
    }
  },
});

export const SHARES = [0.2, 0.1] as const;

/** @param stateDir a directory for what the hostds learn */
export function setups(stateDir: string): Setup[] {
  return [
    nothing,
    always,
    ...(hasPerformanceGovernor() ? [governor] : []),
    fixed(SHARES[0]),
    ...SHARES.map((share) => prewake(share, `${stateDir}/${share}`)),
  ];
}
