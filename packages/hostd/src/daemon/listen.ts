import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { PrewakeError } from '@prewake/sdk/protocol';
import { type FileLock, lockFile } from '../kernel/lock.ts';

/** The longest path that fits sockaddr_un (unix(7)), the terminating zero excluded. */
const MAX_SOCKET_PATH = 107;

/**
 * Makes a server listen on a Unix socket that this process alone owns: a lock beside it tells a living hostd
 * from the socket that a dead one left behind, which is taken over.
 *
 * @throws PrewakeError PREWAKE_ALREADY_RUNNING, PREWAKE_SOCKET_PATH (too long), PREWAKE_LISTEN (with its cause)
 */
export async function listenOn(server: Server, path: string): Promise<FileLock> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH)
    throw new PrewakeError(
      'PREWAKE_SOCKET_PATH',
      `socket path longer than ${MAX_SOCKET_PATH} bytes: ${path}`,
    );
  let lock: FileLock | undefined;
  try {
    // Traversable by all: who may do what is decided by SO_PEERCRED. A user's runtime directory is 0700 above it.
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    lock = lockFile(`${path}.lock`);
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
    chmodSync(path, 0o666);
    return lock;
  } catch (cause) {
    lock?.release();
    if (cause instanceof PrewakeError) throw cause;
    throw new PrewakeError('PREWAKE_LISTEN', `cannot listen on ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
