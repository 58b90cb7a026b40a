import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launcher, launcherFlags } from '@prewake/hostd/internal';
import type { AgentResult, Cause, Plan, Truth } from './plan.ts';
import { type Sleep, SleepWitness } from './sleep-witness.ts';

const CGROUP_CPU = '/sys/fs/cgroup/cpu';
/** Bytes of each file: enough to take the device a while. */
const FILE_BYTES = 16 * 1024 * 1024;

const agentMain = fileURLToPath(new URL('../dist/agent.js', import.meta.url));

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

  async start(): Promise<void> {
    // Ends with this process, however that ends.
    const onItsCpu = ['--pdeathsig', 'KILL', 'taskset', '-c', String(this.hogCpu)];
    const hog = spawn('setpriv', [...onItsCpu, 'perl', '-e', '1 while 1'], { stdio: 'ignore' });
    this.#children.push(hog);
    const args = [...launcherFlags(), launcher, 'hostd', '--dry-run', '--socket', this.socket];
    const hostd = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#children.push(hostd);
    await new Promise<void>((resolve, reject) => {
      hostd.stderr.on('data', (chunk) => {
        this.log += chunk;
        if (/records by/.test(this.log)) resolve();
      });
      hostd.on('exit', (code) => reject(new Error(`hostd ended with ${code}: ${this.log}`)));
    });
  }

  plan(causes: Cause[], swap?: [number, number]): Plan {
    const files = causes.map((cause, i) => {
      const path = join(this.#directory, `file${i}`);
      if (cause === 'cold_read' || cause === 'major_faults' || cause === 'pool_job')
        writeFileSync(path, randomBytes(FILE_BYTES), { flush: true });
      return path;
    });
    const groups: Plan['groups'] = {};
    causes.forEach((cause, i) => {
      if (cause === 'quota') groups[i] = this.#group(i);
    });
    return {
      socket: this.socket,
      labels: causes.map(() => `step_${randomBytes(4).toString('hex')}`),
      causes,
      files,
      groups,
      hogCpu: this.hogCpu,
      ...(swap && { swap }),
    };
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
    const witness = await SleepWitness.watch(agent.pid as number);
    agent.stdin.end('go\n');
    await ended;
    const sleeps = await witness.stop();
    if (!sleeps) return undefined;
    const result: AgentResult = JSON.parse(text.slice(text.indexOf('\n')));
    for (const truth of result.truths) {
      const block = sleptIn(truth, sleeps, agent.pid as number);
      if (block !== undefined) truth.ns.block = block;
    }
    return result;
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

/** How long a step's own code slept uninterruptibly; undefined where only its children could. */
function sleptIn({ cause, sections }: Truth, sleeps: readonly Sleep[], main: number): number | undefined {
  // One job in the pool: whatever the pool's threads sleep is that job's.
  const its =
    cause === 'pool_job'
      ? sleeps.filter(({ comm }) => comm === 'libuv-worker')
      : sleeps.filter(
          ({ tid, from, to }) => tid === main && sections?.some(([a, b]) => from >= a && to <= b),
        );
  return sections || cause === 'pool_job' ? its.reduce((sum, { from, to }) => sum + to - from, 0) : undefined;
}
