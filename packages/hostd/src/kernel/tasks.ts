import type { ControlFiles } from './control-files.ts';

/** Threads of a process; none where it is gone. */
function threadsOf(files: ControlFiles, tgid: number): number[] {
  return files.list(`proc/${tgid}/task`).map(Number);
}

/** Every thread of a process and of all its descendants that still hang on it, its own first. */
export function threadsBelow(files: ControlFiles, tgid: number): number[] {
  const found: number[] = [];
  const processes = [tgid];
  const seen = new Set(processes);
  for (let process = processes.shift(); process !== undefined; process = processes.shift()) {
    for (const tid of threadsOf(files, process)) {
      found.push(tid);
      for (const child of (files.peek(`proc/${process}/task/${tid}/children`) ?? '').split(/\s+/)) {
        const pid = Number(child);
        if (pid > 0 && !seen.has(pid)) {
          seen.add(pid);
          processes.push(pid);
        }
      }
    }
  }
  return found;
}

/** Every thread on the machine. */
export function allThreads(files: ControlFiles): number[] {
  return files
    .list('proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => threadsOf(files, Number(pid)));
}

const CAP_SYS_NICE = 23n;

/** Why this process may not change the scheduling of others; undefined where it may. */
export function schedulingDenied(files: ControlFiles): string | undefined {
  const status = files.peek('proc/self/status') ?? '';
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0';
  return (BigInt(`0x${effective}`) >> CAP_SYS_NICE) & 1n ? undefined : 'no CAP_SYS_NICE';
}
