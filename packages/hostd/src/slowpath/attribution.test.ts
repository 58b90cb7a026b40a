import type { ClientFrame, ReportFrame } from '@prewake/sdk/protocol';
import { describe, expect, it } from 'vitest';
import type { WakeupCost } from '../policy/index.ts';
import { Attribution } from './attribution.ts';
import { makeSlice } from './make-slice.ts';
import { ALL_KNOWN, type AttributionOptions } from './options.ts';
import { Known, type Slice, SliceBegin, SliceEnd } from './slice.ts';

const TGID = 100;
const A = 'aaaaaaaaaaaaaaaa';
const B = 'bbbbbbbbbbbbbbbb';
const P = 'cccccccccccccccc';
const us = (n: number) => n * 1000;

/** Frames are written in microseconds, slices in microseconds too: `slice` converts. */
function start(options: Partial<AttributionOptions> = {}, known = ALL_KNOWN) {
  const attribution = new Attribution(options);
  attribution.recorderAttached(1, known);
  attribution.sessionStarted({ id: 's1', tgid: TGID }, 1);
  const frames = (...list: ClientFrame[]) => {
    for (const frame of list) attribution.frame('s1', frame);
  };
  const slice = (fields: Partial<Slice>) => {
    const times = [
      'wakingAt',
      'onAt',
      'offAt',
      'idleExitAt',
      'readyAt',
      'eventAt',
      'blockNs',
      'irqNs',
    ] as const;
    const scaled = Object.fromEntries(
      times.filter((t) => t in fields).map((t) => [t, us(fields[t] as number)]),
    );
    attribution.slice(makeSlice({ ...fields, ...scaled }));
  };
  const find = (now: number) => {
    const reports: Record<string, ReportFrame> = {};
    const costs: WakeupCost[] = [];
    attribution.findings(us(now), {
      report: (_, report) => {
        reports[report.step] = report;
      },
      wakeupCost: (cost) => costs.push(cost),
    });
    return { reports, costs };
  };
  return { attribution, frames, slice, find };
}

const step = (id: string, at: number, more: Partial<ClientFrame> = {}) =>
  ({ type: 'step', id, kind: 'tool', at, ...more }) as ClientFrame;
const end = (id: string, at: number): ClientFrame => ({ type: 'step_end', id, at });
const run = (...marks: (number | string)[]): ClientFrame => ({ type: 'run', thread: TGID, marks });

describe('one step alone', () => {
  it('is charged for its wakeup by idle exit and scheduling, with the chain', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), end(A, 9000));
    slice({ wakingAt: 5000, idleState: 1, idleExitAt: 5300, onAt: 5420, offAt: 9100, causeName: 'node' });
    const report = find(9200).reports[A];
    expect(report).toMatchObject({ complete: true, source: 'bpf', cpuNs: us(9000 - 5420) });
    expect(report?.self).toMatchObject({
      'wakeup.idle_exit': us(300),
      'wakeup.scheduling': us(120),
      runqueue: 0,
    });
    expect(report?.wakeups).toEqual({ total: 1, covered: 0, missed: 0 });
    expect(report?.events).toEqual([
      {
        category: 'wakeup.idle_exit',
        at: 5000,
        ns: us(300),
        detail: 'task node → waking → idle exit C1 → on CPU 0',
      },
      {
        category: 'wakeup.scheduling',
        at: 5300,
        ns: us(120),
        detail: 'task node → waking → idle exit C1 → on CPU 0',
      },
    ]);
  });

  it('waits for the slice in which it ended, and is incomplete where that does not come', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), end(A, 9000));
    slice({ onAt: 2000, offAt: 3000 });
    expect(find(9100).reports).toEqual({});
    expect(find(9_000 + 150_000).reports[A]).toMatchObject({ complete: false, incomplete: 'open' });
  });

  it('shows nothing where it did nothing', () => {
    const { frames, slice, find } = start();
    slice({ onAt: 0, offAt: 990, wakingAt: 0, irqNs: 20 });
    frames(step(A, 1000), end(A, 1001));
    slice({ begin: SliceBegin.preempted, readyAt: 1002, onAt: 1100, offAt: 1200 });
    const report = find(1300).reports[A];
    expect(Object.values(report?.self ?? {}).filter((ns) => ns !== 0)).toEqual([]);
    expect(report).toMatchObject({ complete: true, cpuNs: 0, wakeups: { total: 0 }, events: [] });
  });

  it('is charged for its own part of a slice only', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), end(A, 2000));
    slice({ begin: SliceBegin.preempted, readyAt: 500, onAt: 1500, offAt: 3000 });
    const report = find(3000).reports[A];
    expect(report?.self.runqueue).toBe(us(500));
    expect(report?.cpuNs).toBe(us(500));
  });
});

