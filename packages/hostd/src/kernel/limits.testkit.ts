import koffi from 'koffi';

const RESOURCES = { fileSize: 1, descriptors: 7 } as const;
const self = koffi.load(null);
const getrlimit = self.func('int getrlimit(int, _Out_ uint64_t *)');
const setrlimit = self.func('int setrlimit(int, uint64_t *)');

/** Runs with a soft limit of setrlimit(2) on this process. */
function withLimit<T>(name: keyof typeof RESOURCES, value: number, run: () => T): T {
  const resource = RESOURCES[name];
  const before = new BigUint64Array(2);
  if (getrlimit(resource, before) !== 0) throw new Error('getrlimit');
  const [, hard = 0n] = before;
  if (setrlimit(resource, new BigUint64Array([BigInt(value), hard])) !== 0) throw new Error('setrlimit');
  try {
    return run();
  } finally {
    setrlimit(resource, before);
  }
}

/**
 * For tests, as on a file system that gets full: no file grows beyond `bytes` meanwhile. A write that would is cut short, or
 * fails with EFBIG (Node ignores SIGXFSZ).
 */
export function withFileSizeLimit<T>(bytes: number, run: () => T): T {
  return withLimit('fileSize', bytes, run);
}

/** For tests: no descriptor with a number of `count` or more can be opened meanwhile (EMFILE). */
export function withDescriptors<T>(count: number, run: () => T): T {
  return withLimit('descriptors', count, run);
}
