import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface RunOptions {
  seconds: number;
  /** For its standard input. */
  input?: string;
  /** A command that runs it. */
  prefix?: readonly string[];
  onStart?: (pid: number) => void;
}

/** A program of bench/native, compiled for this run: what measures or loads is not Node where Node would show. */
export class NativeProgram {
  readonly path: string;
  readonly #dir: string;

  private constructor(dir: string, path: string) {
    this.#dir = dir;
    this.path = path;
  }

  /** @param name of the source, without `.c` */
  static build(name: string): NativeProgram {
    const dir = mkdtempSync(join(tmpdir(), 'prewake-native-'));
    const path = join(dir, name);
    const source = fileURLToPath(new URL(`../native/${name}.c`, import.meta.url));
    const cc = spawnSync('cc', ['-O2', '-Wall', '-Werror', '-pthread', '-o', path, source], {
      encoding: 'utf8',
    });
    if (cc.status !== 0) {
      rmSync(dir, { recursive: true, force: true });
      throw new Error(`bench/native/${name}.c needs a C compiler: ${cc.error?.message ?? cc.stderr}`);
    }
    return new NativeProgram(dir, path);
  }

  /** Runs it to its end and returns what it printed. It is killed after `seconds`. */
  run(args: readonly (string | number)[], options: RunOptions): Promise<string> {
    const { seconds, input = '', prefix = [], onStart } = options;
    const [command, ...rest] = [...prefix, this.path, ...args.map(String)] as [string, ...string[]];
    return new Promise((resolve, reject) => {
      const child = spawn(command, rest, { stdio: 'pipe' });
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      child.stdout.on('data', (chunk) => out.push(chunk));
      child.stderr.on('data', (chunk) => err.push(chunk));
      child.stdin.on('error', () => {}); // It has ended: its status says why.
      child.stdin.end(input);
      const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
      child.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        if (code === 0) resolve(Buffer.concat(out).toString());
        else
          reject(
            new Error(`${command} ended with ${signal ?? code}: ${Buffer.concat(err).toString().trim()}`),
          );
      });
      if (child.pid !== undefined) onStart?.(child.pid);
    });
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
