import { PrewakeError } from '@prewake/sdk/protocol';
import koffi from 'koffi';

/** The C functions that Node does not offer. All of them return -1 and set errno, as in C. */
interface Libc {
  flock(fd: number, operation: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  /** `length` is in bytes, and says on return how much there is, also where it fails with ERANGE. */
  getsockopt(fd: number, level: number, name: number, value: Int32Array, length: Uint32Array): number;
  pipe2(fds: Int32Array, flags: number): number;
  poll(fds: Buffer, count: number, timeoutMs: number): number;
  ioctl(fd: number, request: number, argument: number): number;
  /** ioctl(2) that answers with an int. */
  ioctlInt(fd: number, request: number, answer: Int32Array): number;
  clock_gettime(clock: number, timespec: Uint32Array): number;
  signal(signal: number, handler: number): number;
  sched_getcpu(): number;
  sched_getaffinity(pid: number, size: number, mask: Buffer): number;
  sched_setaffinity(pid: number, size: number, mask: Buffer): number;
  /** syscall(2) with integer arguments and one pointer. */
  syscallIntPtr(number: number, a: number, pointer: Buffer, b: number, c: number): number;
}

let loaded: Libc | undefined;

/** The process's own libc, loaded at first use: glibc and musl alike. */
export function libc(): Libc {
  if (loaded) return loaded;
  try {
    const self = koffi.load(null);
    // Variadic functions take their arguments where others do on every 64-bit Linux ABI, and koffi is slow with them.
    loaded = {
      flock: self.func('int flock(int, int)'),
      fcntl: self.func('int fcntl(int, int, long)'),
      getsockopt: self.func('int getsockopt(int, int, int, _Out_ int32_t *, _Inout_ uint32_t *)'),
      pipe2: self.func('int pipe2(_Out_ int *, int)'),
      poll: self.func('int poll(void *, unsigned long, int)'),
      ioctl: self.func('int ioctl(int, unsigned long, long)'),
      ioctlInt: self.func('int ioctl(int, unsigned long, _Out_ int *)'),
      clock_gettime: self.func('int clock_gettime(int, void *)'),
      signal: self.func('intptr_t signal(int, intptr_t)'),
      sched_getcpu: self.func('int sched_getcpu()'),
      sched_getaffinity: self.func('int sched_getaffinity(int, size_t, void *)'),
      sched_setaffinity: self.func('int sched_setaffinity(int, size_t, void *)'),
      syscallIntPtr: self.func('long syscall(long, long, void *, long, long)'),
    };
  } catch (cause) {
    throw new PrewakeError('PREWAKE_FFI_UNAVAILABLE', 'the C library could not be loaded through koffi', {
      cause,
    });
  }
  return loaded;
}

/** errno of the last libc call, as a name: `EBUSY`. */
export function lastError(): string {
  return errnoNamed(koffi.errno());
}

/** An errno as a name: `EBUSY`. */
export function errnoNamed(number: number): string {
  for (const [name, value] of Object.entries(koffi.os.errno)) if (value === number) return name;
  return `errno ${number}`;
}

/** Throws what `errno` says, with Node's `code` on the cause, if a call returned -1. */
export function checked(result: number, what: string): number {
  if (result >= 0) return result;
  throw syscallFailed(what, lastError());
}

/** @param name errno's, as Node's errors have it: it becomes the cause's `code` */
export function syscallFailed(what: string, name: string): PrewakeError {
  const cause = Object.assign(new Error(`${what}: ${name}`), { code: name });
  return new PrewakeError('PREWAKE_SYSCALL_FAILED', `${what} failed with ${name}`, { cause });
}

/** The errno name of an error from Node's fs or from {@link checked}; undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  if (typeof code === 'string' && code.startsWith('E')) return code;
  return cause === undefined ? undefined : errorCode(cause);
}

const NUMBERS = {
  x64: { sched_setattr: 314, sched_getattr: 315 },
  arm64: { sched_setattr: 274, sched_getattr: 275 },
} as const;

/** A system call's number on this architecture; undefined where it is not known. */
export function syscallNumber(name: keyof (typeof NUMBERS)['x64']): number | undefined {
  return NUMBERS[process.arch as keyof typeof NUMBERS]?.[name];
}
