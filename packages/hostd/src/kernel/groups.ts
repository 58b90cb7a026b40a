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
