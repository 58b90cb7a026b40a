import { closeSync, openSync, readSync } from 'node:fs';

/** Threads whose stat is kept open. */
const MAX_OPEN = 256;
/** An answer is good for this long: who hints a lot need not make us read it each time. Microseconds. */
const FRESH_US = 1000;
const SPACE = 0x20;
const PARENTHESIS = 0x29;
/** Field 39 is the 37th after the comm (proc_pid_stat(5)). */
const SPACES_BEFORE_CPU = 37;

/**
 * On which CPU threads last ran, as of at most a millisecond ago. Arming waits for the answer, so each thread's stat is
 * opened once: a descriptor of a thread that is gone reads ESRCH, also when its number is another's by then.
 */
export class ThreadCpus {
  readonly #root: string;
  /** In the order in which they were opened: to move one with each use would make the map anew all the time. */
  readonly #open = new Map<number, { readonly fd: number; cpu: number; at: number }>();
  readonly #buffer = Buffer.alloc(1024);

  constructor(root = '/') {
    this.#root = root;
  }

  /**
   * -1 where there is no such thread.
   * @param now microseconds
   */
  lastCpu(tgid: number, tid: number, now: number): number {
    const known = this.#open.get(tid);
    if (known) {
      if (now - known.at < FRESH_US) return known.cpu;
      known.cpu = this.#read(known.fd);
      known.at = now;
      if (known.cpu >= 0) return known.cpu;
      this.#open.delete(tid);
      closeSync(known.fd);
    }
    return this.#first(tgid, tid, now);
  }

  close(): void {
    for (const { fd } of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  #first(tgid: number, tid: number, now: number): number {
    let fd: number;
    try {
      fd = openSync(`${this.#root}proc/${tgid}/task/${tid}/stat`, 'r');
    } catch {
      return -1;
    }
    const cpu = this.#read(fd);
    if (cpu < 0) {
      closeSync(fd);
      return -1;
    }
    this.#open.set(tid, { fd, cpu, at: now });
    const [eldest] = this.#open;
    if (this.#open.size > MAX_OPEN && eldest) {
      this.#open.delete(eldest[0]);
      closeSync(eldest[1].fd);
    }
    return cpu;
  }

  #read(fd: number): number {
    const buffer = this.#buffer;
    let size: number;
    try {
      size = readSync(fd, buffer, 0, buffer.length, 0);
    } catch {
      return -1;
    }
    // The comm in parentheses may hold spaces and parentheses itself.
    let at = buffer.subarray(0, size).lastIndexOf(PARENTHESIS);
    if (at < 0) return -1;
    for (let spaces = 0; spaces < SPACES_BEFORE_CPU; at++) {
      if (at >= size) return -1;
      if (buffer[at] === SPACE) spaces++;
    }
    let cpu = 0;
    for (; at < size && buffer[at] !== SPACE; at++) cpu = cpu * 10 + (buffer[at] as number) - 0x30;
    return cpu;
  }
}
