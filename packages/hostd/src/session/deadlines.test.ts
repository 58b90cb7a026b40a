import { monotonicMicros } from '@prewake/sdk/protocol';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { Alarm } from '../kernel/alarm.ts';
import { Deadlines } from './deadlines.ts';

const now = monotonicMicros;
const alarms: Alarm[] = [];
afterEach(() => {
  for (const alarm of alarms.splice(0)) alarm.close();
});

describe.each([
  ['Node’s timer', undefined],
  [
    'the kernel’s',
    (fire: () => void) => {
      alarms.push(new Alarm(fire));
      return alarms.at(-1) as Alarm;
    },
  ],
])('Deadlines on %s', (_, timer) => {
  it('runs in order of due time, whatever the order of adding, and skips the cancelled', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ due: fc.integer({ min: 0, max: 5000 }), cancel: fc.boolean() }), {
          minLength: 1,
          maxLength: 300,
        }),
        async (wanted) => {
          const deadlines = new Deadlines(now, timer);
          const base = now();
          const ran: number[] = [];
          const live = wanted.filter(({ cancel }) => !cancel).map(({ due }) => due);
          await new Promise<void>((done) => {
            const added = wanted.map(({ due }) =>
              deadlines.at(base + due, () => {
                ran.push(due);
                if (ran.length === live.length) done();
              }),
            );
            wanted.forEach(({ cancel }, index) => {
              if (cancel) deadlines.cancel(added[index]);
            });
            if (live.length === 0) done();
          });
          expect(ran).toEqual(live.sort((a, b) => a - b));
          expect(deadlines.size).toBe(0);
          for (const alarm of alarms.splice(0)) alarm.close();
        },
      ),
      { numRuns: 20 },
    );
  });

  it('lets a running deadline add another that is due at once', async () => {
    const deadlines = new Deadlines(now, timer);
    await new Promise<void>((done) => {
      deadlines.at(now(), () => deadlines.at(now() - 1, done));
    });
    expect(deadlines.size).toBe(0);
  });

  it('never runs one early by more than its slack', async () => {
    const deadlines = new Deadlines(now, timer);
    const due = now() + 30_000;
    const ranAt = await new Promise<number>((done) => {
      deadlines.at(due, () => done(now()));
    });
    expect(ranAt).toBeGreaterThanOrEqual(due - 250);
  });

  it('holds no timer once everything is cancelled', () => {
    const deadlines = new Deadlines(now, timer);
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const pending = Array.from({ length: 200 }, (_, index) => deadlines.at(now() + 1e9 + index, () => {}));
    for (const deadline of pending) deadlines.cancel(deadline);
    expect(deadlines.size).toBe(0);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(before);
  });
});
