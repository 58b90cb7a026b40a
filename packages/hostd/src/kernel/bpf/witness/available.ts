import { spawnSync } from 'node:child_process';
import { missingPrivilege } from '../privilege.ts';

/** What is missing to call the witness, in a sentence. */
export function noWitness(): string | undefined {
  const privilege = missingPrivilege();
  if (privilege) return privilege;
  for (const tool of ['bpftrace', 'bpftool', 'unshare', 'perl', 'python3']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `${tool} is not installed`;
  }
  return undefined;
}
