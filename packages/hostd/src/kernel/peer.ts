import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { PrewakeError } from '@prewake/sdk/protocol';
import { lastError, libc } from './libc.ts';
import { pollForReading } from './poll.ts';
import { startTimeOf } from './threads.ts';

/** Who is at the other end of a Unix socket, as the kernel says. */
export interface Peer {
  /** In hostd's pid namespace: the kernel translates it. */
  pid: number;
  uid: number;
  gid: number;
  /** Supplementary groups. */
  groups: readonly number[];
  /** Field 22 of /proc/PID/stat, clock ticks since boot: with the pid, it names one process for ever. */
  startTime: string;
}

// Values of the asm-generic ABI, which x86-64 and arm64 share (include/uapi/asm-generic/socket.h).
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
/** Linux 6.5 and newer. */
const SO_PEERPIDFD = 77;

/**
 * The peer of a connected Unix socket (SO_PEERCRED, SO_PEERGROUPS). The credentials are those of the `connect(2)`,
 * so a process that passes its socket on still speaks as itself.
 * @throws PrewakeError PREWAKE_PEER_UNKNOWN where the kernel won't say, or the process is gone.
 */
export function peerOf(socket: Socket): Peer {
  const fd = fdOf(socket);
  const credentials = option(fd, SO_PEERCRED, 3);
  if (!credentials) throw new PrewakeError('PREWAKE_PEER_UNKNOWN', 'the kernel does not say who connected');
  const [pid = 0, uid = 0, gid = 0] = credentials;
  // pid 0: the peer lives in a pid namespace that hostd can't see into.
  const startTime = pid > 0 ? startTimeOfPeer(fd, pid) : undefined;
  if (startTime === undefined)
    throw new PrewakeError('PREWAKE_PEER_UNKNOWN', `process ${pid} is not visible to hostd`);
  return { pid, uid: uid >>> 0, gid: gid >>> 0, groups: groupsOf(fd), startTime };
}

/** The user at the other end alone; undefined where the kernel won't say. */
export function uidOf(socket: Socket): number | undefined {
  const uid = option(fdOf(socket), SO_PEERCRED, 3)?.[1];
  return uid === undefined ? undefined : uid >>> 0;
}

/** The descriptor of a socket; -1 where it is closed. Node shows it to nobody else. */
export function fdOf(socket: Socket): number {
  return (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
}

/**
 * The start time of the process that connected. It is read by pid, and a pid may be another's by now: a pidfd of the
 * peer that is still alive afterwards proves that it was not. Before Linux 6.5 there is none to ask for, and the
 * race between `connect(2)` and here stays.
 */
function startTimeOfPeer(fd: number, pid: number): string | undefined {
  const answer = option(fd, SO_PEERPIDFD, 1);
  // Any other error may be about the peer. Linux 6.5 says EINVAL of one that has gone.
  if (!answer) return lastError() === 'ENOPROTOOPT' ? startTimeOf(pid) : undefined;
  const [pidfd = -1] = answer;
  const startTime = startTimeOf(pid);
  try {
    return hasExited(pidfd) ? undefined : startTime;
  } finally {
    closeSync(pidfd);
  }
}

/** A pidfd becomes readable with the end of its process (pidfd_open(2)). */
function hasExited(pidfd: number): boolean {
  // hostd's own timer sends signals.
  for (;;) {
    const ready = pollForReading(pidfd, 0);
    if (ready >= 0 || lastError() !== 'EINTR') return ready !== 0;
  }
}

function groupsOf(fd: number): readonly number[] {
  // Most have a few; the kernel says how many there are where that is not enough.
  const groups = option(fd, SO_PEERGROUPS, 64) ?? option(fd, SO_PEERGROUPS, 65_536) ?? [];
  return Array.from(groups, (gid) => gid >>> 0);
}

/** Up to `count` 32-bit values of a socket option; undefined where the kernel has none, or more. */
function option(fd: number, name: number, count: number): Int32Array | undefined {
  const value = new Int32Array(count);
  const length = new Uint32Array([value.byteLength]);
  if (fd < 0 || libc().getsockopt(fd, SOL_SOCKET, name, value, length) !== 0) return undefined;
  return value.subarray(0, (length[0] ?? 0) / 4);
}
