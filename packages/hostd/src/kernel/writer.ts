/** One change that Prewake makes to the machine, or one line of its journal. */
export interface WriteOp {
  kind: 'sysfs' | 'proc' | 'qos' | 'sched_setattr' | 'sched_setaffinity' | 'journal';
  /** The path (without the root directory) or `tid 42`. */
  target: string;
  value: string;
}

/** Sees every write before and after it happens. A test may end the process in either. */
export interface SyscallTap {
  before(op: WriteOp): void;
  /** Not called where the write failed. */
  after(op: WriteOp): void;
}

/**
 * The one funnel of writes: whatever changes the machine or the journal passes it, so that one tap sees all of
 * it in order. It adds nothing where there is no tap.
 */
export class KernelWriter {
  readonly #tap: SyscallTap | undefined;

  constructor(tap?: SyscallTap) {
    this.#tap = tap;
  }

  run<T>(kind: WriteOp['kind'], target: string, value: string, write: () => T): T {
    const tap = this.#tap;
    if (!tap) return write();
    const op = { kind, target, value };
    tap.before(op);
    const result = write();
    tap.after(op);
    return result;
  }
}
