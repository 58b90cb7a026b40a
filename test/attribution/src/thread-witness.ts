import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What a thread did for a while, as bpftrace saw it: nanoseconds of CLOCK_MONOTONIC. */
export interface Stretch {
  tid: number;
  comm: string;
  from: number;
  to: number;
}

export interface Seen {
  /** Uninterruptible sleeps of all threads. */
  readonly sleeps: readonly Stretch[];
  /** Times on a CPU, of the threads of libuv's pool alone. */
  readonly runs: readonly Stretch[];
}

const script = (pid: number) => `
BEGIN { printf("ready\\n"); }
tracepoint:sched:sched_switch /pid == ${pid} && (args->prev_state & 2)/ { @from[args->prev_pid] = nsecs; }
tracepoint:sched:sched_waking /@from[args->pid]/ {
  printf("sleep %d %lld %lld %s\\n", args->pid, @from[args->pid], nsecs, args->comm);
  delete(@from[args->pid]);
}
tracepoint:sched:sched_switch /pid == ${pid} && @on[args->prev_pid]/ {
  printf("run %d %lld %lld %s\\n", args->prev_pid, @on[args->prev_pid], nsecs, args->prev_comm);
  delete(@on[args->prev_pid]);
}
tracepoint:sched:sched_switch /args->next_comm == "libuv-worker"/ { @on[args->next_pid] = nsecs; }
END { clear(@from); clear(@on); }`;

/** An independent witness of when the threads of a process slept uninterruptibly, and those of its pool ran. */
export class ThreadWitness {
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
  static async watch(pid: number): Promise<ThreadWitness> {
    // In a mount namespace of its own it finds tracefs where nothing has mounted it, and the machine stays as it is.
    const mount = 'mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing';
    const bpftrace = `${mount} && exec setpriv --pdeathsig INT bpftrace -e "$0"`;
    const child = spawn('unshare', ['-m', 'sh', '-c', bpftrace, script(pid)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const witness = new ThreadWitness(child);
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
  async stop(): Promise<Seen | undefined> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    // bpftrace overlooks a signal that does not interrupt its wait for events.
    const again = setInterval(() => this.#child.kill('SIGINT'), 200);
    this.#child.kill('SIGINT');
    await ended;
    clearInterval(again);
    if (/lost/i.test(this.#errors)) return undefined;
    const seen = { sleeps: [] as Stretch[], runs: [] as Stretch[] };
    for (const [, what, tid, from, to, comm] of this.#out.matchAll(/^(sleep|run) (\d+) (\d+) (\d+) (.*)$/gm))
      seen[what === 'run' ? 'runs' : 'sleeps'].push({
        tid: Number(tid),
        from: Number(from),
        to: Number(to),
        comm: comm as string,
      });
    return seen;
  }
}