describe('what is not known', () => {
  it('is unknown with the recorder off, and not zero', () => {
    const { attribution, frames, find } = start();
    attribution.recorderDetached(us(500));
    frames(step(A, 1000), end(A, 2000));
    const report = find(2000).reports[A];
    expect(report).toMatchObject({ complete: false, incomplete: 'recorder_off', source: 'none', self: {} });
    expect(report?.unknown).toContain('wakeup.idle_exit');
  });

  it('is unknown for a step that began before the recorder', () => {
    const { attribution, frames, slice, find } = start();
    attribution.recorderAttached(us(1500), ALL_KNOWN);
    frames(step(A, 1000), end(A, 2000));
    slice({ onAt: 1600, offAt: 2000 });
    expect(find(2000).reports[A]).toMatchObject({ incomplete: 'recorder_late', self: {} });
  });

  it('is named where the kernel has no program for it', () => {
    const known = Known.wakeup | Known.runqueue | Known.idle;
    const { frames, slice, find } = start({}, known);
    frames(step(A, 1000), end(A, 2000));
    slice({ known, onAt: 1600, offAt: 2000, irqNs: 5 });
    const report = find(2000).reports[A];
    expect(Object.keys(report?.self ?? {})).toEqual(['wakeup.idle_exit', 'wakeup.scheduling', 'runqueue']);
    expect(report?.unknown).toContain('irq');
    expect(report?.unknown).toContain('page_fault');
  });

  it('has an unknown idle exit after wakeups by the CPU’s own interrupt alone', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), end(A, 5000));
    slice({ wakerCpu: 0, idleState: 1, wakingAt: 1400, idleExitAt: 1410, onAt: 1500, offAt: 2000 });
    slice({ wakerCpu: 0, idleState: 1, wakingAt: 4400, idleExitAt: 4410, onAt: 4500, offAt: 5000 });
    const report = find(5000).reports[A];
    expect(report?.unknown).toEqual(['wakeup.idle_exit', 'page_cache']);
    expect(report?.self['wakeup.idle_exit']).toBeUndefined();
  });

  it('does not concern a step that began after it', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), end(A, 2000));
    slice({
      begin: SliceBegin.unknown,
      known: ALL_KNOWN & ~Known.wakeup & ~Known.idle,
      onAt: 900,
      offAt: 2000,
    });
    const report = find(2000).reports[A];
    expect(report?.self['wakeup.scheduling']).toBe(0);
    expect(report?.unknown).toEqual(['page_cache']);
  });

  it('is counted where some of a step’s slices can tell and some can’t', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), end(A, 5000));
    slice({ known: ALL_KNOWN & ~Known.block, wakingAt: 2000, onAt: 2100, offAt: 2200 });
    slice({ wakingAt: 4000, blockNs: 70, onAt: 4000, offAt: 5000 });
    expect(find(5000).reports[A]).toMatchObject({ self: { block: us(70) }, counts: { 'block.unknown': 1 } });
  });

  it('is said for every step that was open when records were lost, and for no other', () => {
    const { attribution, frames, slice, find } = start();
    frames(step(A, 1000), end(A, 2000));
    slice({ onAt: 1000, offAt: 2000 });
    attribution.drained(us(3000), 0);
    expect(find(3000).reports[A]?.complete).toBe(true);
    frames(step(B, 3500), end(B, 4000));
    slice({ onAt: 3500, offAt: 4000 });
    attribution.drained(us(4000), 7);
    expect(find(4000).reports[B]).toMatchObject({ complete: false, incomplete: 'lost' });
  });
});

