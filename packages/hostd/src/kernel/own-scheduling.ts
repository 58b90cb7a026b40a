import { getPriority } from 'node:os';
import { allowedCpus, setAllowedCpus } from './affinity.ts';
import { isNormal, schedGetAttr, schedSetAttr } from './sched-attr.ts';
import { ownThreads } from './threads.ts';
import { KernelWriter } from './writer.ts';

/** hostd's niceness: a third of a normal task's weight. A niceness that is higher already stays. */
const NICE = 5;
/**
 * The shortest slice and the longest that EEVDF takes (Documentation/scheduler/sched-eevdf.rst), nanoseconds; ignored
 * before 6.12. The main thread runs soon and gives way soon; V8's threads, for which nobody waits, give way at once to
 * whoever asks for less.
 */
const MAIN_SLICE_NS = 100_000;
const OTHERS_SLICE_NS = 100_000_000;

/**
 * Makes this process's threads yield to a task that wakes on their CPU. What hostd does just before a wakeup must
 * not be what the woken task has to wait for: at the default slice it was, for a millisecond and more (bench
 * `effect`). Its timing matters only where a CPU is idle, and an idle CPU it has to itself.
 */
export function yieldToWoken(): void {
  const writer = new KernelWriter();
  for (const tid of ownThreads()) {
    const runtime = tid === process.pid ? MAIN_SLICE_NS : OTHERS_SLICE_NS;
    try {
      const now = schedGetAttr(tid);
      schedSetAttr(writer, tid, { ...now, nice: Math.max(now.nice, NICE), runtime });
    } catch {
      // Without it hostd works as before.
    }
  }
}

/**
 * The EEVDF slice of a thread that asked for none, nanoseconds: what this one reads while it asks for none itself. It
 * depends on how many CPUs are online. 0: the kernel has none to ask for.
 */
export function defaultSlice(): number {
  const { pid } = process;
  const now = schedGetAttr(pid);
  if (now.runtime === 0 || !isNormal(now)) return now.runtime;
  const writer = new KernelWriter();
  schedSetAttr(writer, pid, { ...now, runtime: 0 });
  const { runtime } = schedGetAttr(pid);
  if (runtime !== now.runtime) schedSetAttr(writer, pid, now);
  return runtime;
}

/** How this process is to run; its slice is the usual one. */
export interface Scheduling {
  nice: number;
  cpus: readonly number[];
}

export function ownScheduling(): Scheduling {
  return { nice: getPriority(), cpus: allowedCpus(0) };
}

/** For a child of a process that has changed its own: gives all threads of this one what it had before, as far as it may. */
export function runAs({ nice, cpus }: Scheduling): void {
  const writer = new KernelWriter();
  const attempt = (run: () => void) => {
    try {
      run();
    } catch {
      // Then it runs as it was born.
    }
  };
  for (const tid of ownThreads()) {
    attempt(() => {
      const now = schedGetAttr(tid);
      if (isNormal(now)) schedSetAttr(writer, tid, { ...now, nice, runtime: 0 });
    });
    attempt(() => {
      if (allowedCpus(tid).join() !== cpus.join()) setAllowedCpus(writer, tid, cpus);
    });
  }
}
