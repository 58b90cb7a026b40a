import koffi from 'koffi';

const RLIMIT_FSIZE = 1;
const self = koffi.load(null);
const getrlimit = self.func('int getrlimit(int, _Out_ uint64_t *)');
const setrlimit = self.func('int setrlimit(int, uint64_t *)');

/**
 * For tests: as on a file system that gets full. No file of this process grows beyond `bytes` meanwhile: a write that
 * would is cut short, or fails with EFBIG (Node ignores SIGXFSZ).
 */
export function withFileSizeLimit(bytes: number, run: () => void): void {
  const before = new BigUint64Array(2);
  if (getrlimit(RLIMIT_FSIZE, before) !== 0) throw new Error('getrlimit');
  const [, hard = 0n] = before;
  if (setrlimit(RLIMIT_FSIZE, new BigUint64Array([BigInt(bytes), hard])) !== 0) throw new Error('setrlimit');
  try {
    run();
  } finally {
    setrlimit(RLIMIT_FSIZE, before);
  }
}
