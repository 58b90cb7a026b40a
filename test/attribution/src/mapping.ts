import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const mmap = libc.func(
  'void *mmap(void *at, size_t length, int protection, int flags, int fd, int64_t offset)',
);
const munmap = libc.func('int munmap(void *at, size_t length)');
const madvise = libc.func('int madvise(void *at, size_t length, int advice)');
const fadvise = libc.func('int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)');
const prctl = libc.func('int prctl(int option, uint64_t value)');

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const MADV_RANDOM = 1;
const MADV_NOHUGEPAGE = 15;
const POSIX_FADV_DONTNEED = 4;
const PR_SET_TIMERSLACK = 29;

/** Out of the page cache, as far as it is clean. */
export function forgetPages(path: string): void {
  const fd = openSync(path, 'r');
  fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  closeSync(fd);
}

/** Memory of which each first touch of a page is a fault. */
export interface Mapping {
  touch(offset: number): void;
  unmap(): void;
}

/** Maps a file without readahead. */
export function mapFile(path: string, length: number): Mapping {
  const fd = openSync(path, 'r');
  const at = mmap(null, length, PROT_READ, MAP_SHARED, fd, 0);
  closeSync(fd);
  madvise(at, length, MADV_RANDOM);
  return {
    touch: (offset) => koffi.decode(at, offset, 'uint8_t'),
    unmap: () => munmap(at, length),
  };
}

/** Memory that nobody has used, in small pages. */
export function mapFresh(length: number): Mapping {
  const at = mmap(null, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(at, length, MADV_NOHUGEPAGE);
  return {
    touch: (offset) => koffi.encode(at, offset, 'uint8_t', 1),
    unmap: () => munmap(at, length),
  };
}

/** Of the calling thread and of children that it makes from now on; 0: what it had at first. */
export function setTimerSlack(ns: number): void {
  prctl(PR_SET_TIMERSLACK, ns);
}
