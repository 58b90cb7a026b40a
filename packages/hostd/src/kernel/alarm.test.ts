import { monotonicMicros } from '@prewake/sdk/protocol';
import { afterEach, expect, it } from 'vitest';
import { Alarm } from './alarm.ts';

let alarm: Alarm | undefined;
afterEach(() => {
  alarm?.close();
  alarm = undefined;
});

/** Sets an alarm, and resolves with the time at which it fired. */
const firedAt = (due: number) =>
  new Promise<number>((resolve) => {
    alarm = new Alarm(() => resolve(monotonicMicros()));
    alarm.set(due);
  });

it('fires, and not before its time', async () => {
  const due = monotonicMicros() + 12_345;
  expect(await firedAt(due)).toBeGreaterThanOrEqual(due);
});

it('fires for a time that is over', async () => {
  expect(await firedAt(monotonicMicros() - 1e6)).toBeGreaterThan(0);
});

it('is set anew while it is pending, and fires for the last time that was set', async () => {
  const soon = monotonicMicros() + 20_000;
  let fired = 0;
  await new Promise<void>((resolve) => {
    alarm = new Alarm(() => {
      fired++;
      resolve();
    });
    alarm.set(monotonicMicros() + 1e9);
    alarm.set(soon);
  });
  expect(monotonicMicros()).toBeGreaterThanOrEqual(soon);
  expect(fired).toBe(1);
});

it('does not fire once it is cleared', async () => {
  let fired = 0;
  alarm = new Alarm(() => fired++);
  alarm.set(monotonicMicros() + 20_000);
  alarm.clear();
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(fired).toBe(0);
});

it('leaves no listener behind', () => {
  const before = process.listenerCount('SIGALRM');
  const closed = new Alarm(() => {});
  expect(process.listenerCount('SIGALRM')).toBe(before + 1);
  closed.close();
  expect(process.listenerCount('SIGALRM')).toBe(before);
});
