import { Socket } from 'node:net';
import { checked, libc } from '../kernel/libc.ts';
import { fdOf } from '../kernel/peer.ts';

/** include/uapi/linux/fcntl.h */
const F_DUPFD_CLOEXEC = 1030;

/** The most that is read at once from one peer. */
export const READ_BYTES = 16 * 1024;

/** One for all sockets: what was read is handed on before anything else is read. */
const buffer = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * Takes a connection over from the socket that has it, which is closed. What is read is handed on without the stream
 * between: a buffer of 64 KiB for each read, its queue and its events take longer than the frames that came.
 *
 * @param head what had been read from it before
 * @param data is given a part of a buffer that the next read overwrites. False: no more until `resume()`.
 * @throws PrewakeError PREWAKE_SYSCALL_FAILED: EMFILE, EBADF where it has been closed
 */
export function directSocket(from: Socket, head: Buffer, data: (chunk: Buffer) => boolean): Socket {
  const own = checked(libc().fcntl(fdOf(from), F_DUPFD_CLOEXEC, 0), 'taking a connection over');
  const callback = (bytes: number) => data(buffer.subarray(0, bytes));
  const socket = new Socket({ fd: own, onread: { buffer, callback } });
  from.destroy();
  // Not before the caller is ready for it.
  if (head.length > 0)
    process.nextTick(() => {
      if (!data(head)) socket.pause();
    });
  return socket;
}
