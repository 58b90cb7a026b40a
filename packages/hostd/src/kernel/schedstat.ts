import { readdirSync, readFileSync } from 'node:fs';

/** /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst): nanoseconds since the thread began. */
export interface Schedstat {
  tid: number;
  /** On a CPU. */
  runNs: number;
  /** Runnable, but not on a CPU. */
  waitNs: number;
}

export function schedstatAvailable(root = '/'): boolean {
  return read(`${root}proc/self/schedstat`) !== undefined;
}

/** All threads of a process; none where it is gone. */
export function schedstatsOf(pid: number, root = '/'): Schedstat[] {
  const threads: Schedstat[] = [];
  for (const tid of entries(`${root}proc/${pid}/task`)) {
    const numbers = read(`${root}proc/${pid}/task/${tid}/schedstat`);
    if (numbers) threads.push({ tid: Number(tid), runNs: numbers[0], waitNs: numbers[1] });
  }
  return threads;
}

/** The living children of all threads of a process (CONFIG_PROC_CHILDREN; none where the kernel lacks it). */
export function childrenOf(pid: number, root = '/'): number[] {
  return entries(`${root}proc/${pid}/task`).flatMap((tid) => {
    try {
      const children = readFileSync(`${root}proc/${pid}/task/${tid}/children`, 'latin1').trim();
      return children === '' ? [] : children.split(' ').map(Number);
    } catch {
      return [];
    }
  });
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): [number, number] | undefined {
  try {
    const [run, wait] = readFileSync(path, 'latin1').split(' ').map(Number);
    return run === undefined || wait === undefined ? undefined : [run, wait];
  } catch {
    return undefined;
  }
}
