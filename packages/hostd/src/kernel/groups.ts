import { readFileSync } from 'node:fs';

/** The gid of a group by /etc/group; undefined where there is none of that name. */
export function groupId(name: string, root = '/'): number | undefined {
  try {
    for (const line of readFileSync(`${root}etc/group`, 'utf8').split('\n')) {
      const [group, , gid] = line.split(':');
      if (group === name && gid) return Number(gid);
    }
  } catch {
    // No group file: no such group.
  }
  return undefined;
}

/** Whether a process has a group among its supplementary ones. */
export function hasGroup(pid: number, gid: number, root = '/'): boolean {
  try {
    const status = readFileSync(`${root}proc/${pid}/status`, 'latin1');
    return (/^Groups:\s*(.*)$/m.exec(status)?.[1] ?? '').trim().split(/\s+/).includes(String(gid));
  } catch {
    return false;
  }
}
