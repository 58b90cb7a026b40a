import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** One uninterruptible sleep, as bpftrace saw it: nanoseconds of CLOCK_MONOTONIC. */
export interface Sleep {
  tid: number;
  comm: string;
  from: number;
  to: number;
}

const script = (pid: number) => `
BEGIN { printf("ready\\n"); }
tracepoint:sched:sched_switch /pid == ${pid} && (args->prev_state & 2)/ { @from[args->prev_pid] = nsecs; }
tracepoint:sched:sched_waking /@from[args->pid]/ {
  printf("%d %lld %lld %s\\n", args->pid, @from[args->pid], nsecs, args->comm);
  delete(@from[args->pid]);
}
END { clear(@from); }`;

/** An independent witness of when the threads of a process slept uninterruptibly. */
export class SleepWitness {
  readonly #child: ChildProcess;
  #out = '';
  #errors = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static get available(): boolean {
    return (process.env.PATH ?? '').split(delimiter).some((directory) => {
      try {
        accessSync(join(directory, 'bpftrace'), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  }

  /** Resolves when its probes are attached. */
  static async watch(pid: number): Promise<SleepWitness> {
    // In a mount namespace of its own it finds tracefs where nothing has mounted it, and the machine stays as it is.
    const mount = 'mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing';
    const bpftrace = `${mount} && exec setpriv --pdeathsig INT bpftrace -e "$0"`;
    const child = spawn('unshare', ['-m', 'sh', '-c', bpftrace, script(pid)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const witness = new SleepWitness(child);
    child.stderr.on('data', (chunk) => {
      witness.#errors += chunk;
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk) => {
        witness.#out += chunk;
        if (witness.#out.includes('ready\n')) resolve();
      });
      child.on('error', reject);
      child.on('exit', () => reject(new Error(`bpftrace ended: ${witness.#errors}`)));
    });
    return witness;
  }

  /** All that it saw, or undefined where it lost something. */
  async stop(): Promise<Sleep[] | undefined> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    // bpftrace overlooks a signal that does not interrupt its wait for events.
    const again = setInterval(() => this.#child.kill('SIGINT'), 200);
    this.#child.kill('SIGINT');
    await ended;
    clearInterval(again);
    if (/lost/i.test(this.#errors)) return undefined;
    return [...this.#out.matchAll(/^(\d+) (\d+) (\d+) (.*)$/gm)].map(([, tid, from, to, comm]) => ({
      tid: Number(tid),
      from: Number(from),
      to: Number(to),
      comm: comm as string,
    }));
  }
}
