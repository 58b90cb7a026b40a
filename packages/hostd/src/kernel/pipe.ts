import { checked, libc } from './libc.ts';

/** Of the asm-generic ABI, which x86-64 and arm64 share (include/uapi/asm-generic/ioctls.h). */
const FIONREAD = 0x541b;
const count = new Int32Array(1);

/** How many bytes lie unread in a pipe, by either end. */
export function unreadBytes(fd: number): number {
  checked(libc().ioctlInt(fd, FIONREAD, count), 'FIONREAD');
  return count[0] as number;
}
