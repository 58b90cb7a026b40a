import { SliceBegin } from '../kernel/slice.ts';
import type { ThreadRole } from '../kernel/threads.ts';
import { readyTime } from './categories.ts';
import type { GcPauses } from './gc-pauses.ts';
import { type Claim, poolOwners, poolOwnersAt } from './pool-owners.ts';
import type { PoolRequests } from './pool-requests.ts';
import type { ProcessTree } from './process-tree.ts';
import type { RunMarks } from './run-marks.ts';
import { innermost, openAncestor, openAt, type StepSpan, type StepTable } from './step-table.ts';
import type { StoredSlice } from './stored-slice.ts';
import type { ThreadLog } from './thread-log.ts';

/** A stretch of time in which the same steps own a thread. */
export interface Part extends Claim {
  readonly from: number;
  to: number;
  /** Those for which it may work in that time. With one or none nothing has to be decided: they are the owners. */
  readonly open: readonly StepSpan[];
}

/** Whom a wakeup served. */
export interface Served extends Claim {
  /** Each of them is known to have been, and not one of several candidates. */
  readonly decided: boolean;
}

/** What the joins of one process need to know. */
export interface JoinFacts {
  readonly tgid: number;
  readonly steps: StepTable;
  readonly pool: PoolRequests;
  readonly tree: ProcessTree;
  marks(tid: number): RunMarks | undefined;
  gc(tid: number): GcPauses | undefined;
  /** The steps of waits on a thread that ended in [from, to), begun before `from`. */
  waitsEnded(tid: number, from: number, to: number): StepSpan[];
  /** Whether all frames that tell of time `t` have been read. */
  final(t: number): boolean;
  /** What a thread of the process itself is. */
  role(thread: ThreadLog): ThreadRole;
}

/** Which steps a thread works for, and whom a wakeup served. In order of trust: process tree, run marks, pool requests. */
export class Owners {
  readonly #facts: JoinFacts;

  constructor(facts: JoinFacts) {
    this.#facts = facts;
  }

