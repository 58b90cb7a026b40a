import { checked, libc } from './libc.ts';
import type { KernelWriter } from './writer.ts';

/** A mask for 8192 CPUs, the most that Linux can be built for. */
const BYTES = 1024;
const mask = Buffer.alloc(BYTES);

/**
 * The CPUs on which a thread may run: its affinity within its cpuset.
 * @throws PrewakeError PREWAKE_SYSCALL_FAILED: ESRCH where there is no such thread.
 */
export function allowedCpus(tid: number): number[] {
  mask.fill(0);
  checked(libc().sched_getaffinity(tid, BYTES, mask), `sched_getaffinity of ${tid}`);
  const cpus: number[] = [];
  for (let byte = 0; byte < BYTES; byte++) {
    const bits = mask[byte] as number;
    for (let bit = 0; bits >> bit !== 0; bit++) if ((bits >> bit) & 1) cpus.push(byte * 8 + bit);
  }
  return cpus;
}

/** @throws PrewakeError PREWAKE_SYSCALL_FAILED: EINVAL where no CPU of it is in the thread's cpuset. */
export function setAllowedCpus(writer: KernelWriter, tid: number, cpus: readonly number[]): void {
  const wanted = affinityMask(cpus);
  writer.run('sched_setaffinity', `tid ${tid}`, cpus.join(','), () =>
    checked(libc().sched_setaffinity(tid, BYTES, wanted), `sched_setaffinity of ${tid}`),
  );
}

/** A cpu_set_t with these CPUs. The buffer is reused. */
export function affinityMask(cpus: readonly number[]): Buffer {
  mask.fill(0);
  for (const cpu of cpus) mask[cpu >> 3] = (mask[cpu >> 3] as number) | (1 << (cpu & 7));
  return mask;
}
