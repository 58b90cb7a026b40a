import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Slice } from '../kernel/slice.ts';
import { END, ids, marks, slices, steps } from './charge.testkit.ts';
import { type ChargeSink, charge, divide } from './charge.ts';
import { GcPauses } from './gc-pauses.ts';
import { Owners, servedByWakeup } from './owners.ts';
import { PoolRequests } from './pool-requests.ts';
import { ProcessTree } from './process-tree.ts';
import { RunMarks } from './run-marks.ts';
import { type StepSpan, StepTable } from './step-table.ts';
import { Tally } from './tally.ts';
import { ThreadLog } from './thread-log.ts';

const TGID = 100;

/** One thread of a process, with its steps, marks and a pause of its collector. */
function joined(
  lives: readonly { from: number; length: number; inFirst: boolean }[],
  marked: readonly { at: number; who: string }[],
  thread: readonly Slice[],
) {
  const table = new StepTable();
  let first: StepSpan | undefined;
  lives.forEach(({ from, length, inFirst }, i) => {
    const nested = inFirst && first && from >= first.from && from + length <= first.to;
    const span: StepSpan = {
      ...{ session: 's', id: ids[i] as string, kind: 'tool', key: '', thread: TGID, wanted: true },
      ...{ parent: nested ? first : undefined, from, to: Infinity, tally: new Tally() },
      ...{ tellsPool: true, incomplete: undefined, reported: false },
    };
    table.add(span);
    span.to = from + length;
    table.end(span);
    first ??= span;
  });
  const run = new RunMarks(1000);
  for (const { at, who } of marked) run.add(at, who);
  const gc = new GcPauses(10);
  gc.add(END / 8, END / 50);
  const owners = new Owners({
    ...{ tgid: TGID, steps: table, pool: new PoolRequests(1), tree: new ProcessTree(1) },
    marks: () => run,
    gc: () => gc,
    waitsEnded: () => [],
    final: () => true,
    role: () => 'other',
  });
  const log = new ThreadLog(TGID, TGID);
  // Most of a slice is its own, so that there is something left for the frequency.
  for (const { irqNs, softirqNs, faultNs, ...slice } of thread)
    log.add({ ...slice, irqNs: irqNs / 16, softirqNs: softirqNs / 16, faultNs: faultNs / 16 }, 0);
  return { owners, log };
}

/** Writes down what it is told, and what is said of whole slices as if it had been said part by part. */
function scribe() {
  const told: string[] = [];
  let wholes = 0;
  const sink: ChargeSink = {
    whole(step, slice, intervals) {
      wholes++;
      if (!step) return;
      if (servedByWakeup(slice)) sink.woken(step, slice);
      for (let i = 0; i < intervals.length; i++) {
        const interval = intervals.at(i);
        sink.paid(step, slice, interval, interval.from, interval.ns, 0);
      }
      sink.ran(step, slice, slice.offAt - slice.onAt, 0);
    },
    divided() {},
    paid: (step, slice, { category, place }, from, ns, candidates) =>
      told.push(`${slice.onAt} ${step.id} paid ${category} ${place} from ${from}: ${ns} of ${candidates}`),
    woken: (step, slice) => told.push(`${slice.onAt} ${step.id} woken`),
    ran: (step, slice, ns, candidates) => told.push(`${slice.onAt} ${step.id} ran ${ns} of ${candidates}`),
  };
  return { sink, told, wholes: () => wholes };
}

it('says of a slice that is all one step’s what it says of its parts', () => {
  let wholes = 0;
  fc.assert(
    fc.property(steps, marks, slices, (list, marked, thread) => {
      const { owners, log } = joined(list, marked, thread);
      const together = scribe();
      charge(log, 0, log.slices.length, owners, together.sink);
      const each = scribe();
      log.slices.forEach(({ start, offAt }, i) => {
        divide(log, i, owners.parts(log, start, offAt), owners, each.sink);
      });
      expect(together.told).toEqual(each.told);
      wholes += together.wholes();
    }),
    { numRuns: 500 },
  );
  expect(wholes).toBeGreaterThan(1000);
});
