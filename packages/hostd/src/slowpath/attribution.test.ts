import { KERNEL_CATEGORIES } from '@prewake/sdk/protocol';
import { describe, expect, it } from 'vitest';
import { Known, SliceBegin, SliceEnd } from '../kernel/slice.ts';
import { A, B, end, run, start, step, TGID, us } from './attribution.testkit.ts';
import { ALL_KNOWN } from './make-slice.testkit.ts';

const ids = (n: number) => Array.from({ length: n }, (_, i) => (i + 1).toString(16).padStart(16, '0'));

describe('steps of which more than 32 are open', () => {
  const many = ids(40);
  const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

  it('have all that they paid where marks tell them apart, and a wakeup that served all', () => {
    const { frames, slice, find } = start();
    frames(...many.map((id) => step(id, 1000)));
    frames(run(1000, ''));
    slice({ onAt: 1000, offAt: 1001 });
    frames(run(2100, ...many.flatMap((id, i) => [id, 2100 + 10 * (i + 1)]), ''));
    slice({ wakingAt: 2000, onAt: 2100, offAt: 2500 });
    frames(...many.map((id) => end(id, 2500)));
    const { reports } = find(2500);
    for (const id of many)
      expect(reports[id]).toMatchObject({
        complete: true,
        self: { 'wakeup.scheduling': us(100) },
        shared: { ns: us(100), candidates: 40 },
        wakeups: { total: 1 },
        cpuNs: us(10),
      });
  });

  it('lack of a slice only the parts that nothing tells apart', () => {
    const { frames, slice, find } = start();
    frames(...many.map((id) => step(id, 2000)), end(many[0] as string, 2450));
    // Nothing is marked before, and all that follows is the first one's.
    frames(run(2200, many[0] as string));
    slice({ wakingAt: 2000, onAt: 2100, offAt: 2400, end: SliceEnd.preempted });
    slice({ begin: SliceBegin.preempted, readyAt: 2400, wakingAt: 0, onAt: 2420, offAt: 2500 });
    frames(...many.slice(1).map((id) => end(id, 2500)));
    const { reports } = find(2500);
    for (const id of many) expect(reports[id]).toMatchObject({ incomplete: 'too_many_candidates' });
    expect(reports[many[0] as string]).toMatchObject({ self: { runqueue: us(20) }, cpuNs: us(200 + 30) });
    expect(sum(many.slice(1).map((id) => reports[id]?.cpuNs as number))).toBe(0);
  });
});

describe('steps that nothing tells apart', () => {
  it('share what they may have paid, and beyond 32 lack it and say so', () => {
    for (const n of [32, 33]) {
      const { attribution, frames, slice, find } = start();
      frames(...ids(n).map((id) => step(id, 1000)));
      slice({ wakingAt: 2000, onAt: 2100, offAt: 2200 });
      frames(...ids(n).map((id) => end(id, 2200)));
      const { reports } = find(2300);
      const shared = n === 32;
      for (const id of ids(n))
        expect(reports[id]).toMatchObject({
          complete: shared,
          ...(shared ? { shared: { candidates: n } } : { incomplete: 'too_many_candidates' }),
          self: { 'wakeup.scheduling': shared ? us(100) : 0 },
        });
      attribution.sessionEnded('s1');
    }
  });

  it('are told apart by marks, however many they are', () => {
    const { frames, slice, find } = start();
    const all = ids(100);
    frames(...all.map((id) => step(id, 1000)), run(1500, all[7] as string));
    slice({ wakingAt: 2000, onAt: 2100, offAt: 2200 });
    frames(...all.map((id) => end(id, 2200)));
    const { reports } = find(2300);
    expect(reports[all[7] as string]).toMatchObject({
      complete: true,
      self: { 'wakeup.scheduling': us(100) },
    });
    expect(reports[all[8] as string]).toMatchObject({ complete: true, self: { 'wakeup.scheduling': 0 } });
  });
});

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

  it('says that nothing is known where its thread has no slice, whatever other threads did', () => {
    for (const before of [false, true]) {
      const { attribution, frames, slice, find } = start();
      if (before) slice({ onAt: 500, offAt: 900 });
      frames(step(A, 1000));
      attribution.fork({ at: us(1050), parentTgid: TGID, parentTid: TGID, childTgid: 200, childTid: 200 });
      if (before) slice({ tgid: 200, tid: 200, onAt: 1100, offAt: 1200 });
      frames(end(A, 2000));
      const report = find(2000 + 150_000).reports[A];
      expect(report).toMatchObject({
        complete: false,
        incomplete: 'open',
        self: {},
        unknown: KERNEL_CATEGORIES,
      });
      expect(report).not.toHaveProperty('cpuNs');
    }
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

  it('is missing where the recorder did not see a thread coming onto the CPU', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), end(A, 5000), step(B, 1000), end(B, 1400));
    slice({ wakingAt: 990, onAt: 990, offAt: 1500 });
    slice({ begin: SliceBegin.unknown, known: ALL_KNOWN & ~Known.wakeup, onAt: 1500, offAt: 5000 });
    const { reports } = find(5000);
    expect(reports[A]).toMatchObject({ complete: false, incomplete: 'lost' });
    expect(reports[B]?.complete).toBe(true);
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

describe('the collector', () => {
  it('takes its pauses out of what the frequency cost', () => {
    const { frames, slice, find } = start();
    frames(step(A, 1000), end(A, 2000), { type: 'gc', thread: TGID, pauses: [1200, 400] });
    slice({ onAt: 900, offAt: 2000, khz: 1, targetKhz: 2 });
    expect(find(2000).reports[A]?.self.frequency).toBe(us((1000 - 400) / 2));
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
      shared: { ns: us(100), candidates: 1 },
      cpuNs: us(100),
    });
  });
});
