import { afterEach, expect, test } from 'vitest';
import { allowedCpus, setAllowedCpus } from './affinity.ts';
import { libc } from './libc.ts';
import { OwnPlacement } from './own-placement.ts';
import { ownThreads } from './threads.ts';
import { KernelWriter } from './writer.ts';

const all = allowedCpus(0);
const few = all.length < 2;
const why = few ? ' [one CPU]' : '';
const here = () => libc().sched_getcpu();

afterEach(() => setAllowedCpus(new KernelWriter(), 0, all));

/** Names CPUs until it was on one of them when it looked; what it avoids then. */
function avoidHere(placement: OwnPlacement, now = 0): number {
  for (;;) {
    const cpu = here();
    placement.avoid([cpu], now);
    if (!allowedCpus(0).includes(cpu)) return cpu;
  }
}

test.skipIf(few)(`leaves the CPU that it runs on, and stays away from it${why}`, () => {
  const left = avoidHere(new OwnPlacement([0]));
  expect(allowedCpus(0)).toEqual(all.filter((cpu) => cpu !== left));
  expect(here()).not.toBe(left);
});

test.skipIf(few)(`runs anywhere again once it is kept waiting, and leaves nothing for a while${why}`, () => {
  const placement = new OwnPlacement([0]);
  avoidHere(placement);
  placement.late(1999, 10);
  expect(allowedCpus(0)).not.toEqual(all);
  placement.late(2000, 20);
  expect(allowedCpus(0)).toEqual(all);
  for (let i = 0; i < 100; i++) placement.avoid([here()], 1_000_000);
  expect(allowedCpus(0)).toEqual(all);
  avoidHere(placement, 1_000_020);
});

test.skipIf(few)(`takes along the threads that it is given${why}`, () => {
  const tids = ownThreads();
  try {
    const left = avoidHere(new OwnPlacement(tids));
    expect(tids.length).toBeGreaterThan(1); // V8 has some.
    for (const tid of tids) expect(allowedCpus(tid)).toEqual(all.filter((cpu) => cpu !== left));
  } finally {
    for (const tid of tids) setAllowedCpus(new KernelWriter(), tid, all);
  }
});

test.skipIf(few)(`forgets a thread that has ended, and the others can go back${why}`, () => {
  const placement = new OwnPlacement([0, 2 ** 22 + 1]);
  avoidHere(placement);
  placement.late(2000, 20);
  expect(allowedCpus(0)).toEqual(all);
});

test.skipIf(few)(`runs anywhere while it takes much of a CPU${why}`, () => {
  const placement = new OwnPlacement([0]);
  avoidHere(placement);
  const before = process.cpuUsage();
  const used = () => {
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  while (used() <= 30_000);
  placement.avoid([here()], 100_000);
  expect(allowedCpus(0)).toEqual(all);
  placement.avoid([here()], 1_099_999);
  expect(allowedCpus(0)).toEqual(all);
  avoidHere(placement, 1_100_000);
});

test('has a look every 5 ms at most', () => {
  const placement = new OwnPlacement([0]);
  expect([0, 4999, 5000, 9999, 10_000].map((now) => placement.due(now))).toEqual([
    true,
    false,
    true,
    false,
    true,
  ]);
});

test('never avoids all CPUs, and the first that is named rather than the others', () => {
  const placement = new OwnPlacement([0]);
  const first = here();
  placement.avoid([first, ...all.filter((cpu) => cpu !== first)], 0);
  expect(allowedCpus(0)).toEqual(few ? all : all.filter((cpu) => cpu !== first));
});

test.skipIf(all.length !== 2)(
  `forgets a CPU that was not named for a second, and takes the latest where two would leave none${all.length === 2 ? '' : ' [needs two CPUs]'}`,
  () => {
    const placement = new OwnPlacement([0]);
    const first = avoidHere(placement);
    const [second] = all.filter((cpu) => cpu !== first) as [number];
    placement.avoid([second], 1000);
    expect(allowedCpus(0)).toEqual([first]);
    placement.avoid([first], 2_000_000);
    expect(allowedCpus(0)).toEqual([second]);
  },
);
