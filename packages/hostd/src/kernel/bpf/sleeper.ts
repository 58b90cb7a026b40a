import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * For tests: a process with one thread that does as it is told and is asleep in between. Perl, because Debian always
 * has it and it makes no thread or timer of its own.
 */
export class Sleeper {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static async start(): Promise<Sleeper> {
    const program = '$| = 1; print "ready\\n"; while (<STDIN>) { eval $_; print "done\\n" }';
    const sleeper = new Sleeper(spawn('perl', ['-e', program]));
    await sleeper.#answers.next();
    await sleeper.#asleep();
    return sleeper;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Runs a line of Perl and waits until the process is asleep again. */
  async run(perl: string): Promise<void> {
    this.#child.stdin.write(`${perl}\n`);
    await this.#answers.next();
    await this.#asleep();
  }

  /** Sleeps so many times, a millisecond each. */
  sleep(times: number): Promise<void> {
    return this.run(`select(undef, undef, undef, 0.001) for 1 .. ${times}`);
  }

  switches(): { voluntary: number; nonvoluntary: number } {
    const status = this.#status();
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    return { voluntary: field('voluntary_ctxt_switches'), nonvoluntary: field('nonvoluntary_ctxt_switches') };
  }

  #status(): string {
    return readFileSync(`/proc/${this.pid}/status`, 'latin1');
  }

  async #asleep(): Promise<void> {
    while (!this.#offCpu()) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** About to sleep is not asleep: `syscall` tells once it has left its CPU, where the kernel has it. */
  #offCpu(): boolean {
    if (!/^State:\s+S/m.test(this.#status())) return false;
    const file = `/proc/${this.pid}/syscall`;
    return !existsSync(file) || !readFileSync(file, 'latin1').startsWith('running');
  }

  async end(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin.end();
    await gone;
  }
}