describe('steps that interleave on a thread', () => {
  function interleaved(first: string, second: string) {
    const t = start();
    t.frames(step(first, 1000), step(second, 1000), run(1000, first, 1100, second, 1200, ''));
    t.slice({ wakingAt: 990, onAt: 1000, offAt: 1200 });
    // A wakeup for the first alone, an interrupted run of the second, a wakeup for both.
    t.slice({ wakingAt: 2000, onAt: 2300, offAt: 2400 });
    t.frames(run(2310, first, 2390, ''));
    t.slice({ wakingAt: 3000, onAt: 3010, offAt: 3200, end: SliceEnd.preempted });
    t.slice({ begin: SliceBegin.preempted, readyAt: 3200, onAt: 3900, offAt: 4000 });
    t.frames(run(3020, second, 3990, ''));
    t.slice({ wakingAt: 5000, onAt: 5040, offAt: 5200 });
    t.frames(run(5050, second, 5100, first, 5190, ''));
    t.frames(end(first, 5150), end(second, 5160));
    return t.find(5300).reports;
  }

  it('are each charged for their own, and for what they experienced together', () => {
    const reports = interleaved(A, B);
    expect(reports[A]?.self).toMatchObject({ 'wakeup.scheduling': us(300 + 40), runqueue: 0 });
    expect(reports[B]?.self).toMatchObject({ 'wakeup.scheduling': us(10 + 40), runqueue: us(700) });
    expect(reports[A]?.shared).toEqual({ ns: us(40), candidates: 2 });
    expect(reports[A]?.wakeups.total).toBe(2);
    expect(reports[B]?.wakeups.total).toBe(2);
  });

  it('are told apart: with the labels swapped the reports are swapped', () => {
    const right = interleaved(A, B);
    const swapped = interleaved(B, A);
    expect(swapped[A]).toEqual({ ...right[B], step: A });
    expect(swapped[B]).toEqual({ ...right[A], step: B });
    expect(swapped[A]).not.toEqual(right[A]);
  });

  it('are candidates together where nothing tells them apart', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), step(B, 1000), end(A, 3000), end(B, 3000));
    slice({ wakingAt: 2000, onAt: 2100, offAt: 3000 });
    const { reports } = find(3000);
    for (const id of [A, B])
      expect(reports[id]).toMatchObject({
        self: { 'wakeup.scheduling': us(100) },
        shared: { ns: us(100), candidates: 2 },
      });
  });

  it('counts a shared wakeup once in the totals', () => {
    const { attribution, frames, slice, find } = start();
    frames(step(A, 1000), step(B, 1000), end(A, 3000), end(B, 3000));
    slice({ wakingAt: 2000, onAt: 2100, offAt: 3000 });
    find(3000);
    find(3_000_000);
    expect(attribution.totals('s1')?.wakeups).toBe(1);
    expect(attribution.totals('s1')?.categories(ALL_KNOWN).self['wakeup.scheduling']).toBe(us(100));
  });

  it('shares what a record does not place, and never more than a step’s own part', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), step(B, 1000), run(1000, A, 1010, B), end(A, 1900), end(B, 1900));
    slice({ onAt: 1000, offAt: 1900, irqNs: 50, irqs: 1 });
    const { reports } = find(1900);
    expect(reports[A]?.self.irq).toBe(us(10));
    expect(reports[B]?.self.irq).toBe(us(50));
    expect(reports[B]?.shared).toEqual({ ns: us(50), candidates: 2 });
    expect(reports[B]?.counts).toMatchObject({ irq: 1, 'slice.shared': 1 });
  });

  it('does not believe marks of an overlap that is over', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), step(B, 1000), run(1000, A, 1100, B), end(B, 1200));
    slice({ onAt: 1000, offAt: 1200 });
    slice({ wakingAt: 2000, onAt: 2100, offAt: 3000 });
    frames(end(A, 3000));
    expect(find(3000).reports[A]?.self['wakeup.scheduling']).toBe(us(100));
  });
});

