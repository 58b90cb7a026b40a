import { readdirSync, readFileSync } from 'node:fs';
import { lastCpuIn, startTimeIn } from './task-stat.ts';

function readStat(pid: number, tid: number, root: string): string | undefined {
  try {
    return readFileSync(`${root}proc/${pid}/task/${tid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
}

/** Start time (field 22, clock ticks since boot) of a process or thread; undefined where it is gone. */
export function startTimeOf(pid: number, tid = pid, root = '/'): string | undefined {
  return startTimeIn(readStat(pid, tid, root));
}

/** The CPU on which a thread last ran (field 39); -1 where it is gone. */
export function lastCpuOf(pid: number, tid = pid, root = '/'): number {
  return lastCpuIn(readStat(pid, tid, root)) ?? -1;
}

/**
 * The host's tid of a thread that a process names by the tid of its own pid namespace (`NSpid` in
 * /proc/PID/task/TID/status, proc_pid_status(5)); undefined where the process has no such thread.
 */
export function resolveThread(pid: number, theirs: number, root = '/'): number | undefined {
  const own = pidsOf(`${root}proc/${pid}/task/${theirs}/status`);
  if (own?.at(-1) === theirs) return theirs;
  // In hostd's own namespace a thread has one number, and no other can be meant.
  if (pidsOf(`${root}proc/${pid}/status`)?.length === 1) return undefined;
  try {
    for (const tid of readdirSync(`${root}proc/${pid}/task`))
      if (pidsOf(`${root}proc/${pid}/task/${tid}/status`)?.at(-1) === theirs) return Number(tid);
  } catch {
    // Gone in the meantime: no such thread.
  }
  return undefined;
}

/** This process's threads, the main one first. */
export function ownThreads(): number[] {
  const others = readdirSync('/proc/self/task')
    .map(Number)
    .filter((tid) => tid !== process.pid);
  return [process.pid, ...others];
}

/** A thread's number in each pid namespace that it is in, hostd's first. */
function pidsOf(path: string): number[] | undefined {
  try {
    const line = /^NSpid:\s+(.*)$/m.exec(readFileSync(path, 'latin1'))?.[1];
    return line?.trim().split(/\s+/).map(Number);
  } catch {
    return undefined;
  }
}

/** What a thread of a Node process works for: `pool` for steps' requests, `runtime` for nobody. */
export type ThreadRole = 'pool' | 'runtime' | 'other';

/** By its name: libuv names its pool, V8 and Node their own workers. */
export function threadRole(tgid: number, tid: number, root = '/'): ThreadRole {
  if (tgid === tid) return 'other';
  try {
    const comm = readFileSync(`${root}proc/${tgid}/task/${tid}/comm`, 'utf8').trim();
    if (comm === 'libuv-worker') return 'pool';
    return /^(V8Worker|DelayedTaskSche|SignalInspector)/.test(comm) ? 'runtime' : 'other';
  } catch {
    // It is gone: a pool or runtime thread that dies must not be taken for the agent's own.
    return 'runtime';
  }
}
