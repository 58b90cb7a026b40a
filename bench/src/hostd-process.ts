import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const launcher = fileURLToPath(new URL('../../packages/hostd/bin/prewake', import.meta.url));

export interface HostdEvent {
  type: string;
  at?: number;
  [field: string]: unknown;
}

/** A hostd of our own, in a directory of its own, for the length of a measurement. */
export class HostdProcess {
  readonly child: ChildProcess;
  readonly socket: string;
  readonly #dir: string;
  readonly #log: string[];
  #stopEvents: (() => void) | undefined;

  private constructor(child: ChildProcess, dir: string, socket: string, log: string[]) {
    this.child = child;
    this.#dir = dir;
    this.socket = socket;
    this.#log = log;
  }

  /** @param config the YAML of its configuration */
  static async start(config: string, args: string[] = []): Promise<HostdProcess> {
    const dir = mkdtempSync(join(tmpdir(), 'prewake-bench-'));
    const socket = join(dir, 'hostd.sock');
    const file = join(dir, 'hostd.yaml');
    writeFileSync(file, config);
    const child = spawn(launcher, ['hostd', '--socket', socket, '--config', file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, XDG_STATE_HOME: dir },
    });
    const log: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => log.push(String(chunk)));
    const hostd = new HostdProcess(child, dir, socket, log);
    for (;;) {
      const status = await hostd.get('/v1/status').catch(() => undefined);
      if (status) return hostd;
      if (child.exitCode !== null) throw new Error(`hostd did not start: ${log.join('')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  get log(): string {
    return this.#log.join('');
  }

  get<T = Record<string, unknown>>(path: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.socket, path, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const body = JSON.parse(Buffer.concat(chunks).toString()) as T;
          if (response.statusCode === 200) resolve(body);
          else reject(new Error(`${path}: ${JSON.stringify(body)}`));
        });
      });
      call.on('error', reject);
      call.end();
    });
  }

  /** Follows `/v1/events` until {@link stop}. */
  events(onEvent: (event: HostdEvent) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.socket, path: '/v1/events', agent: false }, (response) => {
        let rest = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          const blocks = (rest + text).split('\n\n');
          rest = blocks.pop() ?? '';
          for (const block of blocks) {
            const data = /^data: (.*)$/m.exec(block)?.[1];
            if (data) onEvent(JSON.parse(data) as HostdEvent);
          }
        });
        response.on('error', () => {});
        resolve();
      });
      call.on('error', reject);
      call.end();
      this.#stopEvents = () => call.destroy();
    });
  }

  async stop(): Promise<void> {
    this.#stopEvents?.();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
