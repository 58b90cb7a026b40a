import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Collector } from './bpf/collector.ts';
import { openRecorder } from './bpf/index.ts';
import { SchedstatRecorder } from './schedstat-recorder.ts';
import { Known, SliceBegin } from './slice.ts';

describe('SchedstatRecorder', () => {
  let root: string;
  let recorder: SchedstatRecorder;

  beforeEach(() => {
    root = `${mkdtempSync(join(tmpdir(), 'prewake-schedstat-'))}/`;
    recorder = new SchedstatRecorder('for a test', root);
  });

  afterEach(() => rmSync(root, { recursive: true }));

  function write(path: string, text: string): void {
    mkdirSync(dirname(`${root}proc/${path}`), { recursive: true });
    writeFileSync(`${root}proc/${path}`, text);
  }

  it('tells how long each thread was runnable and not running since the last drain', () => {
    write('10/task/10/schedstat', '1000 200 5\n');
    write('10/task/11/schedstat', '7 7 7\n');
    recorder.attach();
    recorder.track(10);
    write('10/task/10/schedstat', '1600 500 6\n');
    const { slices } = new Collector().drain(recorder);
    expect(slices.map((s) => [s.tid, s.onAt - s.readyAt, s.offAt - s.onAt])).toEqual([[10, 300, 600]]);
    expect(slices[0]).toMatchObject({ tgid: 10, known: Known.runqueue, begin: SliceBegin.preempted });
    expect(new Collector().drain(recorder).slices).toEqual([]);
  });

  it('takes in threads and children that come later, and forgets what is untracked', () => {
    write('10/task/10/schedstat', '0 0 0\n');
    recorder.track(10);
    recorder.attach();
    write('10/task/12/schedstat', '5 4 1\n');
    write('10/task/10/children', '20 ');
    write('20/task/20/schedstat', '3 2 1\n');
    const { slices } = new Collector().drain(recorder);
    expect(slices.map((s) => [s.tgid, s.tid])).toEqual([
      [10, 12],
      [20, 20],
    ]);
    recorder.untrack(10);
    write('10/task/12/schedstat', '50 40 2\n');
    expect(new Collector().drain(recorder).slices).toEqual([]);
  });

  /** A stat of a thread that was started at `start`. */
  const stat = (start: number) => `10 (agent) S ${'0 '.repeat(18)}${start} ${'0 '.repeat(30)}\n`;

  it('tells nothing of another process that has got the pid', () => {
    write('10/task/10/stat', stat(100));
    write('10/task/10/schedstat', '0 0 0\n');
    recorder.attach();
    recorder.track(10);
    write('10/task/10/schedstat', '10 10 1\n');
    expect(new Collector().drain(recorder).slices).toHaveLength(1);
    write('10/task/10/stat', stat(200));
    write('10/task/10/schedstat', '1000 1000 5\n');
    write('10/task/10/children', '20 ');
    write('20/task/20/schedstat', '3 2 1\n');
    expect(new Collector().drain(recorder).slices).toEqual([]);
    // Its session began before the other process did.
    recorder.track(10, '100');
    expect(new Collector().drain(recorder).slices).toEqual([]);
    recorder.track(10, '200');
    expect(new Collector().drain(recorder).slices.map((s) => s.tid)).toEqual([20]);
  });

  it('is what is left without BPF, says why, and measures a real process', async () => {
    const real = openRecorder({ sources: ['schedstat', 'none'] });
    expect(real).toMatchObject({ source: 'schedstat', reason: 'switched off', known: Known.runqueue });
    real.attach();
    real.track(process.pid);
    const until = process.hrtime.bigint() + 20_000_000n;
    while (process.hrtime.bigint() < until);
    const { slices } = new Collector().drain(real);
    expect(slices.some((s) => s.tid === process.pid && s.offAt > s.onAt)).toBe(true);
    expect(real.lastCpu(process.pid)).toEqual({ home: -1, completion: -1 });
    real.close();
  });
});
