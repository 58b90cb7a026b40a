import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launcher, launcherFlags } from '@prewake/hostd/internal';
import { metricIn } from './prometheus-text.ts';

const START_MS = 15_000;
const ANSWER_MS = 30_000;
const STOP_MS = 15_000;

export interface HostdEvent {
  type: string;
  at?: number;
  [field: string]: unknown;
}

/** Where systemd runs, /run is a tmpfs, and hostd's journal is in memory there: so is it here, without systemd too. */
const RUNTIME = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A hostd of our own, in directories of its own, for the length of a measurement. */
export class HostdProcess {
  readonly child: ChildProcess;
  readonly socket: string;
  /** When it first answered, by performance.now(). */
  readyAt = Number.NaN;
  readonly #dirs: readonly string[];
  readonly #log: string[];
  #stopEvents: (() => void) | undefined;

  private constructor(child: ChildProcess, dirs: readonly string[], socket: string, log: string[]) {
    this.child = child;
    this.#dirs = dirs;
    this.socket = socket;
    this.#log = log;
  }

  /**
   * Returns once it answers. It learns into a directory of its own.
   *
   * @param config the YAML of its configuration
   * @param args more flags of `prewake hostd`; a later one wins
   */
  static async start(config: string, args: string[] = []): Promise<HostdProcess> {
    const dirs = [RUNTIME, tmpdir()].map((at) => mkdtempSync(join(at, 'prewake-bench-')));
    const [runtime, dir] = dirs as [string, string];
    const socket = join(runtime, 'hostd.sock');
    const file = join(dir, 'hostd.yaml');
    writeFileSync(file, config);
    const paths = ['--socket', socket, '--config', file, '--state-dir', join(dir, 'state')];
    // This Node, whatever PATH says.
    const child = spawn(process.execPath, [...launcherFlags(), launcher, 'hostd', ...paths, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => log.push(String(chunk)));
    const hostd = new HostdProcess(child, dirs, socket, log);
    const deadline = performance.now() + START_MS;
    for (;;) {
      const status = await hostd.get('/v1/status').catch(() => undefined);
      if (status) {
        hostd.readyAt = performance.now();
        return hostd;
      }
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
        await hostd.stop();
        throw new Error(`hostd did not start: ${log.join('')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /**
   * A hostd that arms. Throws where it only observes: without root, or while another hostd holds this machine's
   * controls.
   */
  static async startArming(config: string, args: string[] = []): Promise<HostdProcess> {
    const hostd = await HostdProcess.start(config, args);
    const { mode, modeReason } = await hostd.get<{ mode: string; modeReason?: string }>('/v1/status');
    if (mode === 'arm') return hostd;
    await hostd.stop();
    throw new Error(`this hostd would not arm (mode ${mode}): ${modeReason ?? 'no reason given'}`);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** The value of a metric, summed over its labels; `labels` narrows it to lines that contain them. */
  async metric(name: string, labels = ''): Promise<number> {
    return metricIn(await this.text('/metrics'), name, labels);
  }

  get log(): string {
    return this.#log.join('');
  }

  async get<T = Record<string, unknown>>(path: string): Promise<T> {
    return JSON.parse(await this.text(path)) as T;
  }

  text(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.socket, path, agent: false, timeout: ANSWER_MS };
      const call = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const body = Buffer.concat(chunks).toString();
          if (response.statusCode === 200) resolve(body);
          else reject(new Error(`${path}: ${body}`));
        });
      });
      call.on('timeout', () => call.destroy(new Error(`${path}: no answer within ${ANSWER_MS} ms`)));
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
      const kill = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(kill);
    }
    for (const dir of this.#dirs) rmSync(dir, { recursive: true, force: true });
  }
}
