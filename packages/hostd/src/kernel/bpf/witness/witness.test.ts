import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Collector } from '../collector.ts';
import { openRecorder } from '../index.ts';
import { Sleeper } from '../sleeper.ts';
import { noWitness } from './available.ts';
import { script } from './script.ts';
import { ourTestimony } from './testimony.ts';
import { type Testimony, Witness } from './witness.ts';

const missing = noWitness();
const ATTEMPTS = 3;
const COUNTS = [
  'forks',
  'slices',
  'wakeups',
  'preempted',
  'idle_exits',
  'remote_exits',
  'sleeps',
  'timers',
  'works',
  'irqs',
  'softirqs',
];
const OTHER_COUNTS = ['cache_adds', 'cache_hits', 'requests', 'completed'];
const SUMS = [
  ...['slices', 'wakeups', 'preempted', 'remote_exits', 'sleeps'],
  ...['timers', 'works', 'irqs', 'softirqs', 'completed'],
].map((name) => `${name}_ns`);
/** The looks of the witness between which those times lie that are short against its own programs. */
const LOOKS: Readonly<Record<string, readonly string[]>> = {
  wakeups: ['waking', 'in'],
  preempted: ['out', 'in'],
  remote_exits: ['waking'],
  sleeps: ['out', 'waking'],
  works: ['queued', 'started'],
};
/** An average says nothing of fewer than these: on a busy machine there is hardly a wakeup that finds its CPU idle. */
const MANY = 20;
const MEASURES = [...COUNTS, ...OTHER_COUNTS, ...SUMS];

interface Hearing {
  ours: Testimony;
  theirs: Testimony;
  /** Faults by the kernel's own accounts of the process and its children, and by ours. */
  faults: { minor: number; major: number; ourMinor: number; ourMajor: number };
  lost: number;
}

describe.skipIf(missing !== undefined)(`beside bpftrace${missing ? ` (${missing})` : ''}`, () => {
  let directory: string;
  const prefix = `pw${process.pid}`;
  const hearings: Hearing[] = [];

  // bpftrace loses events when its programs meet on a CPU, and does not always say so: what it saw less of in one
  // hearing, it may see in the next. What we did wrong would be wrong in each.
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'prewake-witness-'));
    do hearings.push(await hear());
    while (
      hearings.length < ATTEMPTS &&
      !MEASURES.every((name) => hearings.some((one) => agrees(one, name)))
    );
  }, 300_000);

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  async function hear(): Promise<Hearing> {
    const tool = (letter: string): string => join(directory, `${prefix}${letter}`);
    for (const [letter, path] of [
      ['d', 'dd'],
      ['s', 'sync'],
      ['b', 'bash'],
    ] as const) {
      copyFileSync(join('/bin', path), tool(letter));
    }
    const data = join(directory, 'data');
    execFileSync('dd', ['if=/dev/urandom', `of=${data}`, 'bs=64k', 'count=64', 'status=none']);
    execFileSync('sync', ['-f', data]);
    execFileSync('dd', [`if=${tool('b')}`, 'iflag=nocache', 'count=0', 'status=none']);

    const witness = await Witness.start(script(prefix));
    const recorder = openRecorder();
    const sleeper = await Sleeper.start();
    try {
      recorder.attach();
      recorder.track(sleeper.pid);
      await sleeper.run(`$0 = "${prefix}"`);
      const records = new Collector().drain(recorder);
      records.slices.length = 0;
      const before = faultsOf(sleeper.pid);
      // A bash whose standard input is a socket takes itself for a remote one, and may read its user's ~/.bashrc.
      const child = `if (!fork) { exec "${tool('b')}", "--norc", "-c", ":" } wait;`;
      const mark = `$0 = "${prefix}!"; ${child} $0 = "${prefix}";`;
      const direct = `system("${tool('d')}", "if=${data}", "of=/dev/null", "bs=64k", "iflag=direct", "status=none");`;
      const write = `system("${tool('d')}", "if=/dev/zero", "of=${data}2", "bs=4k", "count=100", "status=none");`;
      const sync = `system("${tool('s')}", "-f", "${data}2");`;
      await sleeper.run(
        `${mark} select(undef, undef, undef, 0.001) for 1 .. 200; my $x; $x++ for 1 .. 8e6; ` +
          `for (1 .. 20) { ${child} } ${direct} for (1 .. 5) { ${write} ${sync} } ` +
          `select(undef, undef, undef, 0.05); ${mark}`,
      );
      records.drain(recorder);
      const after = faultsOf(sleeper.pid);
      const missed = witness.missed();
      const theirs = await witness.end();
      return {
        ours: ourTestimony(records, sleeper.pid),
        theirs,
        faults: {
          minor: after.minor - before.minor,
          major: after.major - before.major,
          ourMinor: records.slices.reduce((sum, slice) => sum + slice.minorFaults, 0),
          ourMajor: records.slices.reduce((sum, slice) => sum + slice.majorFaults, 0),
        },
        lost: records.lost + witness.lost + missed,
      };
    } finally {
      await sleeper.end();
      recorder.close();
    }
  }

  for (const name of MEASURES) {
    it(`agrees on ${name}`, () => {
      const both = hearings.map(({ ours, theirs, lost }) => ({
        ours: ours.get(name),
        theirs: theirs.get(name),
        lost,
      }));
      // A busy machine has no idle CPUs, and an idle one preempts nobody.
      if (!/_exits|preempted/.test(name)) expect(both[0]?.theirs).toBeGreaterThan(0);
      expect(
        hearings.some((hearing) => agrees(hearing, name)),
        JSON.stringify(both),
      ).toBe(true);
    });
  }

  it('counts the faults that the kernel counts', () => {
    const { minor, major, ourMinor, ourMajor } = (hearings[0] as Hearing).faults;
    expect([ourMinor, ourMajor]).toEqual([minor, major]);
    expect(major).toBeGreaterThan(0);
  });
});

/**
 * Equal counts, unless events are known to be lost; sums of time equal within 3 %, and what our look at the beginning
 * or the end of each came later than the witness's: a wakeup of a warm CPU takes less than ten times as long as the
 * witness's own programs.
 */
function agrees({ ours, theirs, lost }: Hearing, name: string): boolean {
  const mine = ours.get(name) as number;
  const its = theirs.get(name) ?? 0;
  if (!name.endsWith('_ns')) return Math.abs(mine - its) <= lost;
  const counted = name.slice(0, -'_ns'.length);
  const times = theirs.get(counted) ?? 0;
  const later = Math.max(0, ...(LOOKS[counted] ?? []).map((look) => afterLook(theirs, look, times)));
  return Math.abs(mine - its) <= 0.03 * its + times * later;
}

/** What the witness's programs took from a look of its to their end, nanoseconds: on the average of many, or at most. */
function afterLook(theirs: Testimony, look: string, times: number): number {
  if (times < MANY) return theirs.get(`after_${look}_most_ns`) ?? 0;
  const looks = theirs.get(`after_${look}`) ?? 0;
  return looks && (theirs.get(`after_${look}_ns`) ?? 0) / looks;
}

/** proc_pid_stat(5): minflt, cminflt, majflt, cmajflt are fields 10 to 13. */
function faultsOf(pid: number): { minor: number; major: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return {
    minor: (fields[7] as number) + (fields[8] as number),
    major: (fields[9] as number) + (fields[10] as number),
  };
}
