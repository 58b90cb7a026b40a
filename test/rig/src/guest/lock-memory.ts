import { koffi } from './fork.ts';

const MCL_CURRENT = 1;
const mlockall = koffi.load(null).func('int mlockall(int)');

/**
 * Brings all that this process has mapped into memory, and keeps it there. After a suspend nothing can be read from the
 * host any more: a page of Node or of libc that is touched for the first time then would never come.
 */
export function lockMemory(): void {
  if (mlockall(MCL_CURRENT) !== 0) throw new Error('mlockall failed');
}
