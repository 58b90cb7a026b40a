import type { PoolRequests } from './pool-requests.ts';
import type { RunMarks } from './run-marks.ts';
import { innermost, openAncestor, type StepSpan, type StepTable } from './step-table.ts';
import type { StoredSlice } from './stored-slice.ts';

/** Whom something may belong to. */
export interface Claim {
  /** None, one, or candidates among which it can't be decided. */
  readonly owners: readonly StepSpan[];
  /** It may also be no step's. */
  readonly nobody: boolean;
}

export interface PoolFacts {
  readonly steps: StepTable;
  readonly pool: PoolRequests;
  marks(tid: number): RunMarks | undefined;
}

/**
 * Whom a thread of the pool may have worked for over all of [from, to]. Nobody sees which thread ran which request, so
 * it is whoever had one outstanding; whoever may have had one without having to tell of it; and whose code woke the
 * thread for what it does, which finds requests that nobody tells of.
 * @param slice a slice of that work; undefined: it is not known any more
 */
export function poolOwners(
  { steps, pool, marks }: PoolFacts,
  slice: StoredSlice | undefined,
  from: number,
  to: number,
): Claim {
  const owners: StepSpan[] = [];
  let nobody = false;
  const add = (step: StepSpan | undefined) => {
    const open = openAncestor(step, to);
    if (!open) nobody = true;
    else if (!owners.includes(open)) owners.push(open);
  };
  const requests = pool.over(from, to);
  for (const { step } of requests) add(step);

  const open = steps.allOpenAt(to);
  for (const [session, its] of bySession(open)) {
    const inner = innermost(its);
    if (!its.some(({ tellsPool }) => tellsPool)) {
      for (const step of inner) add(step);
      nobody = true;
    } else if (inner.length === 1 && !requests.some((request) => request.session === session))
      // It tells of no request while all are this step's.
      add(inner[0]);
  }

  const waker = slice && wakerOf(slice, steps, marks);
  if (waker === null) nobody = true;
  else if (waker) add(waker);

  // The end of a request is told a little before its thread has done with it.
  if (owners.length === 0 && !nobody && slice)
    for (const { step } of pool.endedIn(slice.jobAt, to)) add(step);
  if (owners.length === 0 && !nobody) {
    for (const step of innermost(open)) add(step);
    nobody = true;
  }
  return { owners, nobody };
}

/** Whose code woke the thread for its present work; null: perhaps no step's; undefined: nothing to tell. */
function wakerOf(
  slice: StoredSlice,
  steps: StepTable,
  marks: (tid: number) => RunMarks | undefined,
): StepSpan | null | undefined {
  const { jobAt, jobBy } = slice;
  // Threads that are new, and counters, don't tell.
  if (jobBy === 0) return undefined;
  const open = jobAt > 0 ? steps.openAt(jobBy, jobAt) : [];
  // From before its requests were followed, or of a thread whose are not.
  if (!open.some(({ tellsPool }) => tellsPool)) return null;
  if (innermost(open).length < 2) return undefined;
  const mark = marks(jobBy)?.at(jobAt);
  return mark ? steps.get(mark) : undefined;
}

function bySession(open: readonly StepSpan[]): Map<string, StepSpan[]> {
  const sessions = new Map<string, StepSpan[]>();
  for (const step of open) {
    const its = sessions.get(step.session);
    if (its) its.push(step);
    else sessions.set(step.session, [step]);
  }
  return sessions;
}
