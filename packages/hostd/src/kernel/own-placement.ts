import { allowedCpus, setAllowedCpus } from './affinity.ts';
import { errorCode, libc } from './libc.ts';
import { KernelWriter } from './writer.ts';

/** A CPU that was named this long ago is no longer avoided, microseconds. */
const MEMORY_US = 1_000_000;
/** How often it is worth a look, while wakeups are only planned, microseconds. */
const LOOK_EVERY_US = 5000;
/** Later than this, others keep this thread from running, microseconds. */
const CROWDED_US = 2000;
/** A process that takes more than this part of a CPU needs all that it can get. Looked at this often, microseconds. */
const BUSY = 0.3;
const USAGE_EVERY_US = 100_000;
/** Then it may run everywhere for this long, microseconds. */
const TRUCE_US = 1_000_000;

/**
 * Keeps this process's threads off CPUs whose wakeups are awaited: what runs on a CPU just before a wakeup makes the
 * woken task wait, or leaves it with cold caches. V8's own threads are the worst of it, for they compile and collect
 * for milliseconds. Bench `effect` has the difference.
 *
 * A wish and no rule: where that leaves it no CPU, or one on which it is kept waiting, or has much to do, it runs
 * anywhere. It has no timer; what it avoided last it goes on avoiding until it is asked again.
 */
export class OwnPlacement {
  readonly #writer = new KernelWriter();
  #tids: readonly number[];
  /** When each CPU was last named. */
  readonly #named = new Map<number, number>();
  /** Where it may run by itself: as it was before the first restriction. */
  #allowed: readonly number[] = [];
  #avoided: readonly number[] = [];
  #truceUntil = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #used: { at: number; cpu: NodeJS.CpuUsage } | undefined;

  /** @param tids what is to be moved: this thread first, whose affinity counts for all */
  constructor(tids: readonly number[]) {
    this.#tids = tids;
  }

  /** Whether a look is due; the answer is no for a while then. @param now microseconds */
  due(now: number): boolean {
    if (now - this.#lookedAt < LOOK_EVERY_US) return false;
    this.#lookedAt = now;
    return true;
  }

  /**
   * Leaves these CPUs if this thread is on one of them, and stays away from them: from as many as leave it one.
   *
   * @param cpus the one that matters most first
   * @param now microseconds
   */
  avoid(cpus: readonly number[], now: number): void {
    if (now < this.#truceUntil) return;
    if (this.#busy(now)) {
      this.#truce(now);
      return;
    }
    for (const cpu of cpus) this.#named.set(cpu, now);
    if (!cpus.includes(libc().sched_getcpu())) return;
    for (const [cpu, at] of this.#named) if (now - at > MEMORY_US) this.#named.delete(cpu);
    if (!this.#restrict([...this.#named.keys()]) && !this.#restrict(cpus)) this.#restrict(cpus.slice(0, 1));
  }

  /** Says how late something was that this thread had a time for, microseconds. */
  late(us: number, now: number): void {
    if (us >= CROWDED_US && this.#avoided.length > 0) this.#truce(now);
  }

  #truce(now: number): void {
    this.#truceUntil = now + TRUCE_US;
    if (this.#avoided.length > 0) this.#restrict([]);
  }

  #busy(now: number): boolean {
    this.#used ??= { at: now, cpu: process.cpuUsage() };
    const elapsed = now - this.#used.at;
    if (elapsed < USAGE_EVERY_US) return false;
    const { user, system } = process.cpuUsage(this.#used.cpu);
    this.#used = undefined;
    return user + system > BUSY * elapsed;
  }

  /** False where no CPU would be left. */
  #restrict(avoided: readonly number[]): boolean {
    try {
      if (this.#avoided.length === 0) this.#allowed = allowedCpus(0);
      const left = this.#allowed.filter((cpu) => !avoided.includes(cpu));
      if (left.length === 0) return false;
      for (const tid of this.#tids) setAllowedCpus(this.#writer, tid, left);
      this.#avoided = avoided;
    } catch {
      // A CPU went offline, its cpuset has changed, a thread has ended.
      this.#tids = this.#tids.filter((tid) => this.#free(tid));
      this.#avoided = [];
    }
    return true;
  }

  /** Lets a thread run where it ran by itself, as far as it may; false where it has ended. */
  #free(tid: number): boolean {
    try {
      setAllowedCpus(this.#writer, tid, this.#allowed);
    } catch (error) {
      return errorCode(error) !== 'ESRCH';
    }
    return true;
  }
}
