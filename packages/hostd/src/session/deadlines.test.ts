import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Deadlines } from './deadlines.ts';

const now = () => performance.now() * 1000;

describe('Deadlines', () => {
  it('runs in order of due time, whatever the order of adding, and skips the cancelled', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ due: fc.integer({ min: 0, max: 5000 }), cancel: fc.boolean() }), {
          minLength: 1,
          maxLength: 300,
        }),
        async (wanted) => {
          const deadlines = new Deadlines(now);
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
        },
      ),
      { numRuns: 20 },
    );
  });

  it('lets a running deadline add another that is due at once', async () => {
    const deadlines = new Deadlines(now);
    await new Promise<void>((done) => {
      deadlines.at(now(), () => deadlines.at(now() - 1, done));
    });
    expect(deadlines.size).toBe(0);
  });

  it('never runs one early by more than its slack', async () => {
    const deadlines = new Deadlines(now);
    const due = now() + 30_000;
    const ranAt = await new Promise<number>((done) => {
      deadlines.at(due, () => done(now()));
    });
    expect(ranAt).toBeGreaterThanOrEqual(due - 250);
  });

  it('holds no timer once everything is cancelled', () => {
    const deadlines = new Deadlines(now);
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const pending = Array.from({ length: 200 }, (_, index) => deadlines.at(now() + 1e9 + index, () => {}));
    for (const deadline of pending) deadlines.cancel(deadline);
    expect(deadlines.size).toBe(0);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(before);
  });
});
