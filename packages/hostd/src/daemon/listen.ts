import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { PrewakeError } from '@prewake/sdk/protocol';
import { type FileLock, lockFile } from '../kernel/lock.ts';

/** The longest path that fits sockaddr_un (unix(7)), the terminating zero excluded. */
const MAX_SOCKET_PATH = 107;

/** A socket's path that this process alone owns. */
export interface ClaimedSocket {
  /** @throws PrewakeError PREWAKE_LISTEN, with its cause */
  listen(server: Server): Promise<void>;
  release(): void;
}

/**
 * Takes a path before anything else is done: a lock beside it tells a living hostd from the socket that a dead one
 * left behind, which is taken over.
 *
 * @throws PrewakeError PREWAKE_ALREADY_RUNNING, PREWAKE_SOCKET_PATH (too long), PREWAKE_LISTEN (with its cause)
 */
export function claimSocket(path: string): ClaimedSocket {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH)
    throw new PrewakeError(
      'PREWAKE_SOCKET_PATH',
      `socket path longer than ${MAX_SOCKET_PATH} bytes: ${path}`,
    );
  const failed = (cause: unknown) =>
    new PrewakeError('PREWAKE_LISTEN', `cannot listen on ${path}: ${(cause as Error).message}`, { cause });
  let lock: FileLock;
  try {
    // Traversable by all: who may do what is decided by SO_PEERCRED. A user's runtime directory is 0700 above it.
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === false)
      throw new Error('it exists, and is no socket');
    lock = lockFile(`${path}.lock`);
    rmSync(path, { force: true });
  } catch (cause) {
    throw cause instanceof PrewakeError ? cause : failed(cause);
  }
  return {
    async listen(server) {
      await new Promise<void>((resolve, reject) => {
        const refused = (cause: Error) => reject(failed(cause));
        server.once('error', refused);
        server.listen(path, () => {
          server.removeListener('error', refused);
          resolve();
        });
      });
      chmodSync(path, 0o666);
    },
    release() {
      rmSync(path, { force: true });
      lock.release();
    },
  };
}