describe('the collector', () => {
  it('takes its pauses out of what the frequency cost', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), end(A, 2000), { type: 'gc', thread: TGID, pauses: [1200, 400] });
    slice({ onAt: 900, offAt: 2000, khz: 1, targetKhz: 2 });
    expect(find(2000).reports[A]?.self.frequency).toBe(us((1000 - 400) / 2));
  });
});

describe('a parent step', () => {
  it('leaves a new child what marks of an older one seem to say', () => {
    const { frames, slice, find } = start();
    frames(step(P, 1000), step(A, 1000, { parent: P }), step(B, 1000, { parent: P }));
    // The SDK's last mark of an overlap names the step that is left.
    frames(run(1000, A, 1100, B), end(B, 1200), run(1201, A), end(A, 1300));
    frames(step('dddddddddddddddd', 1400, { parent: P }));
    slice({ onAt: 1000, offAt: 1450 });
    slice({ wakingAt: 2000, onAt: 2100, offAt: 3000 });
    frames(end('dddddddddddddddd', 2900), end(P, 2950));
    const { reports } = find(3000);
    expect(reports.dddddddddddddddd?.self['wakeup.scheduling']).toBe(us(100));
    expect(reports[P]?.self['wakeup.scheduling']).toBe(0);
  });

  it('excludes its child steps', () => {
    const { frames, slice, find } = start();
    frames(step(P, 1000), step(A, 2000, { parent: P }), end(A, 3000), end(P, 5000));
    slice({ wakingAt: 1500, onAt: 1510, offAt: 2100 });
    slice({ wakingAt: 2500, onAt: 2520, offAt: 3100 });
    slice({ wakingAt: 4000, onAt: 4040, offAt: 5000 });
    const { reports } = find(5000);
    expect(reports[A]?.self['wakeup.scheduling']).toBe(us(20));
    expect(reports[P]?.self['wakeup.scheduling']).toBe(us(50));
    expect((reports[A]?.cpuNs ?? 0) + (reports[P]?.cpuNs ?? 0)).toBe(us(590 + 580 + 960));
  });

  it('has its own code marked while a child waits', () => {
    const { frames, slice, find } = start();
    frames(step(P, 1000), step(A, 1000, { parent: P }), step(B, 1000, { parent: P }));
    frames(run(1000, P, 1100, ''));
    slice({ onAt: 1000, offAt: 1100 });
    slice({ wakingAt: 2000, onAt: 2500, offAt: 2600 });
    frames(run(2510, P, 2590, ''), end(A, 3000), end(B, 3000), end(P, 3000));
    const { reports } = find(1_000_000);
    expect(reports[P]?.self['wakeup.scheduling']).toBe(us(500));
    expect(reports[A]?.self['wakeup.scheduling']).toBe(0);
  });
});