  /** The owners of a thread over [from, to], cut wherever they may change. */
  parts(thread: ThreadLog, from: number, to: number): Part[] {
    const { steps, pool } = this.#facts;
    const kind = this.#kind(thread);
    const cuts: number[] = [];
    let ownedAt: (t: number) => Omit<Part, 'from' | 'to'>;
    if (kind === 'none') ownedAt = () => ({ ...certain([]), open: [] });
    else if (kind === 'tree') {
      const owners = this.#treeOwners(thread);
      for (const step of owners)
        for (let up: StepSpan | undefined = step; up; up = up.parent) lifeCuts(up, from, to, cuts);
      ownedAt = (t) => {
        const open = ancestorsAt(owners, t);
        return { ...certain(open), open };
      };
    } else if (kind === 'pool') {
      for (const step of steps.allDuring(from, to)) lifeCuts(step, from, to, cuts);
      pool.boundaries(from, to, cuts);
      const claimAt = poolOwnersAt(this.#facts, (t) => thread.sliceAt(t), cuts);
      thread.starts(from, to, cuts);
      ownedAt = (t) => {
        const { owners, nobody } = claimAt(t);
        return { owners, nobody, open: owners };
      };
    } else {
      const near = steps.during(thread.tid, from, to);
      for (const step of near) lifeCuts(step, from, to, cuts);
      if (near.length > 1) this.#facts.marks(thread.tid)?.between(from, to, (mark) => cuts.push(mark));
      ownedAt = (t) => {
        const open = innermost(openAt(near, t));
        return { ...certain(this.#runningAmong(open, thread.tid, t)), open };
      };
    }
    const parts: Part[] = [];
    const add = (start: number, end: number) => {
      const owned = ownedAt(start);
      const last = parts.at(-1);
      if (last && sameClaim(last, owned) && sameSteps(last.open, owned.open)) last.to = end;
      else parts.push({ from: start, to: end, ...owned });
    };
    let start = from;
    for (const cut of cuts.sort((a, b) => a - b)) {
      if (cut <= start) continue;
      add(start, cut);
      start = cut;
    }
    add(start, to);
    return parts;
  }

  /** The steps for which a thread works at a time. */
  at(thread: ThreadLog, t: number): readonly StepSpan[] {
    return this.parts(thread, t, t)[0]?.owners ?? [];
  }

  /**
   * The steps that experienced what preceded a slice: the wait that ended, its event, the wakeup. Each is to be
   * charged for the part within its own life.
   */
  ofWakeup(thread: ThreadLog, index: number): Served {
    const slice = thread.slices[index] as StoredSlice;
    const waking = readyTime(slice);
    const kind = this.#kind(thread);
    const undecided = (claim: Claim) => ({ ...claim, decided: false });
    if (kind === 'none') return undecided(certain([]));
    if (kind === 'tree') return undecided(certain(ancestorsAt(this.#treeOwners(thread), waking)));
    // A request that was outstanding before and after the sleep is the one that slept; the new one has just begun.
    if (kind === 'pool') {
      const from = slice.blockNs > 0 ? waking - slice.blockNs : slice.onAt;
      return undecided(poolOwners(this.#facts, slice, from, slice.onAt));
    }
    const inner = innermost(this.#facts.steps.openAt(thread.tid, waking));
    if (inner.length < 2) return undecided(certain(inner));
    const marks = this.#facts.marks(thread.tid);
    const mark = marks?.at(waking);
    if (mark) return undecided(certain(one(openAncestor(this.#facts.steps.get(mark), waking))));
    // The thread slept between two turns of its event loop: those whose code runs now were served.
    const end = thread.activityEnd(index);
    const served = this.#facts.waitsEnded(thread.tid, waking, end);
    marks?.between(slice.onAt - 1, end, (_, who) => {
      const step = who ? this.#facts.steps.get(who) : undefined;
      if (step && !served.includes(step)) served.push(step);
    });
    const experienced = innermost(served.filter((step) => step.from <= waking && waking < step.to));
    if (experienced.length > 0 || mark === '') return { ...certain(experienced), decided: true };
    return undecided(certain(inner));
  }

  #kind(thread: ThreadLog): 'tree' | 'pool' | 'loop' | 'none' {
    const { tgid, steps } = this.#facts;
    if (thread.tgid !== tgid) return 'tree';
    if (thread.tid === tgid || steps.hasThread(thread.tid)) return 'loop';
    const role = this.#facts.role(thread);
    // The rest: worker threads, and what clients without libuv make. They belong to whoever made them.
    return role === 'pool' ? 'pool' : role === 'runtime' ? 'none' : 'tree';
  }

  #treeOwners(thread: ThreadLog): readonly StepSpan[] {
    const { tree, tgid } = this.#facts;
    const onThread = (tid: number, t: number) => this.#forkerAt(tid, t);
    const final = (t: number) => this.#facts.final(t);
    if (thread.tgid !== tgid) return tree.ownersOf(thread.tgid, onThread, final);
    return tree.ownersOfThread(thread.tid, onThread, final) ?? [];
  }

  /** When the collector paused a thread. */
  gc(thread: ThreadLog): GcPauses | undefined {
    return this.#facts.gc(thread.tid);
  }

  /** Decides for good whose the processes are that were forked up to `until`. */
  settleTree(until: number): void {
    this.#facts.tree.settle(until, (tid, t) => this.#forkerAt(tid, t));
  }

  /** The steps on a thread that forks: its own, else those of the thread that made it. */
  #forkerAt(tid: number, t: number): readonly StepSpan[] {
    const { tgid, steps, tree } = this.#facts;
    if (tid === tgid || steps.hasThread(tid)) return this.#loopAt(tid, t);
    return (
      tree.ownersOfThread(
        tid,
        (parent, at) => this.#loopAt(parent, at),
        () => false,
      ) ?? []
    );
  }

  #loopAt(tid: number, t: number): readonly StepSpan[] {
    return this.#runningAmong(innermost(this.#facts.steps.openAt(tid, t)), tid, t);
  }

  /** Whose code runs on a thread at `t`, of the innermost steps that are open then. */
  #runningAmong(inner: readonly StepSpan[], tid: number, t: number): readonly StepSpan[] {
    // A chain of parents and one child is no overlap: nothing is marked then, and older marks mean nothing.
    if (inner.length < 2) return inner;
    const mark = this.#facts.marks(tid)?.at(t);
    if (mark === '') return [];
    return mark === undefined ? inner : one(openAncestor(this.#facts.steps.get(mark), t));
  }
}

/** Each step while it is open at `t`, else its nearest ancestor that is. */
function ancestorsAt(steps: readonly StepSpan[], t: number): StepSpan[] {
  const open: StepSpan[] = [];
  for (const step of steps) {
    const up = openAncestor(step, t);
    if (up && !open.includes(up)) open.push(up);
  }
  return open;
}

function one(step: StepSpan | undefined): StepSpan[] {
  return step ? [step] : [];
}

function lifeCuts(step: StepSpan, from: number, to: number, out: number[]): void {
  if (step.from > from && step.from < to) out.push(step.from);
  if (step.to > from && step.to < to) out.push(step.to);
}

function certain(owners: readonly StepSpan[]): Claim {
  return { owners, nobody: false };
}

export function sameClaim(a: Claim, b: Claim): boolean {
  return a.nobody === b.nobody && sameSteps(a.owners, b.owners);
}

function sameSteps(a: readonly StepSpan[], b: readonly StepSpan[]): boolean {
  return a.length === b.length && a.every((step) => b.includes(step));
}

/** Whether what preceded the slice is charged to whom the wakeup served, rather than to whose code was interrupted. */
export function servedByWakeup(slice: StoredSlice): boolean {
  return slice.begin === SliceBegin.woken || slice.begin === SliceBegin.new;
}
