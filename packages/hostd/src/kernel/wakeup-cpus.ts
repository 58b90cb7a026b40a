import { allowedCpus } from './affinity.ts';
import { errorCode } from './libc.ts';
import type { Recorder } from './recorder.ts';
import { ThreadCpus } from './thread-cpus.ts';

/** The CPUs that a thread's next wakeup will need. */
export class WakeupCpus {
  readonly #places: Pick<Recorder, 'lastCpu'>;
  readonly #threads = new ThreadCpus();

  /** @param places knows at once where the threads are that it follows */
  constructor(places: Pick<Recorder, 'lastCpu'>) {
    this.#places = places;
  }

  /**
   * Home, where it last ran, and then where its last completion was handled, if that is another CPU. None where it is
   * gone, or may not run at home any more and nobody knows where it will.
   *
   * @param now microseconds
   * @param slept whether its home is to be checked, which costs a system call: a thread that has just run, or has just
   *   woken who speaks for it, ran where it may
   */
  of(tgid: number, tid: number, now: number, slept: boolean): number[] {
    const { home: known, completion } = this.#places.lastCpu(tid);
    const last = known >= 0 ? known : this.#threads.lastCpu(tgid, tid, now);
    const home = slept ? homeOf(tid, last) : last;
    if (home < 0) return [];
    return completion >= 0 && completion !== home ? [home, completion] : [home];
  }
}

/** A thread that was moved off its CPU in its sleep wakes on another that it may run on: known if there is only one. */
function homeOf(tid: number, last: number): number {
  if (last < 0) return last;
  try {
    const allowed = allowedCpus(tid);
    if (allowed.includes(last)) return last;
    return allowed.length === 1 ? (allowed[0] as number) : -1;
  } catch (error) {
    // Where nobody may ask, it is where it was.
    return errorCode(error) === 'ESRCH' ? -1 : last;
  }
}
