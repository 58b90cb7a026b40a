import { libc } from './libc.ts';

const POLLIN = 1;

/**
 * poll(2) of one descriptor for reading.
 *
 * @param timeoutMs 0: it does not wait, -1: for ever
 * @returns 1 where there is something to read or the other end is closed, 0 where the time is over, -1 where it failed;
 *   a signal makes it fail with EINTR, also where it does not wait
 */
export function pollForReading(fd: number, timeoutMs: number): number {
  const poll = Buffer.alloc(8);
  poll.writeInt32LE(fd, 0);
  poll.writeInt16LE(POLLIN, 4);
  return libc().poll(poll, 1, timeoutMs);
}
