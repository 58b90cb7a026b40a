import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launcher, launcherFlags } from '../launcher.ts';

export interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

interface SpawnOptions {
  env?: Record<string, string>;
  uid?: number;
  /** The process itself, as soon as it is there. */
  started?: (child: ChildProcess) => void;
}

/** Runs the command that ships, to its end. */
export function prewake(args: string[], options: SpawnOptions = {}): Promise<Outcome> {
  const child = start(args, options);
  options.started?.(child);
  const outcome: Outcome = { code: null, out: '', err: '' };
  child.stdout?.on('data', (chunk) => {
    outcome.out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    outcome.err += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...outcome, code }));
  });
}

function start(args: string[], { env = {}, uid }: SpawnOptions): ChildProcess {
  const { PREWAKE_SOCKET: _, NO_COLOR: __, FORCE_COLOR: ___, ...inherited } = process.env;
  return spawn(process.execPath, [...launcherFlags(), launcher, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

/** A hostd in a directory of its own. It decides and reports and writes nothing, unless told otherwise. */
export class RunningHostd {
  readonly dir = mkdtempSync(join(tmpdir(), 'prewake-cli-'));
  readonly socket = join(this.dir, 'hostd.sock');
  err = '';
  child: ChildProcess | undefined;

  /** Starts it, and waits until it has said that it is ready. */
  async start(args: string[] = ['--dry-run']): Promise<this> {
    const child = start(['hostd', '--socket', this.socket, '--state-dir', this.dir, ...args], {});
    this.child = child;
    this.err = '';
    child.stderr?.on('data', (chunk) => {
      this.err += chunk;
    });
    await this.says('records by');
    return this;
  }

  /** Resolves once hostd's log has the words; rejects when it ends without them. */
  says(words: string): Promise<void> {
    const { child } = this;
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!this.err.includes(words)) return;
        child?.stderr?.off('data', look);
        resolve();
      };
      child?.stderr?.on('data', look);
      child?.once('close', () => reject(new Error(`hostd ended without saying "${words}": ${this.err}`)));
      look();
    });
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    // Not `close`: a guardian may hold hostd's stderr for longer than hostd lives.
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return ended;
  }

  async remove(): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}
