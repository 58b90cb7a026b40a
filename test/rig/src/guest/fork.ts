import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** koffi, which is a dependency of hostd. */
export const koffi = createRequire(join(import.meta.dirname, '../../../../packages/hostd/package.json'))(
  'koffi',
);

const libc = koffi.load(null);
const fork = libc.func('int fork()');
const getpid = libc.func('int getpid()');
koffi.struct('sock_fprog', { len: 'uint16', filter: 'void *' });
const prctl = libc.func('int prctl(long, long, sock_fprog *, long, long)');
const madvise = libc.func('int madvise(size_t, size_t, int)');
const waitpid = libc.func('int waitpid(int, _Out_ int *, int)');

let heapIsKept = false;

/** fork(2): 0 in the child, whose `process.pid` is its own. Only synchronous code and microtasks work in the child. */
export function forkProcess(): number {
  if (!heapIsKept) keepHeapInForks();
  heapIsKept = true;
  const pid = fork() as number;
  if (pid < 0) throw new Error('fork failed');
  if (pid === 0) Object.defineProperty(process, 'pid', { value: getpid() });
  return pid;
}

/**
 * V8 asks the kernel to leave its heap out of forks (MADV_DONTFORK): the copy would lose the very code that it is in.
 * From here on the kernel lets such a request pass without effect, and what was asked before is undone.
 */
function keepHeapInForks(): void {
  const PR_SET_NO_NEW_PRIVS = 38;
  const PR_SET_SECCOMP = 22;
  const SECCOMP_MODE_FILTER = 2;
  const MADV_DONTFORK = 10;
  const MADV_DOFORK = 11;
  const X86_64_MADVISE = 28;
  const program = [
    [0x20, 0, 0, 0], // A = system call number
    [0x15, 0, 3, X86_64_MADVISE],
    [0x20, 0, 0, 32], // A = its third argument
    [0x15, 0, 1, MADV_DONTFORK],
    [0x06, 0, 0, 0x00050000], // SECCOMP_RET_ERRNO with errno 0: done, says the kernel
    [0x06, 0, 0, 0x7fff0000], // SECCOMP_RET_ALLOW
  ] as const;
  const filter = Buffer.alloc(program.length * 8);
  for (const [i, [code, jt, jf, k]] of program.entries()) {
    filter.writeUInt16LE(code, i * 8);
    filter.writeUInt8(jt, i * 8 + 2);
    filter.writeUInt8(jf, i * 8 + 3);
    filter.writeUInt32LE(k, i * 8 + 4);
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, null, 0, 0) !== 0) throw new Error('PR_SET_NO_NEW_PRIVS failed');
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, { len: program.length, filter }, 0, 0) !== 0) {
    throw new Error('PR_SET_SECCOMP failed');
  }
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    if (!line.endsWith(' 00:00 0 ')) continue;
    const dash = line.indexOf('-');
    const start = Number.parseInt(line.slice(0, dash), 16);
    madvise(start, Number.parseInt(line.slice(dash + 1), 16) - start, MADV_DOFORK);
  }
}

/** Blocks until a child has ended. */
export function waitForProcess(pid: number): { status: number | null; signal: number | null } {
  const status = [0];
  waitpid(pid, status, 0);
  const word = status[0] as number;
  const signal = word & 0x7f;
  return signal === 0 ? { status: (word >> 8) & 0xff, signal: null } : { status: null, signal };
}