describe('children', () => {
  const fork = (at: number, parent: number, child: number) => ({
    at: us(at),
    parentTgid: parent,
    parentTid: parent,
    childTgid: child,
    childTid: child,
  });

  it('and grandchildren belong to the step that ran on the parent thread at the fork', () => {
    const { attribution, frames, slice, find } = start();
    frames(step(A, 1000), step(B, 1000), run(1000, A, 1100, B, 1200, ''));
    attribution.fork(fork(1050, TGID, 200));
    attribution.fork(fork(1150, TGID, 300));
    slice({ onAt: 1000, offAt: 1200 });
    attribution.fork(fork(1300, 300, 301));
    // The grandchild exits before anybody looks.
    slice({
      tgid: 301,
      tid: 301,
      begin: SliceBegin.new,
      readyAt: 1300,
      wakingAt: 0,
      onAt: 1330,
      offAt: 1400,
      end: SliceEnd.exit,
    });
    attribution.exit({ at: us(1400), tgid: 301, tid: 301 });
    slice({ tgid: 200, tid: 200, wakingAt: 1500, onAt: 1600, offAt: 1700 });
    slice({ tgid: 300, tid: 305, begin: SliceBegin.preempted, readyAt: 1500, onAt: 1750, offAt: 1800 });
    slice({ wakingAt: 2000, onAt: 2000, offAt: 2100 });
    frames(run(2010, A), end(A, 2050), end(B, 2060));
    const { reports } = find(2100);
    expect(reports[A]?.self).toMatchObject({ 'wakeup.scheduling': us(100), runqueue: 0 });
    expect(reports[B]?.self).toMatchObject({ 'wakeup.scheduling': us(30), runqueue: us(250) });
    expect(reports[B]?.shared).toBeUndefined();
  });

  it('that outlive their step are charged to the step around it', () => {
    const { attribution, frames, slice, find } = start();
    frames(step(P, 1000), step(A, 1000, { parent: P }));
    attribution.fork(fork(1050, TGID, 200));
    slice({ onAt: 1000, offAt: 2100 });
    frames(end(A, 2000), end(P, 4000));
    slice({ tgid: 200, tid: 200, begin: SliceBegin.preempted, readyAt: 1900, onAt: 2500, offAt: 2600 });
    slice({ onAt: 3900, offAt: 4000 });
    const { reports } = find(4000);
    expect(reports[A]?.self.runqueue).toBe(us(100));
    expect(reports[P]?.self.runqueue).toBe(us(500));
  });

  it('of no session are nobody’s', () => {
    const { attribution, slice, find } = start();
    attribution.fork(fork(1050, 999, 200));
    slice({ tgid: 200, tid: 200, onAt: 2000 });
    find(3000);
    expect(attribution.load()).toMatchObject({ slices: 0, processes: 1 });
  });
});

describe('the thread pool', () => {
  const pool = (id: number, of: string, at: number): ClientFrame => ({ type: 'pool', id, step: of, at });
  const poolEnd = (id: number, at: number): ClientFrame => ({ type: 'pool_end', id, at });
  const onPool = { tid: 107, blockNs: 300, wakingAt: 2000, onAt: 2010, offAt: 2050 };
  const threadRole = (_: number, tid: number) => (tid === 107 ? 'pool' : tid === 108 ? 'runtime' : 'other');

  it('works for the one step with a request outstanding', () => {
    const { frames, slice, find } = start({ threadRole });
    frames(step(A, 1000), step(B, 1000), run(1000, ''), pool(1, A, 1500), poolEnd(1, 2100), pool(2, B, 2101));
    slice({ ...onPool });
    slice({ onAt: 2900, offAt: 3000 });
    frames(end(A, 3000), end(B, 3000));
    const { reports } = find(3000);
    expect(reports[A]?.self.block).toBe(us(300));
    expect(reports[B]?.self.block).toBe(0);
    expect(reports[A]?.shared).toBeUndefined();
  });

  it('works for candidates where several are outstanding, and never for another', () => {
    const { frames, slice, find } = start({ threadRole });
    frames(step(P, 1000), step(A, 1000), step(B, 1000), run(1000, ''));
    frames(pool(1, A, 1500), pool(2, B, 1600), poolEnd(1, 2100), poolEnd(2, 2100));
    slice({ ...onPool });
    slice({ onAt: 2900, offAt: 3000 });
    frames(end(A, 3000), end(B, 3000), end(P, 3000));
    const { reports } = find(3000);
    expect(reports[A]).toMatchObject({ self: { block: us(300) }, shared: { candidates: 2 } });
    expect(reports[B]).toMatchObject({ self: { block: us(300) }, shared: { candidates: 2 } });
    expect(reports[P]).toMatchObject({ self: { block: 0 } });
  });

  it('leaves a request out that began while the thread slept', () => {
    const { frames, slice, find } = start({ threadRole });
    frames(step(A, 1000), step(B, 1000), run(1000, ''), pool(1, A, 1500), pool(2, B, 1900));
    slice({ ...onPool });
    slice({ onAt: 2900, offAt: 3000 });
    frames(end(A, 3000), end(B, 3000));
    const { reports } = find(3000);
    expect(reports[A]?.self.block).toBe(us(300));
    expect(reports[B]?.self.block).toBe(0);
  });

  it('is not what V8’s own threads are', () => {
    const { frames, slice, find } = start({ threadRole });
    frames(step(A, 1000), pool(1, A, 1500));
    slice({ ...onPool, tid: 108 });
    slice({ onAt: 2900, offAt: 3000 });
    frames(end(A, 3000));
    expect(find(3000).reports[A]?.self.block).toBe(0);
  });
});

