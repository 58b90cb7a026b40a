import { expect, test } from 'vitest';
import { LateWrites, SETTLE_US } from './late-writes.ts';

/** The kernel's side: a write changes the request, and a worker brings the request into force. */
function control() {
  let now = 0;
  let request = '1200000';
  let inForce = request;
  const late = new LateWrites(() => now);
  return {
    write(value: string) {
      request = value;
      late.wrote(0, value, inForce);
    },
    work: () => {
      inForce = request;
    },
    foreign(value: string) {
      request = value;
      inForce = value;
    },
    read: () => late.settled(0, inForce),
    wait: (us: number) => {
      now += us;
    },
    get pending() {
      return late.pending(0);
    },
  };
}

test('what was there before reads as what was written, until that is in force', () => {
  const one = control();
  one.write('1800000');
  expect([one.read(), one.pending]).toEqual(['1800000', true]);
  one.work();
  expect([one.read(), one.pending]).toEqual(['1800000', false]);
  one.foreign('1200000');
  expect([one.read(), one.pending]).toEqual(['1200000', false]);
});

test('whenever the worker runs, a row of writes reads as the last of them', () => {
  const values = ['1800000', '1200000', '2400000', '1200000', '1800000'];
  for (let runs = 0; runs < 2 ** values.length; runs++) {
    const one = control();
    values.forEach((value, i) => {
      one.write(value);
      if (runs & (1 << i)) one.work();
      expect(one.read(), `worker ran after ${runs.toString(2)}`).toBe(value);
    });
    one.work();
    expect([one.read(), one.pending]).toEqual([values.at(-1), false]);
  }
});

test('another value is somebody else’s at once, the one from before only after a time', () => {
  const one = control();
  one.write('1800000');
  one.foreign('2400000');
  expect([one.read(), one.pending]).toEqual(['2400000', false]);
  one.foreign('1200000');
  one.write('1800000');
  one.wait(SETTLE_US);
  expect([one.read(), one.pending]).toEqual(['1200000', false]);
});
