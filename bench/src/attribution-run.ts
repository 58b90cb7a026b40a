import { setTimeout as sleep } from 'node:timers/promises';
import { type ProgramRuns, programRuns, runsSince, withBpfStats } from './bpf-stats.ts';
import type { NativeProgram } from './native.ts';
import { type ObserverName, observe, recordingHostd } from './observers.ts';
import { busyClock, cpuSeconds } from './process-facts.ts';

/** Wakeups a second that the loop asks for; what it reached is in each sample. */
export const WAKEUPS = 2500;

export interface CostSample {
  wakeupsPerSecond: number;
  /** CPU time of the whole machine, % of one core. */
  machine: number;
  /** CPU time of the observer's process, % of one core; 0 with none. */
  own: number;
  /** What its BPF programs took; only while the kernel counts. */
  programs: ProgramRuns;
  seconds: number;
}

/** One stretch of the agent loop beside one observer; hostd has one to warm up in. */
export async function costSample(
  loop: NativeProgram,
  name: ObserverName,
  seconds: number,
): Promise<CostSample> {
  const observer = await observe(name);
  const { pid } = observer;
  try {
    // What runs for days has been compiled long ago: for four times as many reports, and for what follows.
    if (name === 'Prewake')
      for (const rate of [4 * WAKEUPS, WAKEUPS])
        await loop.run([observer.socket, rate, seconds], { seconds: 3 * seconds + 30 });
    const programs = pid === undefined ? { ns: 0, runs: 0 } : programRuns(pid);
    const cpu = pid === undefined ? 0 : cpuSeconds(pid);
    const clock = busyClock();
    const out = await loop.run([observer.socket, WAKEUPS, seconds], { seconds: 3 * seconds + 30 });
    const { busy, elapsed } = clock();
    const { wakeups, reports, steps } = JSON.parse(out) as Record<string, number>;
    if (name === 'Prewake' && !(Number(reports) > 0))
      throw new Error(`hostd reported none of ${steps} steps`);
    return {
      wakeupsPerSecond: Number(wakeups) / elapsed,
      machine: (100 * busy) / elapsed,
      own: pid === undefined ? 0 : (100 * (cpuSeconds(pid) - cpu)) / elapsed,
      programs: pid === undefined ? { ns: 0, runs: 0 } : runsSince(programs, programRuns(pid)),
      seconds: elapsed,
    };
  } finally {
    await observer.stop();
  }
}

/** The same while the kernel counts BPF programs' time: counting costs too, so nothing else is taken from it. */
export const countedSample = (
  loop: NativeProgram,
  name: ObserverName,
  seconds: number,
): Promise<CostSample> => withBpfStats(() => costSample(loop, name, seconds));

/** How often hostd's programs ran in so many seconds after its last session had gone. */
export function runsWithoutSession(loop: NativeProgram, seconds: number): Promise<number> {
  return withBpfStats(async () => {
    const hostd = await recordingHostd();
    try {
      await loop.run([hostd.socket, WAKEUPS, 1], { seconds: 30 });
      const deadline = performance.now() + 15_000;
      const attached = async () =>
        (await hostd.get<{ recorder: { attached: boolean } }>('/v1/status')).recorder.attached;
      while (await attached()) {
        if (performance.now() > deadline) throw new Error('the recorder did not detach after its session');
        await sleep(200);
      }
      const before = programRuns(hostd.pid);
      if (before.runs === 0) throw new Error('the kernel counted no run of hostd’s programs with a session');
      await loop.run(['-', WAKEUPS, seconds], { seconds: 3 * seconds + 30 });
      return runsSince(before, programRuns(hostd.pid)).runs;
    } finally {
      await hostd.stop();
    }
  });
}
