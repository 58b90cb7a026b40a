import { spawn } from 'node:child_process';
import { pbkdf2 } from 'node:crypto';
import {
  closeSync,
  openSync,
  read as readAsync,
  readdir,
  readdirSync,
  readFileSync,
  readSync,
  stat,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { gzip } from 'node:zlib';
import { forgetPages, type Mapping, mapFile, mapFresh, setTimerSlack } from './mapping.ts';
import { Pieces } from './pieces.ts';
import type { Cause, Plan, Truth } from './plan.ts';
import { account, now } from './witness.ts';

type Told = Omit<Truth, 'label' | 'cause'>;

const PAGE = 4096;
/** Names of a folder that are asked for in one turn. */
const PIECE = 32;

/** Each cause does its work in pieces, with turns of the event loop between them in which the other steps run. */
export const causes: Record<Cause, (plan: Plan, index: number) => Promise<Told>> = {
  async cold_read(plan, index) {
    const path = plan.files[index] as string;
    forgetPages(path);
    const fd = openSync(path, 'r');
    const buffer = Buffer.alloc(256 * 1024);
    const sections: [number, number][] = [];
    for (let read = 1; read > 0; ) {
      const from = now();
      read = readSync(fd, buffer);
      sections.push([from, now()]);
      await turn();
    }
    closeSync(fd);
    return { ns: {}, sections };
  },

  async major_faults(plan, index) {
    const path = plan.files[index] as string;
    const pages = 256;
    const pieces = new Pieces();
    let file: Mapping | undefined;
    await pieces.run(() => {
      forgetPages(path);
      file = mapFile(path, pages * PAGE);
    }, 2);
    for (let page = 0; page < pages; page += 16)
      await pieces.run(() => {
        for (let i = page; i < page + 16; i++) file?.touch(i * PAGE);
      });
    file?.unmap();
    return pieces.truth();
  },

  async minor_faults(_, index) {
    const pages = 4096 * (1 + amount(index));
    const memory = mapFresh(pages * PAGE);
    const pieces = new Pieces();
    for (let page = 0; page < pages; page += 256)
      await pieces.run(() => {
        for (let i = page; i < page + 256; i++) memory.touch(i * PAGE);
      });
    memory.unmap();
    return pieces.truth();
  },

  async directory_walk(plan, index) {
    const pieces = new Pieces();
    for (let walk = 0; walk < amount(index); walk++)
      for (const { folder, names } of tree(plan, index)) {
        // Opened, and read until there is no more.
        await pieces.run(() => readdirSync(folder), 3);
        for (let i = 0; i < names.length; i += PIECE) {
          const some = names.slice(i, i + PIECE);
          await pieces.run(() => {
            for (const name of some) statSync(join(folder, name));
          }, some.length);
        }
      }
    return pieces.truth();
  },

  async beside_hog(plan) {
    return {
      ns: { queue: queueOf(await output('taskset', ['-c', String(plan.hogCpu), 'perl', '-e', BURN])) },
    };
  },

  async grandchild_beside_hog(plan) {
    const script = `taskset -c ${plan.hogCpu} perl -e '${BURN}'; exit 0`;
    return { ns: { queue: queueOf(await output('sh', ['-c', script])) } };
  },

  async quota(plan, index) {
    const group = plan.groups[index] as { tasks: string; stat: string };
    const before = throttledTime(group.stat);
    await perl(
      `open T, ">", "${group.tasks}"; print T $$; close T; select undef, undef, undef, 0.002; ${BURN}`,
    );
    return { ns: { throttled: throttledTime(group.stat) - before } };
  },

  async timer_slack() {
    setTimerSlack(20e6);
    const late = perl(SLEEP);
    setTimerSlack(0);
    const [most, least] = (await late).split(' ').map(Number) as [number, number];
    return { ns: { timer: least }, most: { timer: most } };
  },

  async pool_read(plan, index) {
    const path = plan.files[index] as string;
    forgetPages(path);
    const sections: [number, number][] = [];
    const fd = openSync(path, 'r');
    const buffer = Buffer.alloc(1024 * 1024);
    for (let read = 1; read > 0; )
      read = await pooled<number>(sections, (done) => readAsync(fd, buffer, 0, buffer.length, null, done));
    closeSync(fd);
    return { ns: {}, sections };
  },

  async pool_walk(plan, index) {
    const sections: [number, number][] = [];
    let vfsCalls = 0;
    let vfs = 0;
    for (const { folder, names } of tree(plan, index)) {
      const from = now();
      await pooled<string[]>(sections, (done) => readdir(folder, done));
      for (let i = 0; i < names.length; i += PIECE) {
        const some = names.slice(i, i + PIECE);
        const all = some.map((name) => pooled(sections, (done) => stat(join(folder, name), done)));
        await Promise.all(all);
      }
      vfsCalls += 3 + names.length;
      vfs += now() - from;
    }
    return { ns: {}, sections, vfsCalls, within: { vfs } };
  },

  async pool_zip(plan, index) {
    const text = readFileSync(plan.files[index] as string).toString('hex');
    const sections: [number, number][] = [];
    await pooled(sections, (done) => gzip(text, done));
    return { ns: {}, sections };
  },

  async pool_hash() {
    const sections: [number, number][] = [];
    for (let i = 0; i < 4; i++)
      await pooled(sections, (done) => pbkdf2('planted', 'salt', 50_000, 32, 'sha512', done));
    return { ns: {}, sections };
  },

  async busy_loop() {
    const pieces = new Pieces();
    for (let i = 0; i < 10; i++)
      await pieces.run(() => {
        const before = account();
        while (account().cpuNs - before.cpuNs < 5e6);
      });
    return { ...pieces.truth(), cpuNs: pieces.cpuNs };
  },

  /** Open all the while, and nothing of what goes on around it is its own. */
  async idle() {
    const at = now();
    await wait(300);
    const most = { timer: now() - at - 300e6 };
    const none = { vfs: 0, page_fault: 0 };
    return { ns: { block: 0, throttled: 0 }, most, vfsCalls: 0, majorFaults: 0, within: none, mostCpuNs: 0 };
  },
};

/** Not all of the same cause have the same: who has whose can be told. */
const amount = (index: number) => 1 + (index % 3);

/** The folders of a step, with the names in them: how they were found is no work of any piece. */
const tree = (plan: Plan, index: number) => plan.trees[index] as NonNullable<Plan['trees'][number]>;

/** Makes a request to the pool, and notes when it was outstanding. */
function pooled<T>(
  sections: [number, number][],
  request: (done: (error: Error | null, result: T) => void) => void,
): Promise<T> {
  const from = now();
  return new Promise((resolve, reject) =>
    request((error, result) => {
      sections.push([from, now()]);
      if (error) reject(error);
      else resolve(result);
    }),
  );
}

/** Runs for 30 ms, and says what it had: run time, run-queue delay, slices. */
const BURN = `use Time::HiRes qw(clock_gettime CLOCK_PROCESS_CPUTIME_ID);
my $end = clock_gettime(CLOCK_PROCESS_CPUTIME_ID) + 0.03;
1 while clock_gettime(CLOCK_PROCESS_CPUTIME_ID) < $end;
open F, "<", "/proc/self/schedstat"; print <F>`;

/** Sleeps ten times 5 ms, and says how much too long: at most, and without what it may have waited for the CPU then. */
const SLEEP = `use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
sub queue { open F, "<", "/proc/self/schedstat"; my @s = split " ", <F>; $s[1] }
my ($late, $queued) = (0, 0);
for (1..10) { my $queue = queue(); my $at = clock_gettime(CLOCK_MONOTONIC); select undef, undef, undef, 0.005;
$late += (clock_gettime(CLOCK_MONOTONIC) - $at - 0.005) * 1e9; $queued += queue() - $queue; }
printf "%.0f %.0f", $late, $late - $queued`;

const perl = (script: string) => output('perl', ['-e', script]);

function output(command: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${command} ended with ${code}`)),
    );
  });
}

const queueOf = (schedstat: string) => Number(schedstat.split(' ')[1]);

const throttledTime = (stat: string) =>
  Number(/throttled_time (\d+)/.exec(readFileSync(stat, 'latin1'))?.[1]);
