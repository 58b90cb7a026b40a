import { type ClientFrame, KERNEL_CATEGORIES, type ReportFrame } from '@prewake/sdk/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Slice, SliceBegin } from '../kernel/slice.ts';
import { Attribution } from './attribution.ts';
import { END, ids, marks, slices, steps } from './charge.testkit.ts';
import { ALL_KNOWN } from './make-slice.testkit.ts';

const TGID = 100;

type Life = { id: string; from: number; to: number; parent: string | undefined };

function attribute(
  lives: readonly Life[],
  marked: readonly { at: number; who: string }[],
  thread: readonly Slice[],
  settleLagNs: number,
) {
  const attribution = new Attribution({ settleLagNs: { idle: settleLagNs, busy: settleLagNs } });
  attribution.recorderAttached(-1, ALL_KNOWN);
  attribution.sessionStarted({ id: 's', tgid: TGID }, -1);
  const frames: ClientFrame[] = lives.flatMap(({ id, from, to, parent }): ClientFrame[] => [
    { type: 'step', id, kind: 'tool', at: from / 1000, ...(parent && { parent }) },
    { type: 'step_end', id, at: to / 1000 },
  ]);
  for (const { at, who } of marked) frames.push({ type: 'run', thread: TGID, marks: [at / 1000, who] });
  const atOf = (frame: ClientFrame) =>
    frame.type === 'run' ? (frame.marks[0] as number) : 'at' in frame ? frame.at : 0;
  const beginsFirst = (frame: ClientFrame) => (frame.type === 'step' ? 0 : 1);
  frames.sort((a, b) => atOf(a) - atOf(b) || beginsFirst(a) - beginsFirst(b));
  const reports = new Map<string, ReportFrame>();
  const look = (now: number) =>
    attribution.findings(now, { report: (_, report) => reports.set(report.step, report), wakeupCost() {} });
  // As they would come: what is told of a time before the records of later times.
  let next = 0;
  for (const slice of thread) {
    for (; next < frames.length && atOf(frames[next] as ClientFrame) * 1000 <= slice.offAt; next++)
      attribution.frame('s', frames[next] as ClientFrame);
    attribution.slice(slice);
    look(slice.offAt);
  }
  for (; next < frames.length; next++) attribution.frame('s', frames[next] as ClientFrame);
  look(END + 1e9);
  return { reports, totals: attribution.totals('s') };
}

const livesOf = (list: readonly { from: number; length: number; inFirst: boolean }[]): Life[] =>
  list.map(({ from, length, inFirst }, i) => {
    const first = list[0] as { from: number; length: number };
    const nested = i > 0 && inFirst && from >= first.from && from + length <= first.from + first.length;
    return { id: ids[i] as string, from, to: from + length, parent: nested ? ids[0] : undefined };
  });

/** From a wakeup until the thread slept again, at most. */
function longestActivity(thread: readonly Slice[]): number {
  let longest = 0;
  let since = 0;
  for (const { begin, readyAt, offAt } of thread) {
    if (begin === SliceBegin.woken) since = readyAt;
    longest = Math.max(longest, offAt - since);
  }
  return longest;
}

const sum = (report: ReportFrame | undefined) =>
  KERNEL_CATEGORIES.reduce((total, category) => total + (report?.self[category] ?? 0), 0);

describe('charges on one thread', () => {
  it('never exceed the time that passed, in all, for a step, or for all steps that share nothing', () => {
    fc.assert(
      fc.property(steps, marks, slices, (list, marked, thread) => {
        const lives = livesOf(list);
        const { reports, totals } = attribute(lives, marked, thread, 1e12);
        let unshared = 0;
        for (const { id, from, to } of lives) {
          const report = reports.get(id);
          // Each category is rounded to a nanosecond.
          expect(sum(report)).toBeLessThanOrEqual(to - from + KERNEL_CATEGORIES.length);
          unshared += sum(report) - (report?.shared?.ns ?? 0);
        }
        const last = thread.at(-1)?.offAt ?? 0;
        expect(unshared).toBeLessThanOrEqual(last + KERNEL_CATEGORIES.length * lives.length);
        expect(totals?.self.reduce((all, ns) => all + ns, 0) ?? 0).toBeLessThanOrEqual(last + 1);
      }),
      { numRuns: 500 },
    );
  });

  it('are the same whether slices are charged early or late', () => {
    fc.assert(
      fc.property(steps, marks, slices, (list, marked, thread) => {
        const lives = livesOf(list);
        // No step runs before it has begun.
        const told = marked.filter(({ at, who }) => !lives.some(({ id, from }) => id === who && at < from));
        const late = attribute(lives, told, thread, 1e12).reports;
        // Whom a wakeup served is seen by what runs until the thread sleeps again: no earlier than that.
        const early = attribute(lives, told, thread, Math.max(50_000, longestActivity(thread))).reports;
        for (const { id } of lives) {
          const [a, b] = [late.get(id), early.get(id)];
          if (b?.incomplete === 'lost') continue;
          expect(b).toEqual(a);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('go with the labels', () => {
    fc.assert(
      fc.property(steps, marks, slices, (list, marked, thread) => {
        fc.pre(list.length > 1);
        const lives = livesOf(list.map((one) => ({ ...one, inFirst: false })));
        const [first, second] = ids as [string, string];
        const swap = (id: string) => (id === first ? second : id === second ? first : id);
        const right = attribute(lives, marked, thread, 1e12).reports;
        const swapped = attribute(
          lives.map((life) => ({ ...life, id: swap(life.id) })),
          marked.map(({ at, who }) => ({ at, who: swap(who) })),
          thread,
          1e12,
        ).reports;
        for (const { id } of lives)
          expect(swapped.get(swap(id))).toEqual({ ...right.get(id), step: swap(id) });
      }),
      { numRuns: 300 },
    );
  });
});
