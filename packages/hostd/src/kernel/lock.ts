import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { PrewakeError } from '@prewake/sdk/protocol';
import { libc } from './libc.ts';

const LOCK_EX_NB = 2 | 4;

/**
 * An exclusive flock(2), which the kernel gives up with its last descriptor, however the process dies. False:
 * someone else has it.
 */
export function tryLock(fd: number): boolean {
  return libc().flock(fd, LOCK_EX_NB) === 0;
}

/** A lock that says who holds it. */
export interface FileLock {
  release(): void;
}

/** @throws PrewakeError PREWAKE_ALREADY_RUNNING where another process holds it; the message names its pid. */
export function lockFile(path: string): FileLock {
  // Its owner's alone: anyone may flock(2) what he can read, and would keep hostd from starting.
  const fd = openSync(path, 'a+', 0o600);
  if (!tryLock(fd)) {
    closeSync(fd);
    const pid = readFileSync(path, 'latin1').trim() || 'unknown';
    throw new PrewakeError('PREWAKE_ALREADY_RUNNING', `another hostd (pid ${pid}) holds ${path}`);
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  // The file stays: removing it would let two processes lock two files of one name.
  return { release: () => closeSync(fd) };
}
