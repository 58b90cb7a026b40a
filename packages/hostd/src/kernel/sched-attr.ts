import { checked, libc, syscallNumber } from './libc.ts';
import type { KernelWriter } from './writer.ts';

/** struct sched_attr of <linux/sched/types.h>, as far as Prewake uses it. */
export interface SchedAttr {
  /** SCHED_OTHER 0, SCHED_BATCH 3; the rest is never touched. */
  policy: number;
  flags: number;
  nice: number;
  /** EEVDF slice in nanoseconds (6.12 and later); 0 asks for the default, and is what older kernels read. */
  runtime: number;
  /** 0–1024; both 0 where the kernel has no utilization clamping. */
  utilMin: number;
  utilMax: number;
}

const SCHED_OTHER = 0;
const SCHED_BATCH = 3;
export const RESET_ON_FORK = 0x01;
const KEEP_POLICY = 0x08;
const KEEP_PARAMS = 0x10;
const UTIL_CLAMP_MIN = 0x20;

const SIZE = 56;
const buffer = Buffer.alloc(SIZE);

/** Whether a thread is in one of the classes that have a nice value and a slice. */
export function isNormal({ policy }: Pick<SchedAttr, 'policy'>): boolean {
  return policy === SCHED_OTHER || policy === SCHED_BATCH;
}

/** @throws PrewakeError PREWAKE_SYSCALL_FAILED: ESRCH where there is no such thread. */
export function schedGetAttr(tid: number): SchedAttr {
  buffer.fill(0);
  const number = syscallNumber('sched_getattr') ?? -1;
  checked(libc().syscallIntPtr(number, tid, buffer, SIZE, 0), `sched_getattr of ${tid}`);
  return {
    policy: buffer.readUInt32LE(4),
    flags: buffer.readUInt32LE(8),
    nice: buffer.readInt32LE(16),
    runtime: buffer.readUInt32LE(24) + buffer.readUInt32LE(28) * 2 ** 32,
    utilMin: buffer.readUInt32LE(48),
    utilMax: buffer.readUInt32LE(52),
  };
}

/** Sets policy, nice, slice and the reset-on-fork flag; utilization clamps stay as they are. */
export function schedSetAttr(writer: KernelWriter, tid: number, attr: SchedAttr): void {
  const { policy, flags, nice, runtime } = attr;
  buffer.fill(0);
  buffer.writeUInt32LE(SIZE, 0);
  buffer.writeUInt32LE(policy, 4);
  buffer.writeBigUInt64LE(BigInt(flags & RESET_ON_FORK), 8);
  buffer.writeInt32LE(nice, 16);
  buffer.writeBigUInt64LE(BigInt(runtime), 24);
  call(writer, tid, `slice ${runtime} nice ${nice} flags ${flags & RESET_ON_FORK}`);
}

/** Sets the lower utilization clamp alone, 0–1024; -1 gives it back to the system's default (5.11 and later). */
export function schedSetUtilMin(writer: KernelWriter, tid: number, utilMin: number): void {
  buffer.fill(0);
  buffer.writeUInt32LE(SIZE, 0);
  buffer.writeBigUInt64LE(BigInt(KEEP_POLICY | KEEP_PARAMS | UTIL_CLAMP_MIN), 8);
  buffer.writeInt32LE(utilMin, 48);
  call(writer, tid, `util_min ${utilMin}`);
}

function call(writer: KernelWriter, tid: number, what: string): void {
  writer.run('sched_setattr', `tid ${tid}`, what, () => {
    const number = syscallNumber('sched_setattr') ?? -1;
    checked(libc().syscallIntPtr(number, tid, buffer, 0, 0), `sched_setattr of ${tid}`);
  });
}
