// The recorder on a kernel that has fentry, kprobes, cpufreq and idle states, beside an independent witness.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Collector } from '../../../../packages/hostd/dist/kernel/bpf/collector.js';
import { openRecorder, type RecorderOptions } from '../../../../packages/hostd/dist/kernel/bpf/index.js';
import { Sleeper } from '../../../../packages/hostd/dist/kernel/bpf/sleeper.js';
import type { Recorder } from '../../../../packages/hostd/dist/kernel/recorder.js';
import {
  type EventKind,
  EventKind as Kind,
  Known,
  type Slice,
} from '../../../../packages/hostd/dist/kernel/slice.js';
import { setAffinity } from './affinity.ts';
import type { CheckSet } from './check.ts';
import { eventually } from './eventually.ts';
import { CPU_DIR, dmaLatency, lowestFrequency, read, write } from './machine.ts';

/** Opens 60 files, asks for the status of 40, lists two folders, and touches 8 MB of fresh memory. */
const WORK = `
for (1 .. 60) { open(my $f, "<", "/etc/hostname"); close $f }
stat "/etc/passwd" for 1 .. 40;
for my $name ("/etc", "/usr/bin") { opendir(my $d, $name); my @all = readdir $d; closedir $d }
my $memory = "x" x 8000000;
select(undef, undef, undef, 0.002) for 1 .. 50;
`.replaceAll('\n', ' ');

/** Each function that the recorder watches, by what it calls it. */
const FUNCTIONS: Partial<Record<keyof typeof Kind, string>> = {
  fault: 'handle_mm_fault',
  open: 'do_filp_open',
  stat: 'vfs_statx',
  readdir: 'iterate_dir',
  lookup: 'filename_lookup',
};
const EVENTS = [Kind.fault, Kind.open, Kind.stat, Kind.readdir, Kind.lookup] satisfies EventKind[];

/** bpftrace counting the returns of {@link FUNCTIONS} in one process, and how often it left a CPU. */
class Witness {
  readonly #process: ChildProcess;
  #text = '';

