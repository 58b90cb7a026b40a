import { setImmediate as turn } from 'node:timers/promises';
import type { Truth } from './plan.ts';
import { account, now, timesSlept } from './witness.ts';

const word = new Int32Array(new SharedArrayBuffer(4));
/**
 * The thread sleeps for a millisecond, in the middle of its code. Where the host takes the CPU away for longer than that,
 * the time is over before it sleeps: then once more.
 *
 * @returns how much longer than asked for, nanoseconds
 */
function sleep(): number {
  const before = timesSlept();
  let late = 0;
  do {
    const at = now();
    Atomics.wait(word, 0, 0, 1);
    late += now() - at - 1e6;
  } while (timesSlept() === before);
  return late;
}

/**
 * Work in pieces, with turns of the event loop between them in which the other steps run. The thread sleeps before and
 * after each, so that no slice in which it works is another step's as well.
 */
export class Pieces {
  readonly #sections: [number, number][] = [];
  #vfsCalls = 0;
  #vfsNs = 0;
  #minorFaults = 0;
  #majorFaults = 0;
  #faultNs = 0;
  #lateNs = 0;
  /** What the work took of the CPU. */
  cpuNs = 0;

  /** @param vfsCalls how many calls of the VFS it makes at least */
  async run(work: () => void, vfsCalls = 0): Promise<void> {
    this.#lateNs += sleep();
    const before = account();
    work();
    const after = account();
    this.#lateNs += sleep();
    this.#sections.push([before.at, after.at]);
    const ns = after.at - before.at;
    const minorFaults = after.minorFaults - before.minorFaults;
    const majorFaults = after.majorFaults - before.majorFaults;
    if (vfsCalls > 0) this.#vfsNs += ns;
    if (minorFaults + majorFaults > 0) this.#faultNs += ns;
    this.#vfsCalls += vfsCalls;
    this.#minorFaults += minorFaults;
    this.#majorFaults += majorFaults;
    this.cpuNs += after.cpuNs - before.cpuNs;
    await turn();
  }

  truth(): Omit<Truth, 'label' | 'cause'> {
    return {
      ns: {},
      // On a busy host its own timers fire late, and that is no other's.
      most: { timer: this.#lateNs },
      sections: this.#sections,
      vfsCalls: this.#vfsCalls,
      minorFaults: this.#minorFaults,
      majorFaults: this.#majorFaults,
      within: { vfs: this.#vfsNs, page_fault: this.#faultNs },
    };
  }
}
