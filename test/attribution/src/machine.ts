import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launcher, launcherFlags } from '@prewake/hostd/internal';
import { type AgentResult, type Cause, PAYERS, type Plan, POOLED, type Truth } from './plan.ts';
import { type Seen, type Stretch, ThreadWitness } from './thread-witness.ts';

const CGROUP_CPU = '/sys/fs/cgroup/cpu';
/** Bytes of each file: enough to take the device, or zlib, a while. */
const FILE_BYTES: Partial<Record<Cause, number>> = {
  cold_read: 16 * 1024 * 1024,
  major_faults: 16 * 1024 * 1024,
  pool_read: 16 * 1024 * 1024,
  pool_zip: 1024 * 1024,
};

const agentMain = fileURLToPath(new URL('../dist/agent.js', import.meta.url));

/** Of the folders that a step walks. */
const FOLDERS = 3;
const FILES = 96;

/** hostd, a CPU hog, cold files and groups with quotas: all that the causes need. Undone by `close()`. */
export class Machine {
  readonly #directory = mkdtempSync(join(tmpdir(), 'prewake-planted-'));
  readonly #children: ChildProcess[] = [];
  readonly #groups: string[] = [];
  readonly socket = join(this.#directory, 'hostd.sock');
  readonly hogCpu = availableParallelism() - 1;
  log = '';

  /** Whether a process can be given a quota here. */
  static get hasQuota(): boolean {
    return existsSync(join(CGROUP_CPU, 'cpu.cfs_quota_us'));
  }

  /** @param crowded one slow CPU does everything: without a hog, and hostd goes first, or frames come to it too late */
  async start({ crowded = false } = {}): Promise<void> {
    if (!crowded) this.#startHog();
    const args = [...launcherFlags(), launcher, 'hostd', '--dry-run', '--socket', this.socket];
    const hostd = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#children.push(hostd);
    if (crowded) setPriority(hostd.pid as number, constants.priority.PRIORITY_HIGH);
    await new Promise<void>((resolve, reject) => {
      hostd.stderr.on('data', (chunk) => {
        this.log += chunk;
        if (/records by/.test(this.log)) resolve();
      });
      hostd.on('exit', (code) => reject(new Error(`hostd ended with ${code}: ${this.log}`)));
    });
  }

  #startHog(): void {
    // Ends with this process, however that ends.
    const onItsCpu = ['--pdeathsig', 'KILL', 'taskset', '-c', String(this.hogCpu)];
    const hog = spawn('setpriv', [...onItsCpu, 'perl', '-e', '1 while 1'], { stdio: 'ignore' });
    this.#children.push(hog);
  }

  /** @param cold a file that no cache holds, where one that is made here would stay in it */
  plan(causes: Cause[], swap?: [number, number], cold?: string): Plan {
    const files = causes.map((cause, i) => {
      if (cold !== undefined) return cold;
      const path = join(this.#directory, `file${i}`);
      const bytes = FILE_BYTES[cause];
      if (bytes) writeFileSync(path, randomBytes(bytes), { flush: true });
      return path;
    });
    const groups: Plan['groups'] = {};
    const trees: Plan['trees'] = {};
    causes.forEach((cause, i) => {
      if (cause === 'quota') groups[i] = this.#group(i);
      if ((PAYERS.vfs as readonly Cause[]).includes(cause)) trees[i] = this.#tree(i);
    });
    return {
      socket: this.socket,
      labels: causes.map(() => `step_${randomBytes(4).toString('hex')}`),
      causes,
      files,
      trees,
      groups,
      hogCpu: this.hogCpu,
      ...(swap && { swap }),
    };
  }

  #tree(index: number): { folder: string; names: string[] }[] {
    return Array.from({ length: FOLDERS }, (_, i) => {
      const folder = join(this.#directory, `tree${index}`, `folder${i}`);
      mkdirSync(folder, { recursive: true });
      const names = Array.from({ length: FILES }, (_, file) => `file${file}`);
      for (const name of names) writeFileSync(join(folder, name), '');
      return { folder, names };
    });
  }

  /** A group that may run 4 of every 20 ms. */
  #group(index: number): { tasks: string; stat: string } {
    const path = join(CGROUP_CPU, `prewake-test-${process.pid}-${this.#groups.length}-${index}`);
    mkdirSync(path);
    this.#groups.push(path);
    writeFileSync(join(path, 'cpu.cfs_period_us'), '20000');
    writeFileSync(join(path, 'cpu.cfs_quota_us'), '4000');
    return { tasks: join(path, 'tasks'), stat: join(path, 'cpu.stat') };
  }

