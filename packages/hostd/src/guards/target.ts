import type { Target } from './guard.ts';

/** A target as one word: the key of a claim, in the journal and in memory. */
export function targetKey(target: Target): string {
  switch (target.type) {
    case 'host':
      return 'host';
    case 'cpu':
      return `cpu:${target.cpu}`;
    case 'idle_state':
      return `idle_state:${target.cpu}:${target.state}`;
    case 'policy':
      return `policy:${target.policy}`;
    case 'task':
      return `task:${target.tgid}:${target.tid}:${target.startTime}`;
  }
}

/** The opposite of {@link targetKey}; undefined for anything that it did not write. */
export function parseTarget(key: string): Target | undefined {
  const [type, ...rest] = key.split(':');
  const [a, b, c] = rest.map(Number);
  if (rest.some((part) => !/^\d+$/.test(part))) return undefined;
  if (type === 'host' && rest.length === 0) return { type };
  if (type === 'cpu' && rest.length === 1) return { type, cpu: a as number };
  if (type === 'idle_state' && rest.length === 2) return { type, cpu: a as number, state: b as number };
  if (type === 'policy' && rest.length === 1) return { type, policy: a as number };
  if (type === 'task' && rest.length === 3 && c !== undefined) {
    return { type, tgid: a as number, tid: b as number, startTime: rest[2] as string };
  }
  return undefined;
}
