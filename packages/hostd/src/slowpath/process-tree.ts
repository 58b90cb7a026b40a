import type { ForkRecord } from '../kernel/slice.ts';
import type { StepSpan } from './step-table.ts';

/** A process that a tracked one forked, or a thread of the session's own process. */
interface Forked {
  readonly fork: ForkRecord;
  owners: readonly StepSpan[] | undefined;
}

/**
 * Who spawned what: the kernel's fork records, and the steps that they turned out to belong to. A child belongs to
 * the step whose code ran on the parent thread then; its own children belong to the same step.
 */
export class ProcessTree {
  readonly #processes = new Map<number, Forked>();
  readonly #threads = new Map<number, Forked>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns false where there was no room. */
  add(fork: ForkRecord): boolean {
    const map = fork.childTgid === fork.parentTgid ? this.#threads : this.#processes;
    if (map.size >= this.#limit) return false;
    const key = map === this.#threads ? fork.childTid : fork.childTgid;
    map.set(key, {
      fork: {
        at: fork.at,
        parentTgid: fork.parentTgid,
        parentTid: fork.parentTid,
        childTgid: fork.childTgid,
        childTid: fork.childTid,
      },
      owners: undefined,
    });
    return true;
  }

  /**
   * The steps that a child process belongs to: one, or several where it can't be decided; none where no step's code
   * ran on the parent thread.
   * @param ownersAt the steps on a thread of the session's own process at a time
   * @param final whether all that is to be known of that time is known, so that the answer may be kept
   */
  ownersOf(
    tgid: number,
    ownersAt: (tid: number, t: number) => readonly StepSpan[],
    final: (t: number) => boolean,
  ): readonly StepSpan[] {
    // A chain of parents can't be longer than the number of processes.
    for (let child = this.#processes.get(tgid), depth = 0; child && depth <= this.#limit; depth++) {
      if (child.owners) return child.owners;
      const parent = this.#processes.get(child.fork.parentTgid);
      if (!parent) return this.#resolve(child, ownersAt, final);
      child = parent;
    }
    return [];
  }

  /** The same for a thread of the session's own process. Undefined where its creation was not seen. */
  ownersOfThread(
    tid: number,
    ownersAt: (tid: number, t: number) => readonly StepSpan[],
    final: (t: number) => boolean,
  ): readonly StepSpan[] | undefined {
    const thread = this.#threads.get(tid);
    return thread && this.#resolve(thread, ownersAt, final);
  }

  /** Decides, for good, whatever was forked up to `until`. */
  settle(until: number, ownersAt: (tid: number, t: number) => readonly StepSpan[]): void {
    for (const map of [this.#processes, this.#threads])
      for (const forked of map.values())
        if (!forked.owners && forked.fork.at <= until && !this.#processes.has(forked.fork.parentTgid))
          this.#resolve(forked, ownersAt, () => true);
    // Grandchildren are given what their parents have: the parent's record may be gone before theirs is needed.
    for (const forked of this.#processes.values())
      if (!forked.owners && forked.fork.at <= until)
        forked.owners = this.#processes.get(forked.fork.parentTgid)?.owners;
  }

  /** A process, or a thread of the session's own, is gone. Its children keep what was decided. */
  remove(tgid: number, tid: number): void {
    if (tgid === tid) this.#processes.delete(tgid);
    this.#threads.delete(tid);
  }

  #resolve(
    forked: Forked,
    ownersAt: (tid: number, t: number) => readonly StepSpan[],
    final: (t: number) => boolean,
  ): readonly StepSpan[] {
    if (forked.owners) return forked.owners;
    const owners = ownersAt(forked.fork.parentTid, forked.fork.at);
    if (final(forked.fork.at)) forked.owners = owners;
    return owners;
  }
}
