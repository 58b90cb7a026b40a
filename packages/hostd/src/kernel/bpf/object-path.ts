import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PrewakeError } from '@prewake/sdk/protocol';

/** The committed BPF object for this architecture. Works from src/ and from dist/: both are as deep. */
export function objectPath(architecture: string = process.arch): string {
  const path = fileURLToPath(new URL(`../../../bpf/prewake.${architecture}.bpf.o`, import.meta.url));
  if (!existsSync(path)) {
    throw new PrewakeError('PREWAKE_BPF_LOAD', `there is no BPF object for ${architecture}`);
  }
  return path;
}
