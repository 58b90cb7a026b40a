import type { ClientFrame, ReportFrame } from '@prewake/sdk/protocol';
import { describe, expect, it } from 'vitest';
import { EventKind, Known, type Slice, SliceBegin, SliceEnd, WakeCause } from '../kernel/slice.ts';
import { A, B, end, P, run, start, step, TGID, us } from './attribution.testkit.ts';
import { ALL_KNOWN } from './make-slice.testkit.ts';
import { SlowpathStats } from './stats/slowpath-stats.ts';

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

describe('a single request', () => {
  it('is the step’s whose code made it, and is known to statistics once that is told', () => {
    const stats = new SlowpathStats();
    const { attribution, frames, slice, find } = start({ stats });
    frames(step(A, 1000, { key: 'a' }), step(B, 1000, { key: 'b' }));
    attribution.event({
      kind: EventKind.block,
      cpu: 0,
      tgid: TGID,
      tid: TGID,
      at: us(1190),
      durationNs: us(100),
    });
    slice({ onAt: 1000, offAt: 1200 });
    frames(run(1000, A, 1050, B, 1195, ''), end(A, 1200), end(B, 1200));
    find(1200);
    attribution.sessionEnded('s1');
    expect(stats.query({ category: 'block', by: 'key' })).toMatchObject([{ of: 'tool:b', sum: us(100) }]);
  });
});

describe('an io_uring request', () => {
  it('is of the step whose id it carries, and other numbers invent none', () => {
    const stats = new SlowpathStats();
    const { attribution, frames, slice } = start({ stats });
    const [a, b] = ['0000002a00000001', '0000002b00000001'];
    frames(step(a, 1000), step(b, 1000));
    const ring = {
      kind: EventKind.ioUring,
      cpu: 0,
      tgid: TGID,
      tid: TGID,
      at: us(1190),
      durationNs: us(100),
    };
    for (const stepId of [0x2b, 22]) attribution.event({ ...ring, stepId });
    slice({ onAt: 1000, offAt: 1200 });
    frames(run(1000, a, 1195, ''), end(a, 1200), end(b, 1200));
    attribution.sessionEnded('s1');
    const of = stats.query({ category: 'io_uring.each', by: 'step' }).map((row) => [row.of, row.count]);
    expect(of.sort()).toEqual([
      [a, 1],
      [b, 1],
    ]);
  });
});

