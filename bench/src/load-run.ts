import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostdProcess } from './hostd-process.ts';
import type { NativeProgram } from './native.ts';
import { cpuSeconds, residentMiB } from './process-facts.ts';
import { metricIn } from './prometheus-text.ts';
import { median } from './statistics.ts';
import { IDLE_GUARD_ONLY, UNLIMITED_BUDGET } from './unlimited.ts';

const WAIT_MS = 50;
/** V8 compiles what is new in the meantime, seconds. */
export const COLD = 5;

/** What bench/native/load.c prints. */
export interface LoadReport {
  hints: number;
  ended: number;
  rate: number;
  errors: number;
  closed: number;
  blocked: number;
}

export interface LoadRun {
  rate: number;
  sessions: number;
  report: LoadReport;
  /** Waits that hostd has seen end. */
  waits: number;
  /** Windows that it opened, and those of them within 2 ms of their plan; one that never opened is in neither. */
  armed: number;
  onTime: number;
  /** The same after the first {@link COLD} seconds. */
  warm: { waits: number; onTime: number };
  /** Part of one core that hostd used. */
  cpu: number;
  /** Median resident memory of hostd from 5 to 10 s (or the first half), and of the last 5 s (or the rest), MiB. */
  early: number;
  late: number;
}

/** Nothing was dropped anywhere, and once warm 99 % of hints had their window opened within 2 ms of plan. */
export function holds({ rate, report, waits, warm }: LoadRun): boolean {
  const dropped = report.hints - waits + report.errors + report.closed;
  return dropped === 0 && report.rate >= 0.98 * rate && warm.onTime >= 0.99 * warm.waits;
}

/** The memory samples of a run, one each half second, in an early and a late part. */
export function memoryParts(samples: readonly number[], seconds: number): { early: number; late: number } {
  const perSecond = samples.length / seconds;
  const from = (begin: number, end: number) =>
    median(samples.slice(Math.round(begin * perSecond), Math.round(end * perSecond)));
  return seconds >= 20
    ? { early: from(5, 10), late: from(seconds - 5, seconds) }
    : { early: from(0, seconds / 2), late: from(seconds / 2, seconds) };
}

/** One hostd, one rate: many sessions that hint, each hint a wait with a known end. */
export async function loadRun(
  load: NativeProgram,
  { rate, sessions, seconds }: { rate: number; sessions: number; seconds: number },
): Promise<LoadRun> {
  const hostd = await HostdProcess.startArming(
    `sessions: { maxPerUser: ${sessions}, max: ${sessions} }\npolicy: { holdout: 0, armedShare: 0.5, startCreditMs: 3600000 }\nrecorder: { source: off }\n${UNLIMITED_BUDGET}${IDLE_GUARD_ONLY}`,
  );
  const memory: number[] = [];
  try {
    // Where the limit is too low for so many sessions and may not be raised, load says so.
    spawnSync('prlimit', ['--pid', String(hostd.pid), '--nofile=65536:65536']);
    // What hostd loads for its first answer is not loaded under load.
    await hostd.text('/metrics');
    const cpuBefore = cpuSeconds(hostd.pid);
    const timer = setInterval(() => {
      try {
        memory.push(residentMiB(hostd.pid));
      } catch {
        clearInterval(timer); // hostd has died: load says so.
      }
    }, 500);
    let out: string;
    let before: ReturnType<typeof countsIn>;
    try {
      [out, before] = await Promise.all([
        load.run([hostd.socket, sessions, rate, seconds, WAIT_MS], { seconds: 4 * seconds + 30 }),
        sleep(COLD * 1000).then(async () => countsIn(await hostd.text('/metrics'))),
      ]);
    } finally {
      clearInterval(timer);
    }
    const cpu = (cpuSeconds(hostd.pid) - cpuBefore) / seconds;
    const metrics = await settled(hostd);
    const { waits, onTime } = countsIn(metrics);
    return {
      rate,
      sessions,
      report: JSON.parse(out) as LoadReport,
      waits,
      armed: metricIn(metrics, 'prewake_arm_lateness_seconds_count'),
      onTime,
      warm: { waits: waits - before.waits, onTime: onTime - before.onTime },
      cpu,
      ...memoryParts(memory, seconds),
    };
  } finally {
    await hostd.stop();
  }
}

const countsIn = (metrics: string) => ({
  waits: metricIn(metrics, 'prewake_waits_total'),
  onTime: metricIn(metrics, 'prewake_arm_lateness_seconds_bucket', 'le="0.002"'),
});

/** hostd's metrics once it has read what was still in its sockets: sessions that ended leave no waits open. */
async function settled(hostd: HostdProcess): Promise<string> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const metrics = await hostd.text('/metrics');
    if (metricIn(metrics, 'prewake_sessions') === 0 || performance.now() > deadline) return metrics;
    await sleep(100);
  }
}
