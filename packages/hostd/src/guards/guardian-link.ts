import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { formatCpuList } from '../kernel/cpus.ts';
import { checked, libc } from '../kernel/libc.ts';
import { ownScheduling } from '../kernel/own-scheduling.ts';
import { unreadBytes } from '../kernel/pipe.ts';
import type { GuardianEnd } from './watch.ts';

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_SETFL = 4;

export interface GuardianLinkOptions {
  /** The guardian's program; a test may give one of its own. */
  entry: string;
  root: string;
  runtimeDir: string;
  owner: { pid: number; startTime: string };
  latencyFd: number;
  onState: (state: 'ready' | 'down') => void;
}

/** The compiled guardian beside the compiled hostd, or the source beside the source. */
export function guardianEntry(): string {
  const name = import.meta.url.endsWith('.ts') ? './guardian-main.ts' : './guardian-main.js';
  return fileURLToPath(new URL(name, import.meta.url));
}

/** Starts the guardian, starts it again when it dies, and carries hostd's heartbeat to it. */
export class GuardianLink implements GuardianEnd {
  readonly #options: GuardianLinkOptions;
  /** From before hostd makes way for others: a guardian does not. */
  readonly #scheduling = ownScheduling();
  #child: ChildProcess | undefined;
  #pipe = -1;
  #ready = false;
  #closed = false;
  #restarts = 0;
  #armed = false;
  #waiting: (() => void)[] = [];

  constructor(options: GuardianLinkOptions) {
    this.#options = options;
    this.#start();
  }

  get alive(): boolean {
    return this.#ready;
  }

  get listens(): boolean {
    return this.#pipe >= 0 && unreadBytes(this.#pipe) === 0;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the guardian is ready, or `ms` have passed: true if it is. */
  whenReady(ms: number): Promise<boolean> {
    if (this.#ready) return Promise.resolve(true);
    return new Promise((settle) => {
      const timer = setTimeout(() => settle(false), ms);
      this.#waiting.push(() => {
        clearTimeout(timer);
        settle(true);
      });
    });
  }

  beat(): boolean {
    const heard = this.#send('a');
    if (heard) this.#armed = true;
    return heard;
  }

  idle(): void {
    this.#armed = false;
    this.#send('i');
  }

  /** The pipe's end tells the guardian to look once more and go. */
  close(): void {
    this.#closed = true;
    this.#ready = false;
    if (this.#pipe >= 0) closeSync(this.#pipe);
    this.#pipe = -1;
    this.#child?.stdout?.destroy();
  }

  #send(word: string): boolean {
    if (this.#pipe < 0) return false;
    try {
      writeSync(this.#pipe, word);
      return true;
    } catch {
      // EPIPE: it is dead, and its exit event is on the way. EAGAIN: it has been stopped for hours.
      return false;
    }
  }

  #start(): void {
    try {
      const [readEnd, writeEnd] = openPipe();
      this.#pipe = writeEnd;
      try {
        this.#child = this.#spawn(readEnd);
      } finally {
        closeSync(readEnd);
      }
    } catch {
      // No descriptors or no memory are left: there may be some later.
      this.#again();
      return;
    }
    // Leases that outlived a guardian are the next one's first word.
    if (this.#armed) this.beat();
  }

  #spawn(readEnd: number): ChildProcess {
    const { entry, root, runtimeDir, owner, latencyFd } = this.#options;
    const flags = ['--no-memory-reducer', '--max-semi-space-size=1', '--no-warnings'];
    if (entry.endsWith('.ts')) flags.push('--conditions=@prewake/source');
    const { nice, cpus } = this.#scheduling;
    const about = [
      // It runs in another directory.
      resolve(root),
      resolve(runtimeDir),
      owner.pid,
      owner.startTime,
      latencyFd < 0 ? -1 : 3,
      nice,
      formatCpuList(cpus),
    ];
    const args = about.map(String);
    const child = spawn(process.execPath, [...flags, entry, ...args], {
      stdio: [readEnd, 'pipe', 'inherit', ...(latencyFd < 0 ? [] : [latencyFd])],
      // A session of its own: the terminal's signals are not for it.
      detached: true,
      env: {},
      cwd: '/',
    });
    child.once('error', () => this.#ended(child));
    child.once('exit', () => this.#ended(child));
    child.unref();
    // Without descriptors for it there is none, and the error is yet to come.
    const stdout = child.stdout as Socket | undefined;
    stdout?.unref();
    if (stdout) createInterface({ input: stdout }).on('line', (line) => this.#hear(line));
    return child;
  }

  #hear(line: string): void {
    if (line !== 'ready' || this.#closed) return;
    this.#ready = true;
    this.#restarts = 0;
    for (const done of this.#waiting.splice(0)) done();
    this.#options.onState('ready');
  }

  #ended(child: ChildProcess): void {
    if (this.#closed || this.#child !== child) return;
    this.#child = undefined;
    this.#ready = false;
    this.#options.onState('down');
    this.#again();
  }

  #again(): void {
    if (this.#pipe >= 0) closeSync(this.#pipe);
    this.#pipe = -1;
    const wait = Math.min(20 * 2 ** this.#restarts++, 10_000);
    setTimeout(() => {
      if (!this.#closed) this.#start();
    }, wait).unref();
  }
}

/** Its reading end blocks, its writing end does not. */
function openPipe(): [readEnd: number, writeEnd: number] {
  const ends = new Int32Array(2);
  checked(libc().pipe2(ends, O_CLOEXEC), 'pipe2');
  const [readEnd, writeEnd] = ends as unknown as [number, number];
  checked(libc().fcntl(writeEnd, F_SETFL, O_NONBLOCK), 'fcntl');
  return [readEnd, writeEnd];
}