describe('a single request of a child', () => {
  it('is known to statistics by its step, also once the child is gone', () => {
    const stats = new SlowpathStats();
    const { attribution, frames, slice } = start({ stats });
    frames(step(A, 1000, { key: 'a' }));
    attribution.fork({ at: us(1050), parentTgid: TGID, parentTid: TGID, childTgid: 200, childTid: 200 });
    slice({ onAt: 1000, offAt: 1200 });
    attribution.event({
      kind: EventKind.block,
      cpu: 0,
      tgid: 200,
      tid: 200,
      at: us(1300),
      durationNs: us(100),
    });
    attribution.exit({ at: us(1400), tgid: 200, tid: 200 });
    slice({ tgid: 200, tid: 200, onAt: 1100, offAt: 1400, end: SliceEnd.exit });
    slice({ onAt: 1900, offAt: 2000 });
    frames(end(A, 2000));
    attribution.sessionEnded('s1');
    expect(stats.query({ category: 'block.each', by: 'key' })).toMatchObject([{ of: 'tool:a', count: 1 }]);
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

  it('are missing where the recorder did not see one come onto the CPU for the first time', () => {
    const { attribution, frames, slice, find } = start();
    frames(step(A, 1000), step(B, 1000), run(1000, A, 1100, B, 1200, ''));
    attribution.fork(fork(1050, TGID, 200));
    attribution.fork(fork(1150, TGID, 300));
    slice({ onAt: 1000, offAt: 1200 });
    const unseen = { begin: SliceBegin.unknown, known: ALL_KNOWN & ~Known.wakeup, end: SliceEnd.exit };
    slice({ ...unseen, tgid: 200, tid: 200, onAt: 1060, offAt: 1400 });
    slice({
      tgid: 300,
      tid: 300,
      begin: SliceBegin.new,
      readyAt: 1160,
      onAt: 1170,
      offAt: 1400,
      wakingAt: 0,
    });
    slice({ wakingAt: 2000, onAt: 2000, offAt: 2100 });
    frames(run(2010, A), end(A, 2050), end(B, 2060));
    const { reports } = find(2100);
    expect(reports[A]).toMatchObject({ complete: false, incomplete: 'lost' });
    expect(reports[B]?.complete).toBe(true);
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
  const pool = (id: number, of: string | undefined, at: number): ClientFrame => ({
    type: 'pool',
    id,
    at,
    ...(of !== undefined && { step: of }),
  });
  const poolEnd = (id: number, at: number): ClientFrame => ({ type: 'pool_end', id, at });
  const onPool = { tid: 107, causeId: TGID, blockNs: 300, wakingAt: 2000, onAt: 2010, offAt: 2050 };
  const threadRole = (_: number, tid: number) => (tid === 107 ? 'pool' : tid === 108 ? 'runtime' : 'other');
  /** A step whose session tells of the pool. */
  const telling = (id: string, at: number, more: Partial<ClientFrame> = {}) =>
    step(id, at, { pool: true, ...more });
  const WORKER = 105;

  /** Work of 40 µs after a block wait of 300 µs; what is on the steps in the end. */
  function afterWork(prepare: (t: ReturnType<typeof start>) => void, work: Partial<Slice> = {}) {
    const t = start({ threadRole });
    t.attribution.sessionStarted({ id: 's2', tgid: TGID, thread: () => WORKER }, us(500));
    // What wakes threads of the pool is known by its own slices.
    t.slice({ onAt: 900, offAt: 910 });
    t.slice({ tid: WORKER, onAt: 900, offAt: 910 });
    prepare(t);
    t.slice({ ...onPool, ...work });
    t.frames(end(A, 3000), end(B, 3000), end(P, 3000));
    t.attribution.frame('s2', end(A, 3000));
    t.slice({ onAt: 3010, offAt: 3020 });
    t.slice({ tid: WORKER, onAt: 3010, offAt: 3020 });
    return t.find(3020).reports;
  }
  const alone = (block: number) => ({ complete: true, block: us(block), candidates: undefined });
  const shared = (block: number, candidates: number) => ({ complete: true, block: us(block), candidates });
  const told = (reports: Record<string, ReportFrame>, id: string) => {
    const { complete, self, shared } = reports[id] as ReportFrame;
    return { complete, block: self.block, candidates: shared?.candidates };
  };

  it('works for the one step with a request outstanding', () => {
    const reports = afterWork(({ frames }) => {
      frames(telling(A, 1000), telling(B, 1000), run(1000, ''));
      frames(pool(1, A, 1500), poolEnd(1, 2100), pool(2, B, 2101));
    });
    expect(told(reports, A)).toEqual(alone(300));
    expect(told(reports, B)).toEqual(alone(0));
  });

  it('works for candidates where several are outstanding, and never for another', () => {
    const reports = afterWork(({ frames }) => {
      frames(telling(P, 1000), telling(A, 1000), telling(B, 1000), run(1000, ''));
      frames(pool(1, A, 1500), pool(2, B, 1600), poolEnd(1, 2100), poolEnd(2, 2100));
    });
    expect(told(reports, A)).toEqual(shared(300, 2));
    expect(told(reports, B)).toEqual(shared(300, 2));
    expect(told(reports, P)).toEqual(alone(0));
  });

  it('leaves a request out that began while the thread slept', () => {
    const reports = afterWork(({ frames }) => {
      frames(telling(A, 1000), telling(B, 1000), run(1000, ''), pool(1, A, 1500), pool(2, B, 1900));
    });
    expect(reports[A]?.self.block).toBe(us(300));
    expect(reports[B]?.self.block).toBe(0);
  });

  it('works for the only step that is open, without a word', () => {
    const reports = afterWork(({ frames }) => frames(telling(A, 1000)));
    expect(told(reports, A)).toEqual(alone(300));
  });

  it('works for nobody where all that is outstanding was made outside of any step, or by one that has ended', () => {
    const outside = afterWork(({ frames }) => frames(telling(A, 1000), pool(1, undefined, 1500)));
    expect(told(outside, A)).toEqual(alone(0));
    const left = afterWork(({ frames }) =>
      frames(telling(B, 1000), pool(1, B, 1100), end(B, 1200), telling(A, 1300)),
    );
    expect(told(left, A)).toEqual(alone(0));
  });

  it('may work for nobody where such a request is among others', () => {
    const reports = afterWork(({ frames }) =>
      frames(telling(A, 1000), pool(1, undefined, 1500), pool(2, A, 1600)),
    );
    expect(told(reports, A)).toEqual(shared(300, 1));
  });

  it('may work for nobody where the client does not tell of requests', () => {
    const reports = afterWork(({ frames }) => frames(step(A, 1000)));
    expect(told(reports, A)).toEqual(shared(300, 1));
  });

  it('may work for nobody where it was woken before requests were told of, or by a thread that tells of none', () => {
    const before = afterWork(({ frames }) => frames(telling(A, 2005)), { blockNs: 0 });
    expect(before[A]).toMatchObject({ cpuNs: us(40), counts: { 'slice.shared': 1 } });
    const elsewhere = afterWork(({ frames }) => frames(telling(A, 1000)), { causeId: WORKER });
    expect(told(elsewhere, A)).toEqual(shared(300, 1));
    const since = afterWork(({ slice, frames }) => {
      slice({ tid: 107, causeId: TGID, wakingAt: 920, onAt: 930, offAt: 960, end: SliceEnd.uninterruptible });
      frames(telling(A, 1000));
    });
    expect(told(since, A)).toEqual(shared(300, 1));
  });

  it('goes on with its work where something else wakes it than who can give it some', () => {
    const reports = afterWork(
      ({ slice, frames }) => {
        slice({ tid: 107, causeId: TGID, wakingAt: 920, onAt: 930, offAt: 960 });
        frames(telling(A, 1000));
      },
      { cause: WakeCause.softirq, causeId: 3 },
    );
    expect(told(reports, A)).toEqual(shared(300, 1));
  });

  it('may work for whoever’s code woke it, beside those with a request: not all can be told of', () => {
    const reports = afterWork(({ frames }) => {
      frames(telling(P, 1000), telling(A, 1000), telling(B, 1000), pool(1, A, 1500));
      frames(run(1000, '', 1990, B, 2005, ''));
    });
    expect(told(reports, A)).toEqual(shared(300, 2));
    expect(told(reports, B)).toEqual(shared(300, 2));
    expect(told(reports, P)).toEqual(alone(0));
  });

  it('may work for anybody, or nobody, where steps overlap and nothing tells', () => {
    const reports = afterWork(({ frames }) => frames(telling(A, 1000), telling(B, 1000), run(1000, '')));
    expect(told(reports, A)).toEqual(shared(300, 2));
    expect(told(reports, B)).toEqual(shared(300, 2));
  });

  it('ends its work for a request a little after that has been told', () => {
    const reports = afterWork(
      ({ frames }) => {
        frames(telling(A, 1000), telling(B, 1000), run(1000, '', 1990, A, 2005, ''));
        frames(pool(1, A, 1990), poolEnd(1, 2030));
      },
      { blockNs: 0 },
    );
    expect(reports[A]).toMatchObject({ cpuNs: us(40), wakeups: { total: 1 } });
    expect(reports[A]?.shared).toBeUndefined();
    expect(reports[B]?.cpuNs).toBe(0);
  });

  it('works no longer for a request that has ended while another is outstanding', () => {
    const reports = afterWork(
      ({ frames }) => {
        frames(telling(A, 1000), telling(B, 1000), run(1000, ''));
        frames(pool(1, A, 1500), poolEnd(1, 2030), pool(2, B, 1500));
      },
      { blockNs: 0 },
    );
    expect(reports[A]?.cpuNs).toBe(us(20));
    expect(reports[B]?.cpuNs).toBe(us(40));
  });

  it('may work for the only step of another thread, which need not tell of its requests', () => {
    const reports = afterWork(({ attribution, frames }) => {
      attribution.frame('s2', telling(A, 1000, { thread: WORKER }));
      frames(telling(B, 1000), telling(P, 1000), run(1000, ''), pool(1, B, 1500));
    });
    expect(told(reports, A)).toEqual(shared(300, 2));
    expect(told(reports, B)).toEqual(shared(300, 2));
    expect(told(reports, P)).toEqual(alone(0));
  });

  it('works no longer for requests of a session that is gone', () => {
    const reports = afterWork(({ attribution, frames }) => {
      attribution.frame('s2', telling(B, 1000, { thread: WORKER }));
      attribution.frame('s2', pool(1, B, 1100));
      attribution.findings(us(1200), { report: () => {}, wakeupCost: () => {} });
      attribution.drained(us(1200), 0);
      attribution.sessionEnded('s2');
      frames(telling(A, 1300));
    });
    expect(told(reports, A)).toEqual(alone(300));
  });

  it('works for a step of another thread no longer than that step lasts', () => {
    const { attribution, frames, slice, find } = start({ threadRole });
    attribution.sessionStarted({ id: 's2', tgid: TGID, thread: () => WORKER }, us(500));
    attribution.frame('s2', telling(A, 1000, { thread: WORKER }));
    attribution.frame('s2', end(A, 2020));
    frames(telling(B, 2030), end(B, 3000));
    slice({ ...onPool });
    slice({ tid: WORKER, onAt: 1010, offAt: 3000 });
    slice({ onAt: 2900, offAt: 3000 });
    const { reports } = find(3000);
    expect(reports[A]).toMatchObject({ cpuNs: us(10 + 1010), wakeups: { total: 2 } });
    expect(reports[B]).toMatchObject({ cpuNs: us(20 + 100) });
  });

  it('is not what V8’s own threads are', () => {
    const { frames, slice, find } = start({ threadRole });
    frames(telling(A, 1000), pool(1, A, 1500));
    slice({ ...onPool, tid: 108 });
    slice({ onAt: 2900, offAt: 3000 });
    frames(end(A, 3000));
    expect(find(3000).reports[A]?.self.block).toBe(0);
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