  private constructor(pid: number) {
    const program = [
      'BEGIN { printf("attached\\n"); }',
      ...Object.entries(FUNCTIONS).map(
        ([kind, func]) => `kretfunc:${func} /pid == ${pid}/ { @${kind} = count(); }`,
      ),
      `tracepoint:sched:sched_switch /args->prev_pid == ${pid}/ { @switch = count(); }`,
    ].join('\n');
    this.#process = spawn('taskset', ['-c', '0', 'bpftrace', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.#text += chunk;
    });
  }

  static async of(pid: number): Promise<Witness> {
    const witness = new Witness(pid);
    await eventually('bpftrace has attached', () => witness.#text.includes('\nattached'), 120_000);
    return witness;
  }

  async counts(): Promise<Record<string, number>> {
    const closed = once(this.#process, 'close');
    this.#process.kill('SIGINT');
    // One that comes at the wrong moment is not noticed before the next.
    const again = setInterval(() => this.#process.kill('SIGINT'), 3_000);
    await closed;
    clearInterval(again);
    return Object.fromEntries(
      [...this.#text.matchAll(/@(\w+): (\d+)/g)].map(([, kind, count]) => [kind, Number(count)]),
    );
  }
}

interface Recorded {
  slices: Slice[];
  /** Events by kind, as counts. */
  counts: Record<string, number>;
  durations: Record<string, number>;
  lost: number;
}

/** A recorder that is attached and follows one process on CPU 1. Opening one takes seconds here: use it for much. */
async function following<T>(
  options: RecorderOptions,
  use: (recorder: Recorder, child: Sleeper) => Promise<T>,
): Promise<T> {
  const recorder = openRecorder({ events: EVENTS, ...options });
  let child: Sleeper | undefined;
  try {
    assert.equal(recorder.source, 'bpf', recorder.reason);
    recorder.attach();
    child = await Sleeper.start();
    setAffinity(child.pid, 1);
    recorder.track(child.pid);
    return await use(recorder, child);
  } finally {
    recorder.close();
    await child?.end();
  }
}

/** What is recorded of the child meanwhile. It is asleep at both ends. */
async function recorded(recorder: Recorder, during: () => Promise<void>): Promise<Recorded> {
  new Collector().drain(recorder);
  await during();
  const { slices, events, lost } = new Collector().drain(recorder);
  const counts: Record<string, number> = {};
  const durations: Record<string, number> = {};
  for (const { kind, durationNs } of events) {
    const name = Object.entries(Kind).find(([, value]) => value === kind)?.[0] as string;
    counts[name] = (counts[name] ?? 0) + 1;
    durations[name] = (durations[name] ?? 0) + durationNs;
  }
  return { slices, counts, durations, lost };
}

/** Does the work, and compares what the recorder has of it with bpftrace's counts and the kernel's own. */
async function compare(recorder: Recorder, child: Sleeper, note: (text: string) => void): Promise<Recorded> {
  const faultsBefore = faultCounts(child.pid);
  let seen: Record<string, number> = {};
  let faultsAfter = faultsBefore;
  const record = await recorded(recorder, async () => {
    const witness = await Witness.of(child.pid);
    await child.run(WORK);
    seen = await witness.counts();
    faultsAfter = faultCounts(child.pid);
  });
  const { slices, counts, durations, lost } = record;
  note(`bpftrace ${JSON.stringify(seen)}, recorder ${JSON.stringify({ ...counts, switch: slices.length })}`);
  assert.equal(lost, 0);
  assert.deepEqual({ ...counts, switch: slices.length }, seen);
  for (const [kind, ns] of Object.entries(durations)) assert.ok(ns > 0, `${kind} took time`);
  const sum = (of: (slice: Slice) => number) => slices.reduce((total, slice) => total + of(slice), 0);
  assert.deepEqual(
    [sum((slice) => slice.minorFaults), sum((slice) => slice.majorFaults)],
    [faultsAfter[0] - faultsBefore[0], faultsAfter[1] - faultsBefore[1]],
    'minor and major faults are those of /proc/PID/stat',
  );
  assert.ok(slices.every((slice) => (slice.known & Known.faultTime) !== 0));
  assert.ok(sum((slice) => slice.faultInclusiveNs) > 0, 'page faults take time');
  assert.ok(sum((slice) => slice.vfsInclusiveNs) > 0, 'file names take time');
  return record;
}

/** Minor and major faults: fields 10 and 12 of /proc/PID/stat. */
function faultCounts(pid: number): [minor: number, major: number] {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [Number(fields[7]), Number(fields[9])];
}

const tier = ({ categories }: Recorder, name: string) =>
  categories.find((category) => category.category === name)?.tier;

export const checks: CheckSet = {
  'by fentry the recorder counts the same faults, opens, stats, look-ups, readdirs and switches as bpftrace':
    ({ note }) =>
      following({}, async (recorder, child) => {
        for (const { category, tier, reason } of recorder.categories) {
          note(`${category}: ${tier}${reason ? ` (${reason})` : ''}`);
        }
        for (const name of ['page_fault', 'vfs']) assert.equal(tier(recorder, name), 'fentry', name);
        for (const name of [
          'wakeup.idle_exit',
          'irq',
          'softirq',
          'timer',
          'workqueue',
          'frequency',
          'io_uring',
        ]) {
          assert.equal(tier(recorder, name), 'tp_btf', name);
        }
        await compare(recorder, child, note);
      }),

  'by kprobes, where fentry is withheld, it counts the same': ({ note }) => {
    const names = ['fault', 'open', 'stat', 'readdir', 'lookup'];
    const withhold = new Set(names.flatMap((name) => [`pw_${name}_entry`, `pw_${name}_exit`]));
    return following({ withhold }, async (recorder, child) => {
      for (const name of ['page_fault', 'vfs']) assert.equal(tier(recorder, name), 'kprobe', name);
      await compare(recorder, child, note);
    });
  },

  'slices know the frequency that their CPU was asked for, and the idle state that it left': ({ note }) =>
    following({}, async (recorder, child) => {
      const policy = Number(read(`${CPU_DIR}/cpu1/cpufreq/related_cpus`).split(' ')[0]);
      const floor = `${CPU_DIR}/cpufreq/policy${policy}/scaling_min_freq`;
      const original = read(floor);
      {
        using _lowest = await lowestFrequency(policy);
        for (const khz of [1_200_000, 2_400_000, 1_800_000]) {
          write(floor, String(khz));
          const { slices } = await recorded(recorder, () => child.sleep(20)).finally(() =>
            write(floor, original),
          );
          const settled = slices.slice(5, 20);
          assert.ok(settled.length > 10);
          assert.deepEqual([...new Set(settled.map((slice) => slice.khz))], [khz]);
        }
      }
      const states = ({ slices }: Recorded) =>
        slices.filter((slice) => slice.idleExitAt > 0).map((slice) => slice.idleState);
      const free = states(await recorded(recorder, () => child.sleep(100)));
      using _held = dmaLatency(20);
      const limited = states(await recorded(recorder, () => child.sleep(100)));
      note(`left POLL/C1/C2/C3, free: ${histogram(free)}; limited to 20 µs: ${histogram(limited)}`);
      assert.ok(free.includes(3), 'C3 was left');
      assert.ok(limited.length > 50);
      // The state that the limit found the CPU in is left once.
      assert.ok(limited.filter((state) => state > 1).length <= 1);
    }),
};

function histogram(states: readonly number[]): string {
  return [0, 1, 2, 3].map((state) => states.filter((one) => one === state).length).join('/');
}
