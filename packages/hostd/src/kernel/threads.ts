import { readdirSync, readFileSync } from 'node:fs';

/** Fields of /proc/PID/stat after the comm, which may itself hold spaces and parentheses. Index 0 is field 3 (state). */
function statFields(path: string): string[] | undefined {
  try {
    const text = readFileSync(path, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Start time (field 22, clock ticks since boot) of a process or thread; undefined where it is gone. */
export function startTimeOf(pid: number, tid = pid, root = '/'): string | undefined {
  return statFields(`${root}proc/${pid}/task/${tid}/stat`)?.[19];
}

/** The CPU on which a thread last ran (field 39); -1 where it is gone. */
export function lastCpuOf(pid: number, tid = pid, root = '/'): number {
  const cpu = statFields(`${root}proc/${pid}/task/${tid}/stat`)?.[36];
  return cpu === undefined ? -1 : Number(cpu);
}

/**
 * The host's tid of a thread that a process names by the tid of its own pid namespace (`NSpid` in
 * /proc/PID/task/TID/status, proc_pid_status(5)); undefined where the process has no such thread.
 */
export function resolveThread(pid: number, theirs: number, root = '/'): number | undefined {
  const own = innermostPid(`${root}proc/${pid}/task/${theirs}/status`);
  if (own === theirs) return theirs;
  try {
    for (const tid of readdirSync(`${root}proc/${pid}/task`))
      if (innermostPid(`${root}proc/${pid}/task/${tid}/status`) === theirs) return Number(tid);
  } catch {
    // Gone in the meantime: no such thread.
  }
  return undefined;
}

function innermostPid(path: string): number | undefined {
  try {
    const line = /^NSpid:\s+(.*)$/m.exec(readFileSync(path, 'latin1'))?.[1];
    return line === undefined ? undefined : Number(line.trim().split(/\s+/).at(-1));
  } catch {
    return undefined;
  }
}

/** What a thread of a Node process is, by its name: libuv names its pool, V8 and Node their own workers. */
export function threadRole(tgid: number, tid: number, root = '/'): 'pool' | 'runtime' | 'other' {
  if (tgid === tid) return 'other';
  try {
    const comm = readFileSync(`${root}proc/${tgid}/task/${tid}/comm`, 'utf8').trim();
    if (comm === 'libuv-worker') return 'pool';
    return /^(V8Worker|DelayedTaskSche|SignalInspector)/.test(comm) ? 'runtime' : 'other';
  } catch {
    return 'other';
  }
}