  /** Runs the agent, with a witness beside it. Undefined where the witness lost something. */
  async run(plan: Plan): Promise<AgentResult | undefined> {
    const { pid, go } = await this.#agent(plan);
    const witness = await ThreadWitness.watch(pid);
    const result = await go();
    const seen = await witness.stop();
    if (!seen) return undefined;
    // The pool's requests keep nobody else from the main thread.
    const planted = result.truths.flatMap(({ cause, sections }) =>
      POOLED.includes(cause) ? [] : (sections ?? []),
    );
    const main = seen.sleeps.filter(({ tid }) => tid === pid);
    result.mainBlockNs = total(main) - sleptIn(planted, main);
    for (const truth of result.truths) {
      if (POOLED.includes(truth.cause)) poolTruth(truth, result.truths, seen);
      else if (truth.sections) truth.ns.block = sleptIn(truth.sections, main);
    }
    return result;
  }

  /** Runs the agent without a witness: with what its steps know by themselves. */
  async runAlone(plan: Plan): Promise<AgentResult> {
    const { go } = await this.#agent(plan);
    return go();
  }

  /** The agent, about to begin. */
  async #agent(plan: Plan): Promise<{ pid: number; go: () => Promise<AgentResult> }> {
    // Away from the hog: what is planted shall be most of what there is.
    const args = ['-c', '0', process.execPath, agentMain, JSON.stringify(plan)];
    const agent = spawn('taskset', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#children.push(agent);
    let text = '';
    const ready = new Promise<void>((resolve, reject) => {
      agent.stdout.on('data', (chunk) => {
        text += chunk;
        if (text.startsWith('ready\n')) resolve();
      });
      agent.on('exit', (code) => reject(new Error(`the agent ended with ${code}`)));
    });
    const ended = new Promise((resolve) => agent.once('close', resolve));
    await ready;
    const go = async () => {
      agent.stdin.end('go\n');
      await ended;
      return JSON.parse(text.slice(text.indexOf('\n'))) as AgentResult;
    };
    return { pid: agent.pid as number, go };
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.kill('SIGTERM')) await ended;
    }
    for (const group of this.#groups) rmdirSync(group);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** How long a step's own code slept uninterruptibly. */
function sleptIn(sections: readonly [number, number][], main: readonly Stretch[]): number {
  return total(main.filter(({ from, to }) => sections.some(([a, b]) => from >= a && to <= b)));
}

/**
 * What the pool may have done for a step: nobody sees which thread does which request, but each does what it does for
 * one that was outstanding all the while. Where several were, each of their steps has to have it in full, and to say
 * that it shares it.
 */
function poolTruth(truth: Truth, all: readonly Truth[], { sleeps, runs }: Seen): void {
  const others = all.filter((other) => other !== truth && POOLED.includes(other.cause));
  const may = ({ sections }: Truth, from: number, to: number) =>
    sections?.some(([a, b]) => from >= a && to <= b) ?? false;
  const sums = (stretches: readonly Stretch[]) => {
    const its = stretches.filter(({ comm, from, to }) => comm === POOL && may(truth, from, to));
    const alone = its.filter(({ from, to }) => !others.some((other) => may(other, from, to)));
    return { all: total(its), alone: total(alone) };
  };
  const slept = sums(sleeps);
  truth.ns.block = slept.all;
  truth.alone = { block: slept.alone };
  truth.cpuNs = sums(cut(runs, all.flatMap(({ sections }) => sections ?? []).flat())).all;
}

const POOL = 'libuv-worker';

const total = (stretches: readonly Stretch[]) => stretches.reduce((sum, { from, to }) => sum + to - from, 0);

/** Work that goes on may be another's after each of these times. */
function cut(stretches: readonly Stretch[], times: readonly number[]): Stretch[] {
  const ascending = times.toSorted((a, b) => a - b);
  return stretches.flatMap((stretch) => {
    const ends = ascending.filter((t) => t > stretch.from && t < stretch.to);
    return [...ends, stretch.to].map((to, i) => ({ ...stretch, from: ends[i - 1] ?? stretch.from, to }));
  });
}