describe('what a wakeup cost a wait', () => {
  const wait = (id: number, of: string, at: number): ClientFrame => ({
    type: 'wait',
    id,
    step: of,
    kind: 'llm',
    at,
  });
  const waitEnd = (id: number, at: number): ClientFrame => ({ type: 'wait_end', id, at });

  it('is that of the wakeup that ended it', () => {
    const { frames, slice, find } = start({ isCovered: (cpu) => cpu === 1 });
    frames(step(A, 1000), wait(1, A, 1100));
    slice({ onAt: 1000, offAt: 1200 });
    slice({ wakingAt: 2000, onAt: 2900, offAt: 3000 });
    slice({ wakingAt: 4000, onAt: 4050, offAt: 4200, cpu: 1 });
    frames(waitEnd(1, 4060));
    expect(find(4200).costs).toEqual([{ wait: 's1/1', ns: us(50), covered: true, cpu: 1 }]);
    expect(find(4300).costs).toEqual([]);
  });

  it('is none where the thread did not sleep', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), wait(1, A, 1100), waitEnd(1, 1150));
    slice({ onAt: 1000, offAt: 1200 });
    expect(find(1200).costs).toEqual([]);
    expect(find(1_000_000).costs).toEqual([]);
  });

  it('is a miss where a window was open and the CPU was not armed', () => {
    const { attribution, frames, slice, find } = start();
    frames(step(A, 1000), wait(1, A, 1100), wait(2, A, 1100));
    attribution.windowOpened('s1', 1, us(1500));
    attribution.windowOpened('s1', 2, us(1500));
    attribution.windowClosed('s1', 2, us(1600));
    slice({ wakingAt: 990, onAt: 1000, offAt: 1200 });
    slice({ wakingAt: 2000, onAt: 2900, offAt: 3000 });
    frames(waitEnd(1, 2950), waitEnd(2, 2951), end(A, 2960));
    const { reports, costs } = find(3000);
    expect(costs.map(({ covered }) => covered)).toEqual([false, false]);
    expect(reports[A]?.wakeups).toEqual({ total: 1, covered: 0, missed: 1 });
  });
});

describe('with counters alone', () => {
  const sum = (readyAt: number, onAt: number, offAt: number) => ({
    known: Known.runqueue,
    begin: SliceBegin.preempted,
    end: SliceEnd.open,
    ...{ readyAt, onAt, offAt, wakingAt: 0 },
  });

  it('reports what was measured between its beginning and its end, and names the source', () => {
    const { frames, slice, find } = start({}, Known.runqueue);
    slice(sum(850, 900, 1000));
    frames(step(A, 1000), end(A, 5000));
    slice(sum(4200, 4500, 5000));
    const report = find(5000).reports[A];
    expect(report).toMatchObject({
      complete: true,
      source: 'schedstat',
      self: { runqueue: us(300) },
      cpuNs: us(500),
    });
    expect(Object.keys(report?.self ?? {})).toEqual(['runqueue']);
    expect(report?.unknown).toContain('wakeup.scheduling');
    expect(report?.shared).toBeUndefined();
  });

  it('says that it may have been before the step where the counters were read before that', () => {
    const { frames, slice, find } = start({}, Known.runqueue);
    slice(sum(400, 450, 500));
    frames(step(A, 4900), end(A, 5000));
    slice(sum(4200, 4500, 5000));
    const report = find(5000).reports[A];
    expect(report).toMatchObject({
      self: { runqueue: us(100) },
      shared: { ns: us(100), candidates: 2 },
      cpuNs: us(100),
    });
  });
});

