import { expect, test } from 'vitest';
import { allowedCpus } from './affinity.ts';
import { libc } from './libc.ts';
import { OwnPlacement } from './own-placement.ts';

const allowed = allowedCpus(0);

test.skipIf(allowed.length < 2)(
  `leaves the CPU that it runs on, and may run everywhere after${allowed.length < 2 ? ' [one CPU]' : ''}`,
  () => {
    const placement = new OwnPlacement();
    let left = false;
    let here = -1;
    // It may be moved between the two looks.
    for (let now = 0; !left && now < 100e6; now += 1e6) {
      here = libc().sched_getcpu();
      left = placement.leave([here], now);
    }
    expect(left).toBe(true);
    expect(allowedCpus(0)).toEqual(allowed);
    expect(placement.leave(allowed, 1e12)).toBe(false);
    expect(allowedCpus(0)).toEqual(allowed);
  },
);

test('does nothing for CPUs that it does not run on', () => {
  expect(new OwnPlacement().leave([4000], 0)).toBe(false);
});

test.skipIf(allowed.length < 2)(
  `moves no more often than it must${allowed.length < 2 ? ' [one CPU]' : ''}`,
  () => {
    const placement = new OwnPlacement();
    let now = 0;
    while (!placement.leave([libc().sched_getcpu()], now)) now += 1e6;
    for (let i = 0; i < 100; i++) expect(placement.leave([libc().sched_getcpu()], now + i)).toBe(false);
  },
);
