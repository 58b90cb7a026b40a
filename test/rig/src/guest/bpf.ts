// What the recorder says of frequencies and idle states, by their causes: on a kernel that has both.
import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync } from 'node:fs';
import { Collector } from '../../../../packages/hostd/dist/kernel/bpf/collector.js';
import { openRecorder } from '../../../../packages/hostd/dist/kernel/bpf/index.js';
import { Sleeper } from '../../../../packages/hostd/dist/kernel/bpf/sleeper.js';
import type { Recorder } from '../../../../packages/hostd/dist/kernel/recorder.js';
import { Known, type Slice, SliceBegin } from '../../../../packages/hostd/dist/kernel/slice.js';
import { setAffinity } from './affinity.ts';
import type { CheckSet } from './check.ts';
import { CPU_DIR, dmaLatency, lowestFrequency, read, write } from './machine.ts';

/** A recorder that is attached and follows one process on CPU 1. Opening one takes seconds here: use it for much. */
async function following<T>(use: (recorder: Recorder, child: Sleeper) => Promise<T>): Promise<T> {
  const recorder = openRecorder();
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
async function recorded(recorder: Recorder, during: () => Promise<void>): Promise<readonly Slice[]> {
  new Collector().drain(recorder);
  await during();
  return new Collector().drain(recorder).slices;
}

export const checks: CheckSet = {
  'slices know the frequency that their CPU was asked for, and the idle state that it left': ({ note }) =>
    following(async (recorder, child) => {
      const policy = Number(read(`${CPU_DIR}/cpu1/cpufreq/related_cpus`).split(' ')[0]);
      const floor = `${CPU_DIR}/cpufreq/policy${policy}/scaling_min_freq`;
      const original = read(floor);
      {
        using _lowest = await lowestFrequency(policy);
        for (const khz of [1_200_000, 2_400_000, 1_800_000]) {
          write(floor, String(khz));
          const slices = await recorded(recorder, () => child.sleep(20)).finally(() =>
            write(floor, original),
          );
          const settled = slices.slice(5, 20);
          assert.ok(settled.length > 10);
          assert.deepEqual([...new Set(settled.map((slice) => slice.khz))], [khz]);
        }
        const ceiling = `${CPU_DIR}/cpufreq/policy${policy}/scaling_max_freq`;
        const highest = read(ceiling);
        for (const khz of [1_800_000, Number(highest)]) {
          write(ceiling, String(khz));
          const slices = await recorded(recorder, () => child.sleep(20)).finally(() =>
            write(ceiling, highest),
          );
          assert.deepEqual([...new Set(slices.slice(5).map((slice) => slice.targetKhz))], [khz]);
        }
      }
      const states = (slices: readonly Slice[]) =>
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

  'a frequency is unknown until the kernel tells what it asks for': async () => {
    const dir = `${CPU_DIR}/cpufreq/policy${read(`${CPU_DIR}/cpu1/cpufreq/related_cpus`).split(' ')[0]}`;
    const files = ['scaling_min_freq', 'scaling_max_freq'].map((name) => `${dir}/${name}`);
    const [floor, ceiling] = files as [string, string];
    const [lowest, highest] = files.map(read) as [string, string];
    // Nothing is left to ask for: no event comes.
    write(ceiling, '1800000');
    write(floor, '1800000');
    await following(async (recorder, child) => {
      const slices = await recorded(recorder, () => child.sleep(20));
      assert.deepEqual(whetherKnown(slices.slice(3)), ['false']);
      write(floor, lowest);
      write(ceiling, '1200000');
      assert.deepEqual(whetherKnown((await recorded(recorder, () => child.sleep(20))).slice(3)), ['true']);
    }).finally(() => {
      write(ceiling, highest);
      write(floor, lowest);
    });
  },

  'a new thread knows how long its group was throttled before it first ran': ({ note }) =>
    following(async (recorder, child) => {
      const root = '/sys/fs/cgroup';
      const group = `${root}/prewake`;
      write(`${root}/cgroup.subtree_control`, '+cpu');
      mkdirSync(group);
      try {
        write(`${group}/cpu.max`, '10000 100000');
        write(`${group}/cgroup.procs`, String(child.pid));
        // All on one CPU: whoever has not had a turn when the quota is used up waits for the next period.
        const slices = await recorded(recorder, () =>
          child.run('for (1 .. 12) { if (!fork) { my $x; $x++ for 1 .. 2e5; exit } } 1 while wait > 0'),
        );
        const first = slices.filter((slice) => slice.begin === SliceBegin.new);
        const throttled = first.filter((slice) => slice.throttledNs > 0);
        note(`${throttled.length} of ${first.length} new threads were throttled`);
        assert.ok(first.every((slice) => slice.known & Known.throttled));
        assert.ok(throttled.length > 0);
        for (const slice of throttled) assert.ok(slice.throttledNs <= slice.onAt - slice.readyAt);
      } finally {
        write(`${root}/cgroup.procs`, String(child.pid));
        rmdirSync(group);
      }
    }),
};

function whetherKnown(slices: readonly Slice[]): string[] {
  return [...new Set(slices.map((slice) => `${(slice.known & Known.frequency) !== 0}`))];
}

function histogram(states: readonly number[]): string {
  return [0, 1, 2, 3].map((state) => states.filter((one) => one === state).length).join('/');
}
