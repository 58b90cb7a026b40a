import { readFileSync } from 'node:fs';

/** linux/capability.h */
const CAP_SYS_ADMIN = 21n;
const CAP_PERFMON = 38n;
const CAP_BPF = 39n;

/** What this process lacks to load tracing programs, in a sentence; undefined where it lacks nothing. */
export function missingPrivilege(root = '/'): string | undefined {
  let status: string;
  try {
    status = readFileSync(`${root}proc/self/status`, 'latin1');
  } catch {
    return undefined; // The kernel will say.
  }
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (capability: bigint): boolean => ((effective >> capability) & 1n) === 1n;
  if (has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON))) return undefined;
  return 'needs CAP_BPF and CAP_PERFMON';
}
