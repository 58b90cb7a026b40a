import { describe, expect, it } from 'vitest';
import { makeSlice } from './make-slice.testkit.ts';
import { ThreadTable } from './thread-table.ts';

const table = ({ threads = 8, slices = 8 } = {}) => new ThreadTable({ threads, slices }, () => 'other');

describe('the threads of a process', () => {
  it('hand on each slice once, in order, and no later than it is asked for', () => {
    const threads = table();
    for (const onAt of [1000, 3000, 5000]) threads.add(makeSlice({ onAt }), 0);
    const settled: number[] = [];
    const settle = (until: number) =>
      threads.settle(
        until,
        ({ slices }, count) => settled.push(...slices.slice(0, count).map(({ onAt }) => onAt)),
        () => expect.unreachable('it lives'),
      );
    settle(4000);
    expect(settled).toEqual([1000, 3000]);
    expect(threads.kept).toBe(1);
    expect(threads.oldest().map(({ onAt }) => onAt)).toEqual([5000]);
    settle(Infinity);
    expect(settled).toEqual([1000, 3000, 5000]);
    expect(threads.oldest()).toEqual([]);
  });

  it('take no slice beyond the limit, and none of a thread too many', () => {
    const few = table({ slices: 2 });
    expect([1000, 3000, 5000].map((onAt) => few.add(makeSlice({ onAt }), 0))).toEqual([true, true, false]);
    expect(few).toMatchObject({ kept: 2, full: true });
    const one = table({ threads: 1 });
    expect([100, 101].map((tid) => one.add(makeSlice({ tid }), 0))).toEqual([true, false]);
  });

  it('are forgotten when they are gone, with their last slice, which comes after the news', () => {
    const threads = table();
    threads.add(makeSlice({ onAt: 1000 }), 0);
    threads.exit(100, 100);
    const gone: number[] = [];
    const settle = (until: number) =>
      threads.settle(
        until,
        () => {},
        ({ tid }) => gone.push(tid),
      );
    settle(1500);
    expect(gone).toEqual([]);
    settle(2000);
    expect(gone).toEqual([100]);
    expect(threads.get(100)).toBeUndefined();
  });

  it('lose what was kept of a thread whose tid another process has by now', () => {
    const threads = table();
    threads.add(makeSlice({ tgid: 100, tid: 107 }), 0);
    threads.add(makeSlice({ tgid: 200, tid: 107, onAt: 5000 }), 0);
    expect(threads.get(107)?.tgid).toBe(200);
    expect(threads.kept).toBe(1);
  });
});
