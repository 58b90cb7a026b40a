import { readFileSync } from 'node:fs';

/** A process's cgroup. */
interface Cgroup {
  /** 2: the unified hierarchy; 1: a controller's own. */
  version: 1 | 2;
  path: string;
}

/**
 * Picks the cgroup that pays for CPU time out of `/proc/PID/cgroup`: v1's `cpu` controller where it is mounted
 * apart (there the v2 entry is an empty one beside it), v2 otherwise, and any of v1's where there is neither.
 */
function parseCgroup(text: string): Cgroup {
  let unified: string | undefined;
  let cpu: string | undefined;
  let any: string | undefined;
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (controllers === '') unified = path;
    else if (controllers?.split(',').includes('cpu')) cpu = path;
    else any ??= path;
  }
  if (cpu !== undefined) return { version: 1, path: cpu };
  if (unified !== undefined || any === undefined) return { version: 2, path: unified ?? '/' };
  return { version: 1, path: any };
}

/** The cgroup of a process; undefined where it is gone. */
export function cgroupOf(pid: number, root = '/'): Cgroup | undefined {
  try {
    return parseCgroup(readFileSync(`${root}proc/${pid}/cgroup`, 'utf8'));
  } catch {
    return undefined;
  }
}
