import type { StepId } from '@prewake/sdk/protocol';
import type { Tally } from './tally.ts';

/** A step as attribution sees it. Times in nanoseconds. */
export interface StepSpan {
  readonly session: string;
  readonly id: StepId;
  readonly kind: string;
  readonly key: string;
  readonly parent: StepSpan | undefined;
  /** The host's tid of the thread on which the step's code runs. */
  readonly thread: number;
  readonly from: number;
  /** Infinity while it is open. */
  to: number;
  readonly wanted: boolean;
  readonly tally: Tally;
  /** Why its report can't be complete. */
  incomplete: string | undefined;
  reported: boolean;
}

/** The steps of one process that are open, or ended so lately that records of them may still come. */
export class StepTable {
  readonly #byId = new Map<StepId, StepSpan>();
  readonly #byThread = new Map<number, StepSpan[]>();

  get size(): number {
    return this.#byId.size;
  }

  add(step: StepSpan): void {
    this.#byId.set(step.id, step);
    const list = this.#byThread.get(step.thread);
    if (list) list.push(step);
    else this.#byThread.set(step.thread, [step]);
  }

  get(id: StepId): StepSpan | undefined {
    return this.#byId.get(id);
  }

  values(): IterableIterator<StepSpan> {
    return this.#byId.values();
  }

  /** Whether steps have run on this thread lately. */
  hasThread(thread: number): boolean {
    return this.#byThread.has(thread);
  }

  openAt(thread: number, t: number): StepSpan[] {
    const open: StepSpan[] = [];
    for (const step of this.#byThread.get(thread) ?? []) if (step.from <= t && t < step.to) open.push(step);
    return open;
  }

  /** The same for all threads of the process. */
  allOpenAt(t: number): StepSpan[] {
    return [...this.#byThread.keys()].flatMap((thread) => this.openAt(thread, t));
  }

  /** Appends to `out` each time in (from, to) at which a step of the thread begins or ends. */
  boundaries(thread: number, from: number, to: number, out: number[]): void {
    for (const step of this.#byThread.get(thread) ?? []) {
      if (step.from > from && step.from < to) out.push(step.from);
      if (step.to > from && step.to < to) out.push(step.to);
    }
  }

  /** Forgets the steps that ended before, and whose report, where one is wanted, has been given. */
  prune(before: number): void {
    for (const [thread, list] of this.#byThread) {
      const kept = list.filter((step) => step.to >= before || (step.wanted && !step.reported));
      if (kept.length === list.length) continue;
      for (const step of list)
        if (!kept.includes(step) && this.#byId.get(step.id) === step) this.#byId.delete(step.id);
      if (kept.length > 0) this.#byThread.set(thread, kept);
      else this.#byThread.delete(thread);
    }
  }
}

/** Steps of which none of the others is a descendant: a parent step excludes its child steps. */
export function innermost(steps: readonly StepSpan[]): StepSpan[] {
  if (steps.length < 2) return [...steps];
  const outer = new Set<StepSpan>();
  for (const step of steps) for (let up = step.parent; up && !outer.has(up); up = up.parent) outer.add(up);
  return steps.filter((step) => !outer.has(step));
}

/** The step itself while it is open at `t`, else its nearest ancestor that is. */
export function openAncestor(step: StepSpan | undefined, t: number): StepSpan | undefined {
  let up = step;
  while (up && !(up.from <= t && t < up.to)) up = up.parent;
  return up;
}
