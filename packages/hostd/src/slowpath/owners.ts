import { SliceBegin } from '../kernel/slice.ts';
import type { ThreadRole } from '../kernel/threads.ts';
import { readyTime } from './categories.ts';
import type { GcPauses } from './gc-pauses.ts';
import type { PoolRequests } from './pool-requests.ts';
import type { ProcessTree } from './process-tree.ts';
import type { RunMarks } from './run-marks.ts';
import { innermost, openAncestor, openAt, type StepSpan, type StepTable } from './step-table.ts';
import type { StoredSlice, ThreadLog } from './thread-log.ts';

/** A stretch of time in which the same steps own a thread: none, one, or candidates among which it can't be decided. */
export interface Part {
  readonly from: number;
  readonly to: number;
  readonly owners: readonly StepSpan[];
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
    const { steps, pool, tgid } = this.#facts;
    const kind = this.#kind(thread);
    if (kind === 'none') return [];
    const cuts: number[] = [];
    let at: (t: number) => StepSpan[];
    if (kind === 'tree') {
      const owners = this.#treeOwners(thread);
      for (const step of owners)
        for (let up: StepSpan | undefined = step; up; up = up.parent) lifeCuts(up, from, to, cuts);
      at = (t) => ancestorsAt(owners, t);
    } else {
      const near = steps.during(kind === 'pool' ? tgid : thread.tid, from, to);
      for (const step of near) lifeCuts(step, from, to, cuts);
      if (kind === 'pool') {
        pool.boundaries(from, to, cuts);
        at = (t) => this.#poolAt(t, t);
      } else {
        if (near.length > 1) this.#facts.marks(thread.tid)?.between(from, to, (mark) => cuts.push(mark));
        at = (t) => this.#runningAt(thread.tid, near, t);
      }
    }
    if (cuts.length === 0) return [{ from, to, owners: at(from) }];
    cuts.sort((a, b) => a - b);
    cuts.push(to);
    const parts: Part[] = [];
    let start = from;
    for (const cut of cuts) {
      if (cut <= start) continue;
      const owners = at(start);
      const last = parts.at(-1);
      if (last && same(last.owners, owners)) parts[parts.length - 1] = { ...last, to: cut };
      else parts.push({ from: start, to: cut, owners });
      start = cut;
    }
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
  ofWakeup(thread: ThreadLog, index: number): StepSpan[] {
    const slice = thread.slices[index] as StoredSlice;
    const waking = readyTime(slice);
    const kind = this.#kind(thread);
    if (kind === 'none') return [];
    if (kind === 'tree') return ancestorsAt(this.#treeOwners(thread), waking);
    // A request that was outstanding before and after the sleep is the one that slept; the new one has just begun.
    if (kind === 'pool')
      return this.#poolAt(slice.blockNs > 0 ? waking - slice.blockNs : slice.onAt, slice.onAt);
    const inner = innermost(this.#facts.steps.openAt(thread.tid, waking));
    if (inner.length < 2) return inner;
    const marks = this.#facts.marks(thread.tid);
    const mark = marks?.at(waking);
    if (mark) return one(openAncestor(this.#facts.steps.get(mark), waking));
    // The thread slept between two turns of its event loop: those whose code runs now were served.
    const end = thread.activityEnd(index);
    const served = this.#facts.waitsEnded(thread.tid, waking, end);
    marks?.between(slice.onAt - 1, end, (_, who) => {
      const step = who ? this.#facts.steps.get(who) : undefined;
      if (step && !served.includes(step)) served.push(step);
    });
    const experienced = innermost(served.filter((step) => step.from <= waking && waking < step.to));
    return experienced.length > 0 || mark === '' ? experienced : inner;
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

  /** How much of a thread's time its collector took, nanoseconds. */
  gcWithin(thread: ThreadLog, from: number, to: number): number {
    return this.#facts.gc(thread.tid)?.within(from, to) ?? 0;
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

  #loopAt(tid: number, t: number): StepSpan[] {
    return this.#runningAt(tid, this.#facts.steps.openAt(tid, t), t);
  }

  /** Whose code runs on a thread at `t`, of the steps that may be open then. */
  #runningAt(tid: number, near: readonly StepSpan[], t: number): StepSpan[] {
    const inner = innermost(openAt(near, t));
    // A chain of parents and one child is no overlap: nothing is marked then, and older marks mean nothing.
    if (inner.length < 2) return inner;
    const mark = this.#facts.marks(tid)?.at(t);
    if (mark === '') return [];
    return mark === undefined ? inner : one(openAncestor(this.#facts.steps.get(mark), t));
  }

  #poolAt(from: number, to: number): StepSpan[] {
    const { pool, steps } = this.#facts;
    const inner = innermost(steps.allOpenAt(to));
    // Requests are announced only while steps overlap.
    if (inner.length < 2 || !pool.seen) return inner;
    return ancestorsAt(pool.candidates(from, to), to);
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

function same(a: readonly StepSpan[], b: readonly StepSpan[]): boolean {
  return a.length === b.length && a.every((step) => b.includes(step));
}

/** Whether what preceded the slice is charged to whom the wakeup served, rather than to whose code was interrupted. */
export function servedByWakeup(slice: StoredSlice): boolean {
  return slice.begin === SliceBegin.woken || slice.begin === SliceBegin.new;
}