describe('worker threads', () => {
  it('have sessions of their own in the same process', () => {
    const { attribution, frames, slice, find } = start();
    attribution.sessionStarted({ id: 's2', tgid: TGID, thread: () => 105 }, us(500));
    frames(step(A, 1000));
    attribution.frame('s2', step(B, 1000, { thread: 105 }));
    slice({ tid: 105, wakingAt: 2000, onAt: 2200, offAt: 3100 });
    slice({ wakingAt: 2000, onAt: 2010, offAt: 3100 });
    frames(end(A, 3000));
    attribution.frame('s2', end(B, 3000));
    const { reports } = find(3100);
    expect(reports[A]?.self['wakeup.scheduling']).toBe(us(10));
    expect(reports[B]?.self['wakeup.scheduling']).toBe(us(200));
    attribution.sessionEnded('s1');
    expect(attribution.load()).toMatchObject({ sessions: 1, processes: 1 });
    attribution.sessionEnded('s2');
    expect(attribution.load()).toMatchObject({ sessions: 0, processes: 0 });
  });
});

describe('memory', () => {
  it('holds the slices of a long step no longer than frames may be late, and loses nothing', () => {
    const { attribution, frames, slice, find } = start({ settleLagNs: { idle: us(500), busy: us(1000) } });
    frames(step(A, 1));
    for (let i = 1; i <= 1000; i++) {
      slice({ wakingAt: i * 100, onAt: i * 100 + 1, offAt: i * 100 + 50 });
      find(i * 100 + 50);
      expect(attribution.load().slices).toBeLessThanOrEqual(11);
    }
    frames(end(A, 100_050));
    const report = find(100_050).reports[A];
    expect(report).toMatchObject({ complete: true, wakeups: { total: 1000 }, cpuNs: us(49_000) });
    expect(report?.self['wakeup.scheduling']).toBe(us(1000));
  });

  it('charges early rather than drops when a burst fills it', () => {
    const limits = { steps: 4, waits: 4, slices: 64, marks: 16, threads: 4, processes: 4, poolRequests: 4 };
    const { attribution, frames, slice, find } = start({ limits });
    frames(step(A, 1));
    for (let i = 1; i <= 1000; i++) slice({ wakingAt: i * 100, onAt: i * 100 + 1, offAt: i * 100 + 50 });
    frames(end(A, 100_050));
    expect(attribution.load()).toMatchObject({ dropped: 0 });
    expect(attribution.load().slices).toBeLessThanOrEqual(64);
    expect(find(100_050).reports[A]).toMatchObject({ complete: true, wakeups: { total: 1000 } });
  });

  it('stays bounded by limits whatever a client and its children do, and says so', () => {
    const limits = { steps: 4, waits: 4, slices: 64, marks: 16, threads: 4, processes: 4, poolRequests: 4 };
    const { attribution, frames, slice, find } = start({ limits });
    for (let i = 1; i <= 100; i++) {
      frames(step(i.toString(16).padStart(16, '0'), i), run(i, A));
      frames({ type: 'wait', id: i, step: '0000000000000001', kind: 'x', at: i });
      frames({ type: 'pool', id: i, step: '0000000000000001', at: i });
      attribution.fork({
        at: us(i),
        parentTgid: TGID,
        parentTid: TGID,
        childTgid: 200 + i,
        childTid: 200 + i,
      });
      slice({ tgid: 200 + i, tid: 200 + i, onAt: i + 1, offAt: i + 2 });
    }
    const load = attribution.load();
    expect(load.steps).toBe(4);
    expect(load.slices).toBeLessThanOrEqual(4);
    expect(load.processes).toBeLessThanOrEqual(5);
    expect(load.dropped).toBeGreaterThan(0);
    frames(end('0000000000000001', 1000));
    expect(find(1_000_000).reports['0000000000000001']).toMatchObject({
      complete: false,
      incomplete: 'lost',
    });
  });

  it('is let go when the session ends', () => {
    const { attribution, frames, slice } = start();
    frames(step(A, 1));
    slice({ onAt: 100 });
    attribution.sessionEnded('s1');
    expect(attribution.load()).toEqual({ sessions: 0, steps: 0, slices: 0, processes: 0, dropped: 0 });
  });
});
