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

/** What is known of all of the pool over a time. */
interface PoolTime extends Claim {
  /** The steps that are open at its end. */
  readonly open: readonly StepSpan[];
}

/**
 * Whom a thread of the pool may have worked for over all of [from, to]. Nobody sees which thread ran which request, so
 * it is whoever had one outstanding; whoever may have had one without having to tell of it; and whose code woke the
 * thread for what it does, which finds requests that nobody tells of.
 * @param slice a slice of that work; undefined: it is not known any more
 */
export function poolOwners(
  facts: PoolFacts,
  slice: StoredSlice | undefined,
  from: number,
  to: number,
): Claim {
  return ofThread(facts, poolTime(facts, from, to), slice, to);
}

/**
 * The same at ascending times, of which those between two boundaries have the same steps and requests.
 * @param boundaries in any order
 */
export function poolOwnersAt(
  facts: PoolFacts,
  sliceAt: (t: number) => StoredSlice | undefined,
  boundaries: readonly number[],
): (t: number) => Claim {
  const ascending = boundaries.toSorted((a, b) => a - b);
  let next = 0;
  let time: PoolTime | undefined;
  return (t) => {
    for (; next < ascending.length && (ascending[next] as number) <= t; next++) time = undefined;
    time ??= poolTime(facts, t, t);
    return ofThread(facts, time, sliceAt(t), t);
  };
}

function poolTime({ steps, pool }: PoolFacts, from: number, to: number): PoolTime {
  const owners: StepSpan[] = [];
  let nobody = false;
  const add = (step: StepSpan | undefined) => {
    if (!addOpen(owners, step, to)) nobody = true;
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
  return { owners, nobody, open };
}

function ofThread(facts: PoolFacts, time: PoolTime, slice: StoredSlice | undefined, at: number): Claim {
  const waker = slice && wakerOf(slice, facts);
  const decided = time.owners.length > 0 || time.nobody;
  if (waker === undefined && decided) return time;
  const owners = [...time.owners];
  let nobody = time.nobody || waker === null;
  if (waker && !addOpen(owners, waker, at)) nobody = true;
  if (owners.length > 0 || nobody) return { owners, nobody };
  // The end of a request is told a little before its thread has done with it.
  if (slice)
    for (const { step } of facts.pool.endedIn(slice.jobAt, at)) if (!addOpen(owners, step, at)) nobody = true;
  if (owners.length > 0 || nobody) return { owners, nobody };
  return { owners: innermost(time.open), nobody: true };
}

/** @returns false where neither it nor a step around it is open */
function addOpen(owners: StepSpan[], step: StepSpan | undefined, at: number): boolean {
  const open = openAncestor(step, at);
  if (open && !owners.includes(open)) owners.push(open);
  return open !== undefined;
}

/** Whose code woke the thread for its present work; null: perhaps no step's; undefined: nothing to tell. */
function wakerOf({ jobAt, jobBy }: StoredSlice, { steps, marks }: PoolFacts): StepSpan | null | undefined {
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
