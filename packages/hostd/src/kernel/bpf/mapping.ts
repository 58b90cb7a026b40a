import { getSystemErrorMap } from 'node:util';
import { PrewakeError } from '@prewake/sdk/protocol';
import koffi from 'koffi';
import type { Pointer } from './libbpf.ts';

/** asm-generic/mman.h; the same on x86-64 and arm64. */
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

const libc = koffi.load(null);
const mmap = libc.func('mmap', 'void *', ['void *', 'size_t', 'int', 'int', 'int', 'int64']);
const munmap = libc.func('munmap', 'int', ['void *', 'size_t']);
const getpagesize = libc.func('getpagesize', 'int', []);

export const PAGE_BYTES: number = getpagesize();

/** A file's pages as an ArrayBuffer. Nothing may touch {@link Mapping.buffer} after {@link Mapping.unmap}. */
export interface Mapping {
  readonly buffer: ArrayBuffer;
  unmap(): void;
}

export function mapFile(fd: number, offset: number, bytes: number, writable: boolean): Mapping {
  const pointer: Pointer | null = mmap(
    null,
    bytes,
    writable ? PROT_READ | PROT_WRITE : PROT_READ,
    MAP_SHARED,
    fd,
    offset,
  );
  if (pointer === null || koffi.address(pointer) === 0xffff_ffff_ffff_ffffn) {
    throw new PrewakeError('PREWAKE_MMAP', `mmap of ${bytes} bytes: ${errorName(koffi.errno())}`);
  }
  return {
    buffer: koffi.view(pointer, bytes),
    unmap: () => void munmap(pointer, bytes),
  };
}

/** `EPERM` for 1. */
export function errorName(errno: number): string {
  return getSystemErrorMap().get(-Math.abs(errno))?.[0] ?? `errno ${errno}`;
}
