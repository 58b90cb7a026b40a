import { describe, expect, it } from 'vitest';
import { Container, EventKind, SliceBegin, SliceEnd, WakeCause } from '../../kernel/slice.ts';
import { paid } from '../categories.ts';
import { Intervals } from '../intervals.ts';
import { CATEGORY_INDEX } from '../known.ts';
import { makeSlice } from '../make-slice.testkit.ts';
import type { StoredSlice } from '../stored-slice.ts';
import { ThreadLog } from '../thread-log.ts';
import { SlowpathStats, type StatsStep } from './slowpath-stats.ts';

const owner = { user: 1000, session: 's1', cgroup: '/a' };
const intervals = new Intervals();

function told(stats: SlowpathStats, slice: StoredSlice, of = owner, step?: StatsStep): void {
  paid(slice, slice.before, intervals);
  stats.slice(slice, intervals, of, step);
}

const step = { id: 'aaaaaaaaaaaaaaaa', kind: 'tool', key: 'Grep' };

describe('SlowpathStats', () => {
  it('answers from slices: wakeup to run, epoll wait, idle state, timer, block inside a fault, ramp', () => {
    const stats = new SlowpathStats();
    const log = new ThreadLog(100, 100);
    const add = (fields: Parameters<typeof makeSlice>[0]) => told(stats, log.add(makeSlice(fields), 0));
    add({ onAt: 1000, offAt: 2000, end: SliceEnd.sleep });
    add({
      ...{ wakingAt: 12_000, eventAt: 11_500, cause: WakeCause.timer, timerLateNs: 400 },
      ...{ idleState: 2, idleExitAt: 12_040, onAt: 12_050, offAt: 13_000 },
      ...{ end: SliceEnd.uninterruptible, offInside: Container.fault, majorFaults: 1, khz: 1, targetKhz: 3 },
    });
    add({
      wakingAt: 20_000,
      blockNs: 7_000,
      onAt: 20_000,
      offAt: 21_000,
      end: SliceEnd.preempted,
      khz: 2,
      targetKhz: 3,
    });
    add({ begin: SliceBegin.preempted, readyAt: 21_000, onAt: 22_000, offAt: 23_000, khz: 3, targetKhz: 3 });
    const rows = Object.fromEntries(stats.query({}).map((row) => [row.category, row]));
    expect(rows['wakeup.to_run']).toMatchObject({ count: 3, sum: 50, max: 50 });
    expect(rows['wakeup.wait']).toMatchObject({ count: 1, sum: 10_000 });
    expect(rows['wakeup.idle_state']).toMatchObject({ unit: 'count', max: 2, buckets: [[2, 1]] });
    expect(rows['wakeup.idle_exit']).toMatchObject({ count: 1, sum: 40 });
    expect(rows.timer).toMatchObject({ sum: 400 });
    expect(rows['timer.to_waking']).toMatchObject({ sum: 500 });
    expect(rows.block).toMatchObject({ sum: 7_000 });
    expect(rows['page_fault.block']).toMatchObject({ sum: 7_000 });
    expect(rows['page_fault.major']).toMatchObject({ count: 1, unit: 'count' });
    expect(rows['frequency.ramp']).toMatchObject({ sum: 2_000 });
    expect(rows.runqueue).toMatchObject({ sum: 1_000 });
  });

  it('splits by step, key, cpu, session and cgroup, and filters by category', () => {
    const stats = new SlowpathStats();
    const log = new ThreadLog(100, 100);
    for (const cpu of [0, 1, 1]) told(stats, log.add(makeSlice({ wakingAt: 10, onAt: 30, cpu }), 0));
    stats.paid(step, owner, CATEGORY_INDEX['wakeup.scheduling'], 20);
    stats.event({ kind: EventKind.open, cpu: 1, tgid: 100, tid: 100, at: 5, durationNs: 900 }, owner, [step]);
    const of = (by: string) =>
      stats.query({ category: 'wakeup.scheduling', by }).map((row) => [row.of, row.count, row.sum]);
    expect(of('cpu')).toEqual([
      ['1', 2, 40],
      ['0', 1, 20],
    ]);
    expect(of('session')).toEqual([['s1', 3, 60]]);
    expect(of('cgroup')).toEqual([['/a', 3, 60]]);
    expect(of('host')).toEqual([[undefined, 3, 60]]);
    expect(of('key')).toEqual([['tool:Grep', 1, 20]]);
    expect(of('step')).toEqual([[step.id, 1, 20]]);
    expect(stats.query({ category: 'wakeup' }).map(({ category }) => category)).toEqual([
      'wakeup.scheduling',
      'wakeup.to_run',
    ]);
    expect(stats.query({ category: 'vfs.open' })).toMatchObject([{ count: 1, sum: 900 }]);
    expect(stats.query({ category: 'vfs', by: 'key' })).toMatchObject([{ of: 'tool:Grep', sum: 900 }]);
  });

  it('counts a slice that is all one step’s for that step, too, and once for each other split', () => {
    const stats = new SlowpathStats();
    const log = new ThreadLog(100, 100);
    const other = { ...step, id: 'bbbbbbbbbbbbbbbb' };
    for (const who of [step, other, step, undefined])
      told(stats, log.add(makeSlice({ wakingAt: 10, onAt: 30 }), 0), owner, who);
    const of = (by: string) =>
      stats.query({ category: 'wakeup.to_run', by }).map((row) => [row.of, row.count]);
    expect(of('step')).toEqual([
      [step.id, 2],
      [other.id, 1],
    ]);
    expect(of('key')).toEqual([['tool:Grep', 3]]);
    for (const by of ['host', 'session', 'cgroup', 'cpu'])
      expect(of(by).map(([, count]) => count)).toEqual([4]);
  });

  it('shows a user what is theirs', () => {
    const stats = new SlowpathStats();
    const log = new ThreadLog(100, 100);
    told(stats, log.add(makeSlice({ wakingAt: 10, onAt: 30 }), 0));
    told(stats, log.add(makeSlice({ wakingAt: 10, onAt: 50 }), 0), { ...owner, user: 2000, session: 's2' });
    expect(stats.query({ category: 'wakeup.to_run', user: 2000 })).toMatchObject([{ count: 1, sum: 40 }]);
    expect(stats.query({ category: 'wakeup.to_run', by: 'session', user: 1 })).toEqual([]);
    expect(stats.query({ category: 'wakeup.to_run' })).toMatchObject([{ count: 2, sum: 60 }]);
  });

  it('refuses what is no category and no split', () => {
    const stats = new SlowpathStats();
    expect(() => stats.query({ category: 'wake' })).toThrow(
      expect.objectContaining({ code: 'PREWAKE_BAD_QUERY' }),
    );
    expect(() => stats.query({ by: 'pid' })).toThrow(expect.objectContaining({ code: 'PREWAKE_BAD_QUERY' }));
  });

  it('keeps the groups that had news last', () => {
    const stats = new SlowpathStats();
    for (let i = 0; i < 5000; i++) {
      stats.paid({ ...step, key: `k${i}` }, owner, CATEGORY_INDEX.block, 1);
      stats.paid({ ...step, key: 'mine' }, owner, CATEGORY_INDEX.block, 1);
    }
    const keys = stats.query({ by: 'key' });
    expect(keys.length).toBe(1024);
    expect(keys[0]).toMatchObject({ of: 'tool:mine', count: 5000 });
  });
});
