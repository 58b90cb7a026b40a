import type { BucketLimit, BudgetConfig } from '../config.ts';

/** The limit of a cgroup: the first pattern that matches decides. */
export function cgroupLimit(config: BudgetConfig, path: string): BucketLimit {
  return config.cgroups.find(({ pattern }) => matchesCgroup(pattern, path))?.limit ?? config.cgroup;
}

export function userLimit(config: BudgetConfig, uid: number): BucketLimit {
  const own = Object.hasOwn(config.users, String(uid)) ? config.users[String(uid)] : undefined;
  return own ?? config.user;
}

/** `*` matches within a path segment, `**` across segments; everything else is literal. */
export function matchesCgroup(pattern: string, path: string): boolean {
  const source = pattern
    .split(/(\*+)/)
    .map((part) => {
      if (part === '*') return '[^/]*';
      return part.startsWith('*') ? '.*' : part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&');
    })
    .join('');
  return new RegExp(`^${source}$`, 's').test(path);
}
