import type { Socket } from 'node:net';
import { PrewakeError } from '@prewake/sdk/protocol';
import koffi from 'koffi';
import { startTimeOf } from './threads.ts';

/** Who is at the other end of a Unix socket, as the kernel says. */
export interface Peer {
  /** In hostd's pid namespace: the kernel translates it. */
  pid: number;
  uid: number;
  gid: number;
  /** Field 22 of /proc/PID/stat, clock ticks since boot: with the pid, it names one process for ever. */
  startTime: string;
}

// Values of the asm-generic ABI, which x86-64 and arm64 share (include/uapi/asm-generic/socket.h).
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

const libc = koffi.load(null);
const getsockopt = libc.func(
  'int getsockopt(int fd, int level, int name, _Out_ int32_t *value, _Inout_ uint32_t *length)',
);

/**
 * The peer of a connected Unix socket (SO_PEERCRED). The credentials are those of the `connect(2)`, so a
 * process that passes its socket on still speaks as itself.
 * @throws PrewakeError PREWAKE_PEER_UNKNOWN where the kernel won't say, or the process is gone.
 */
export function peerOf(socket: Socket): Peer {
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
  const credentials = new Int32Array(3);
  const length = new Uint32Array([credentials.byteLength]);
  if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0)
    throw new PrewakeError('PREWAKE_PEER_UNKNOWN', 'the kernel does not say who connected');
  const [pid = 0, uid = 0, gid = 0] = credentials;
  // pid 0: the peer lives in a pid namespace that hostd can't see into.
  const startTime = pid > 0 ? startTimeOf(pid) : undefined;
  if (startTime === undefined)
    throw new PrewakeError('PREWAKE_PEER_UNKNOWN', `process ${pid} is not visible to hostd`);
  return { pid, uid: uid >>> 0, gid: gid >>> 0, startTime };
}
