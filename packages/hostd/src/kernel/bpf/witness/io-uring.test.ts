import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Recorder } from '../../recorder.ts';
import { EventKind, Known, type Slice } from '../../slice.ts';
import { Collector } from '../collector.ts';
import { openRecorder } from '../index.ts';
import { noWitness } from './available.ts';
import { NODE_USER } from './node-user.ts';
import { RING_USER } from './ring-user.ts';
import { Witness } from './witness.ts';

const missing = noWitness();
const ATTEMPTS = 3;

function sleepBefore(slices: readonly Slice[], slice: Slice): number {
  const before = slices[slices.indexOf(slice) - 1];
  return before && slice.wakingAt > 0 ? slice.wakingAt - before.offAt : 0;
}

const requests = ({ events }: Collector) => events.filter(({ kind }) => kind === EventKind.ioUring).length;

describe.skipIf(missing !== undefined)(`io_uring beside bpftrace${missing ? ` (${missing})` : ''}`, () => {
  let recorder: Recorder;
  let child: ChildProcessWithoutNullStreams;
  let lines: AsyncIterator<string>;

  async function start(started: ChildProcessWithoutNullStreams): Promise<void> {
    child = started;
    lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('ready');
  }

  beforeEach(() => {
    recorder = openRecorder();
  });

  afterEach(async () => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin.end();
    await gone;
    recorder.close();
  });

  it('times each request from submission to completion, for the step that its user_data names', async () => {
    await start(spawn('python3', ['-c', RING_USER]));
    expect(recorder.known & Known.ioUring).not.toBe(0);
    const hearings: { ours: number; theirs: number; oursNs: number; theirsNs: number }[] = [];
    const agreed = (): boolean =>
      hearings.some((h) => h.ours === h.theirs && Math.abs(h.oursNs - h.theirsNs) <= 0.03 * h.theirsNs);
    for (let attempt = 0; attempt < ATTEMPTS && !agreed(); attempt++) {
      const witness = await Witness.start(`
        tracepoint:io_uring:io_uring_submit_req /pid == ${child.pid}/ { @at[args->req] = nsecs; }
        tracepoint:io_uring:io_uring_complete /@at[args->req]/ {
          @ring = count();
          @ring_ns = sum(nsecs - @at[args->req]);
          delete(@at[args->req]);
        }
        END { clear(@at); }`);
      recorder.attach();
      recorder.track(child.pid as number);
      child.stdin.write('50\n');
      await lines.next();
      const { events, slices, lost } = new Collector().drain(recorder);
      recorder.detach();
      expect(lost).toBe(0);
      const theirs = await witness.end();
      const ring = events.filter((event) => event.kind === EventKind.ioUring);
      expect(ring.length).toBe(50);
      expect(ring.every((event) => event.stepId === 42 && event.tgid === child.pid)).toBe(true);
      const oursNs = ring.reduce((sum, event) => sum + event.durationNs, 0);
      // Each is waited for alone, and reaped by the thread itself.
      const waits = slices.filter((slice) => slice.ioUringNs > 0);
      expect(waits.length).toBeGreaterThan(40); // A few are over before the thread sleeps.
      for (const wait of waits) expect(wait.ioUringNs).toBe(sleepBefore(slices, wait));
      hearings.push({
        ours: ring.length,
        theirs: theirs.get('ring') as number,
        oursNs,
        theirsNs: theirs.get('ring_ns') as number,
      });
    }
    expect(agreed(), JSON.stringify(hearings)).toBe(true);
  });

  it('takes no sleep for a wait in which nothing was outstanding', async () => {
    await start(spawn('python3', ['-c', RING_USER]));
    recorder.attach();
    recorder.track(child.pid as number);
    child.stdin.write('-50\n');
    await lines.next();
    const { events, slices } = new Collector().drain(recorder);
    expect(events.filter((event) => event.kind === EventKind.ioUring).length).toBe(50);
    expect(Math.max(...slices.map((slice) => sleepBefore(slices, slice)))).toBeGreaterThan(19e6);
    expect(slices.reduce((sum, slice) => sum + slice.ioUringNs, 0)).toBe(0);
  });

  // What libuv uses a ring for has changed before. It decides what a step of a Node agent is charged for io_uring.
  it('knows libuv’s ring: what it watches is changed by it, files are read in its pool, and nobody waits for it', async () => {
    const env = { ...process.env, UV_USE_IO_URING: '1' };
    await start(spawn(process.execPath, ['-e', NODE_USER], { env }));
    const did = async (what: string) => {
      child.stdin.write(`${what}\n`);
      expect((await lines.next()).value).toBe('done');
    };
    await did('4 1 0');
    const hearings: { ours: number; theirs: number }[] = [];
    const agreed = (): boolean => hearings.some((h) => h.ours === h.theirs);
    for (let attempt = 0; attempt < ATTEMPTS && !agreed(); attempt++) {
      const witness = await Witness.start(
        `tracepoint:io_uring:io_uring_submit_req /pid == ${child.pid}/ { @ring = count(); }`,
      );
      recorder.attach();
      recorder.track(child.pid as number);
      await did('50 0 0');
      const reading = requests(new Collector().drain(recorder));
      // Each has an end that listens and one that has asked: both are watched.
      await did('0 50 20');
      const records = new Collector().drain(recorder);
      recorder.detach();
      const theirs = await witness.end();
      expect(reading).toBe(0);
      expect(requests(records)).toBeGreaterThanOrEqual(2 * 50);
      const slices = records.slices.filter((slice) => slice.tid === child.pid);
      expect(Math.max(...slices.map((slice) => sleepBefore(slices, slice)))).toBeGreaterThan(19e6);
      expect(records.slices.filter((slice) => slice.ioUringNs > 0)).toEqual([]);
      expect(records.lost).toBe(0);
      hearings.push({ ours: requests(records), theirs: theirs.get('ring') as number });
    }
    expect(agreed(), JSON.stringify(hearings)).toBe(true);
  });
});
