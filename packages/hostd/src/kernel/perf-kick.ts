import { closeSync, readSync } from 'node:fs';
import { checked, libc, syscallNumber } from './libc.ts';

const PERF_TYPE_SOFTWARE = 1;
const PERF_COUNT_SW_DUMMY = 9;
const PERF_ATTR_SIZE_VER0 = 64;
const PERF_FLAG_FD_CLOEXEC = 8;

/**
 * Makes a CPU leave its idle state so that it sees a new limit: reading a CPU-wide perf event makes the kernel
 * ask that CPU for its count by an inter-processor interrupt. A dummy event counts nothing and costs nothing else.
 * Descriptors are opened at first use and kept.
 */
export class CpuKicker {
  readonly #fds = new Map<number, number>();
  readonly #count = Buffer.alloc(8);

  /** @throws PrewakeError PREWAKE_SYSCALL_FAILED: EACCES without CAP_PERFMON, ENODEV for an offline CPU. */
  kick(cpu: number): void {
    let fd = this.#fds.get(cpu);
    if (fd === undefined) {
      fd = open(cpu);
      this.#fds.set(cpu, fd);
    }
    readSync(fd, this.#count, 0, 8, null);
  }

  /** A CPU that went offline and came back needs a new event. */
  forget(cpu: number): void {
    const fd = this.#fds.get(cpu);
    if (fd === undefined) return;
    this.#fds.delete(cpu);
    closeSync(fd);
  }

  close(): void {
    for (const cpu of [...this.#fds.keys()]) this.forget(cpu);
  }
}

function open(cpu: number): number {
  const number = syscallNumber('perf_event_open');
  if (number === undefined) throw Object.assign(new Error(`no perf on ${process.arch}`), { code: 'ENOSYS' });
  const attr = Buffer.alloc(PERF_ATTR_SIZE_VER0);
  attr.writeUInt32LE(PERF_TYPE_SOFTWARE, 0);
  attr.writeUInt32LE(PERF_ATTR_SIZE_VER0, 4);
  attr.writeBigUInt64LE(BigInt(PERF_COUNT_SW_DUMMY), 8);
  const fd = libc().syscallPtr(number, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  return checked(fd, `perf_event_open on cpu ${cpu}`);
}
