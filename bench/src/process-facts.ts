import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** What /proc tells of processes and of the machine. `root` is / but in tests. */

const field = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);

/** Resident memory, MiB. */
export function residentMiB(pid: number, root = '/'): number {
  return field(readFileSync(`${root}proc/${pid}/status`, 'utf8'), 'VmRSS') / 1024;
}

/** Switches of each thread so far, by thread id. */
function switchesByThread(pid: number, root: string): Map<number, number> {
  const threads = new Map<number, number>();
  for (const tid of readdirSync(`${root}proc/${pid}/task`)) {
    const status = readFileSync(`${root}proc/${pid}/task/${tid}/status`, 'utf8');
    threads.set(
      Number(tid),
      field(status, 'voluntary_ctxt_switches') + field(status, 'nonvoluntary_ctxt_switches'),
    );
  }
  return threads;
}

/** Counts the context switches of all threads of some processes from now on. */
export function switchCounter(pids: readonly number[], root = '/'): () => number {
  const before = new Map(pids.map((pid) => [pid, switchesByThread(pid, root)]));
  return () => {
    let total = 0;
    for (const pid of pids)
      for (const [tid, count] of switchesByThread(pid, root))
        total += count - (before.get(pid)?.get(tid) ?? 0);
    return total;
  };
}

/** CPU time of all living threads of a process, seconds: exact, where /proc/PID/stat counts ticks. */
export function cpuSeconds(pid: number, root = '/'): number {
  let ns = 0;
  for (const tid of readdirSync(`${root}proc/${pid}/task`))
    ns += Number(readFileSync(`${root}proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]);
  return ns / 1e9;
}

/** CPU seconds that the whole machine was idle, from /proc/stat: for tickless idle this is exact, busy time is not. */
export function idleSeconds(root = '/'): number {
  const line = /^cpu .*/.exec(readFileSync(`${root}proc/stat`, 'utf8'))?.[0] ?? '';
  const [, , , , idle, iowait] = line.split(/\s+/);
  return (Number(idle) + Number(iowait)) / 100;
}

/** Measures the CPU time that the whole machine spends from now on, seconds. */
export function busyClock(root = '/'): () => { busy: number; elapsed: number } {
  const idleBefore = idleSeconds(root);
  const began = performance.now();
  return () => {
    const elapsed = (performance.now() - began) / 1000;
    return { busy: elapsed * cpus().length - (idleSeconds(root) - idleBefore), elapsed };
  };
}
