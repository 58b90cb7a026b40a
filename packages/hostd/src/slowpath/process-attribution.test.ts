import { describe, expect, it } from 'vitest';
import { A, B, end, run, start, step, TGID, us } from './attribution.testkit.ts';

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

describe('marks of a turn in which the thread has slept', () => {
  const TURN = 1_000_000;
  /** @param late how long after the turn began they are read */
  const told = (late: number) => {
    const { frames, slice, find } = start();
    const at = TURN + late;
    frames(step(A, 900), step(B, 900), run(900, B));
    // A synchronous read, and a long one after it.
    slice({ wakingAt: TURN, onAt: TURN + 10, offAt: TURN + 3000, minorFaults: 1 });
    slice({ wakingAt: TURN + 4000, onAt: TURN + 4010, offAt: TURN + 150_000 });
    for (let now = TURN + 5000; now < at; now += 25_000) find(now);
    frames(run(TURN + 5, A), end(A, at), end(B, at));
    slice({ wakingAt: at - 20, onAt: at - 10, offAt: at + 100 });
    return find(at + 100).reports;
  };

  it('are heeded as long as slices are kept', () => {
    const { [A]: a, [B]: b } = told(200_000);
    expect(a).toMatchObject({ complete: true, counts: { 'page_fault.minor': 1 } });
    expect(b).toMatchObject({ complete: true });
    expect(b?.counts?.['page_fault.minor'] ?? 0).toBe(0);
  });

  it('are missed once they have been charged, and the steps say so', () => {
    const { [A]: a, [B]: b } = told(600_000);
    expect(a).toMatchObject({ complete: false, incomplete: 'lost' });
    expect(b).toMatchObject({ complete: false, incomplete: 'lost' });
  });
});
