import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { PrewakeError } from '@prewake/sdk/protocol';
import koffi from 'koffi';

const LOCK_EX = 2;
const LOCK_NB = 4;

const flock = koffi.load(null).func('int flock(int fd, int operation)');

/** An exclusive lock that the kernel gives up with the process that holds it, however it dies (flock(2)). */
export interface FileLock {
  release(): void;
}

/** @throws PrewakeError PREWAKE_ALREADY_RUNNING where another process holds it; the message names its pid. */
export function lockFile(path: string): FileLock {
  const fd = openSync(path, 'a+', 0o644);
  if (flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    closeSync(fd);
    const pid = readFileSync(path, 'latin1').trim() || 'unknown';
    throw new PrewakeError('PREWAKE_ALREADY_RUNNING', `another hostd (pid ${pid}) holds ${path}`);
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  // The file stays: removing it would let two processes lock two files of one name.
  return { release: () => closeSync(fd) };
}
