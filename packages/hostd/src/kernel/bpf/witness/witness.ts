import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

/** What the witness counted: bpftrace's maps by name, those with keys as `name[key]`. */
export type Testimony = ReadonlyMap<string, number>;

/**
 * For tests: bpftrace, which knows nothing of us, on the same events. It runs in a mount namespace of its own, so that
 * it finds tracefs where nothing has mounted it, and the machine stays as it is.
 */
export class Witness {
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #errors: string[] = [];
  readonly #maps = new Map<string, number>();
  /** Events that bpftrace itself says it has lost. */
  lost = 0;

  private constructor(script: string) {
    const mount = 'mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing';
    this.#process = spawn(
      'unshare',
      ['-m', 'sh', '-c', `${mount} && exec setpriv --pdeathsig INT bpftrace -f json -e "$0"`, script],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, BPFTRACE_MAP_KEYS_MAX: '16384' },
      },
    );
    this.#process.stderr?.on('data', (chunk: Buffer) => this.#errors.push(String(chunk)));
    this.#lines = createInterface({ input: this.#process.stdout as NodeJS.ReadableStream });
  }

  /** Resolves when all probes of the script are attached. */
  static async start(script: string): Promise<Witness> {
    const witness = new Witness(`BEGIN { printf("ready\\n"); } ${script}`);
    await new Promise<void>((resolve, reject) => {
      witness.#lines.on('line', (line) => {
        if (line === '') return;
        const message = JSON.parse(line) as { type: string; data: unknown };
        if (message.type === 'printf') resolve();
        if (message.type === 'map') witness.#keep(message.data as Record<string, unknown>);
        if (message.type === 'lost_events') witness.lost += (message.data as { events: number }).events;
      });
      setTimeout(() => reject(new Error('bpftrace has not attached in 60 s')), 60_000).unref();
      witness.#process.once('exit', () => reject(new Error(`bpftrace: ${witness.#errors.join('')}`)));
    });
    return witness;
  }

  #keep(data: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(data)) {
      if (typeof value === 'number') this.#maps.set(name.slice(1), value);
      else if (typeof value === 'object') this.#keepKeyed(name.slice(1), value as Record<string, unknown>);
    }
  }

  #keepKeyed(name: string, values: Record<string, unknown>): void {
    for (const [key, value] of Object.entries(values)) {
      if (typeof value === 'number') this.#maps.set(`${name}[${key}]`, value);
    }
  }

  /**
   * Program runs that the kernel left out because the CPU was in the middle of another program or of a BPF system
   * call (Linux 6.9; 0 before). They are lost to the witness, and nobody tells which they were. Of all bpftraces on the
   * machine: an upper bound.
   */
  missed(): number {
    const shown = spawnSync('bpftool', ['-j', 'prog', 'show'], { encoding: 'utf8' });
    const programs = JSON.parse(shown.stdout) as { type: string; recursion_misses?: number }[];
    return programs
      .filter((program) => program.type === 'tracepoint')
      .reduce((sum, program) => sum + (program.recursion_misses ?? 0), 0);
  }

  /** Ends it. Maps that were never written are not in the testimony. */
  async end(): Promise<Testimony> {
    const gone = new Promise((resolve) => this.#process.once('close', resolve));
    // A signal that comes at the wrong moment is not noticed before the next.
    this.#process.kill('SIGINT');
    const again = setInterval(() => this.#process.kill('SIGINT'), 5_000);
    const last = setTimeout(() => this.#process.kill('SIGKILL'), 60_000);
    await gone;
    clearInterval(again);
    clearTimeout(last);
    return this.#maps;
  }
}
