import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
  run(args: readonly (string | number)[], seconds: number, onStart?: (pid: number) => void): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.path, args.map(String), { stdio: ['ignore', 'pipe', 'pipe'] });
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      child.stdout.on('data', (chunk) => out.push(chunk));
      child.stderr.on('data', (chunk) => err.push(chunk));
      const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        if (code === 0) resolve(Buffer.concat(out).toString());
        else
          reject(
            new Error(`${this.path} ended with ${signal ?? code}: ${Buffer.concat(err).toString().trim()}`),
          );
      });
      if (child.pid !== undefined) onStart?.(child.pid);
    });
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
