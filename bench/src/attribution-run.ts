import { setTimeout as sleep } from 'node:timers/promises';
import { type ProgramRuns, programRuns, runsSince, withBpfStats } from './bpf-stats.ts';
import type { HostdProcess } from './hostd-process.ts';
import type { NativeProgram } from './native.ts';
import { type ObserverName, observe } from './observers.ts';
import { busyClock, cpuSeconds } from './process-facts.ts';

/** Wakeups a second that the loop asks for; what it reached is in each sample. */
export const WAKEUPS = 2500;

/** What a session costs once (hostd attaches its programs) is not what its wakeups cost: seconds that are not counted. */
export const BEGIN = 1;

export interface CostSample {
  wakeupsPerSecond: number;
  /** CPU time of the whole machine, % of one core. */
  machine: number;
  /** CPU time of the observer's process, % of one core; 0 with none. */
  own: number;
  /** What it used before that, in the loop's first {@link BEGIN} s, milliseconds. */
  beginMs: number;
  /** What its BPF programs took; only while the kernel counts. */
  programs: ProgramRuns;
  seconds: number;
}

/** One stretch of the agent loop beside one observer. */
export async function costSample(
  loop: NativeProgram,
  name: ObserverName,
  hostd: HostdProcess,
  seconds: number,
): Promise<CostSample> {
  const observer = await observe(name, hostd);
  const { pid } = observer;
  try {
    const used = () => (pid === undefined ? 0 : cpuSeconds(pid));
    const ran = () => (pid === undefined ? { ns: 0, runs: 0 } : programRuns(pid));
    const before = used();
    const running = run(loop, observer.socket, WAKEUPS, BEGIN + seconds);
    running.catch(() => {}); // Told of below.
    await sleep(BEGIN * 1000);
    const programs = ran();
    const cpu = used();
    const clock = busyClock();
    const { wakeups, reports, steps } = JSON.parse(await running) as Record<string, number>;
    const { busy, elapsed } = clock();
    if (name === 'Prewake' && !(Number(reports) > 0))
      throw new Error(`hostd reported none of ${steps} steps`);
    return {
      wakeupsPerSecond: Number(wakeups) / (BEGIN + seconds),
      machine: (100 * busy) / elapsed,
      own: (100 * (used() - cpu)) / elapsed,
      beginMs: 1000 * (cpu - before),
      programs: runsSince(programs, ran()),
      seconds: elapsed,
    };
  } finally {
    await observer.stop();
  }
}

/** The same while the kernel counts BPF programs' time: counting costs too, so nothing else is taken from it. */
export const countedSample = (...of: Parameters<typeof costSample>): Promise<CostSample> =>
  withBpfStats(() => costSample(...of));

/** hostd follows the loop for so many seconds, first at four times its rate: what runs for days was compiled long ago. */
export async function warmUp(loop: NativeProgram, hostd: HostdProcess, seconds: number): Promise<void> {
  for (const rate of [4 * WAKEUPS, WAKEUPS]) await run(loop, hostd.socket, rate, seconds / 2);
}

/** How often hostd's programs ran in so many seconds, with no session: its last one has gone. */
export function runsWithoutSession(
  loop: NativeProgram,
  hostd: HostdProcess,
  seconds: number,
): Promise<number> {
  return withBpfStats(async () => {
    const { programs } = await costSample(loop, 'Prewake', hostd, 1);
    if (programs.runs === 0) throw new Error('the kernel counted no run of hostd’s programs with a session');
    const before = programRuns(hostd.pid);
    await run(loop, '-', WAKEUPS, seconds);
    return runsSince(before, programRuns(hostd.pid)).runs;
  });
}

const run = (loop: NativeProgram, socket: string, rate: number, seconds: number): Promise<string> =>
  loop.run([socket, rate, seconds], { seconds: 3 * seconds + 30 });
