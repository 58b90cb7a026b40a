import { type ChildProcess, spawn } from 'node:child_process';
import { descendants } from './controls.ts';
import { eventually } from './eventually.ts';
import { read } from './machine.ts';

/** A process to hold task controls on. SIGUSR1 makes it fork a child that inherits them. */
const PROGRAM = `
$SIG{CHLD} = "IGNORE";
$SIG{USR1} = sub { if (!fork) { $SIG{USR1} = "IGNORE"; sleep 600; exit } };
sleep 600 while 1;
`;

export class DummyTask {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat. */
  readonly startTime: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid as number;
    const stat = read(`/proc/${this.pid}/stat`);
    this.startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string;
  }

  static async start(): Promise<DummyTask> {
    const child = spawn('taskset', ['-c', '0-1', 'perl', '-e', PROGRAM], { stdio: 'ignore' });
    await new Promise((resolve) => child.once('spawn', resolve));
    await eventually('perl has its handler', () => catches(child.pid as number));
    return new DummyTask(child);
  }

  get ref(): { tgid: number; tid: number; startTime: string } {
    return { tgid: this.pid, tid: this.pid, startTime: this.startTime };
  }

  /** Ends the children. */
  endChildren(): Promise<void> {
    for (const pid of descendants(this.pid)) process.kill(pid, 'SIGKILL');
    return eventually('the children are gone', () => descendants(this.pid).length === 0);
  }

  /** Forks a child and waits until it is there. */
  async fork(): Promise<void> {
    const before = descendants(this.pid).length;
    process.kill(this.pid, 'SIGUSR1');
    await eventually('the task has forked', () => descendants(this.pid).length > before);
  }

  async end(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    for (const pid of descendants(this.pid)) process.kill(pid, 'SIGKILL');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

function catches(pid: number): boolean {
  const caught = /^SigCgt:\s+(\w+)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? '0';
  return (BigInt(`0x${caught}`) & (1n << 9n)) !== 0n;
}
