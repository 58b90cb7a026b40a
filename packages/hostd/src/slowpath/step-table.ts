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
  /** Its session tells of requests to the thread pool while it is open: see PoolFrame. */
  readonly tellsPool: boolean;
  readonly tally: Tally;
  /** Why its report can't be complete. */
  incomplete: string | undefined;
  reported: boolean;
}

/** Ended steps are found by the stretches of time that they touch, this long. Nanoseconds. */
const STRETCH = 20e6;
/** A step that touches more of them is kept by itself: there are few. */
const MANY = 200;

/** The steps of one thread. */
class ThreadSteps {
  readonly open = new Set<StepSpan>();
  readonly ended = new Map<number, StepSpan[]>();
  long: StepSpan[] = [];

  end(step: StepSpan): void {
    this.open.delete(step);
    const [first, last] = [stretch(step.from), stretch(step.to)];
    if (last - first > MANY) this.long.push(step);
    else
      for (let i = first; i <= last; i++) {
        const list = this.ended.get(i);
        if (list) list.push(step);
        else this.ended.set(i, [step]);
      }
  }

  /** Every step that was open at some time in [from, to]. */
  during(from: number, to: number): StepSpan[] {
    const found: StepSpan[] = [];
    for (const step of this.open) if (step.from <= to) found.push(step);
    for (const step of this.long) if (step.from <= to && step.to > from) found.push(step);
    const first = stretch(from);
    const last = stretch(to);
    const look = (list: readonly StepSpan[]) => {
      for (const step of list)
        if (step.from <= to && step.to > from && (first === last || !found.includes(step))) found.push(step);
    };
    if (last - first > this.ended.size) for (const list of this.ended.values()) look(list);
    else
      for (let i = first; i <= last; i++) {
        const list = this.ended.get(i);
        if (list) look(list);
      }
    return found;
  }

  /** Forgets what ended before, and says what. */
  prune(before: number, forget: (step: StepSpan) => void): void {
    const keep = stretch(before);
    for (const [i, list] of this.ended) {
      if (i >= keep) continue;
      this.ended.delete(i);
      for (const step of list) if (stretch(step.to) < keep) forget(step);
    }
    if (this.long.length === 0) return;
    for (const step of this.long) if (step.to < before) forget(step);
    this.long = this.long.filter((step) => step.to >= before);
  }

  get empty(): boolean {
    return this.open.size === 0 && this.ended.size === 0 && this.long.length === 0;
  }
}

const stretch = (t: number) => Math.floor(t / STRETCH);

/** The steps of one process that are open, or ended so lately that records of them may still come. */
export class StepTable {
  readonly #byId = new Map<StepId, StepSpan>();
  /** By the upper half of their ids. */
  readonly #byHalf = new Map<string, StepSpan>();
  readonly #byThread = new Map<number, ThreadSteps>();

  add(step: StepSpan): void {
    this.#byId.set(step.id, step);
    this.#byHalf.set(step.id.slice(0, 8), step);
    let thread = this.#byThread.get(step.thread);
    if (!thread) {
      thread = new ThreadSteps();
      this.#byThread.set(step.thread, thread);
    }
    thread.open.add(step);
  }

  /** The step has its end now. */
  end(step: StepSpan): void {
    this.#byThread.get(step.thread)?.end(step);
  }

  get(id: StepId): StepSpan | undefined {
    return this.#byId.get(id);
  }

  /** The step whose id has this upper half, 32 bits. */
  ofHalf(half: number): StepSpan | undefined {
    return this.#byHalf.get(half.toString(16).padStart(8, '0'));
  }

  values(): IterableIterator<StepSpan> {
    return this.#byId.values();
  }

  /** Whether steps have run on this thread lately. */
  hasThread(thread: number): boolean {
    return this.#byThread.has(thread);
  }

  /** The steps of a thread that were open at some time in [from, to). */
  during(thread: number, from: number, to: number): StepSpan[] {
    return this.#byThread.get(thread)?.during(from, to) ?? [];
  }

  /** The same for all threads of the process. */
  allDuring(from: number, to: number): StepSpan[] {
    return [...this.#byThread.keys()].flatMap((thread) => this.during(thread, from, to));
  }

  openAt(thread: number, t: number): StepSpan[] {
    return openAt(this.#byThread.get(thread)?.during(t, t) ?? [], t);
  }

  /** The same for all threads of the process. */
  allOpenAt(t: number): StepSpan[] {
    return [...this.#byThread.keys()].flatMap((thread) => this.openAt(thread, t));
  }

  /** Forgets the steps that ended before. */
  prune(before: number): void {
    for (const [tid, thread] of this.#byThread) {
      thread.prune(before, (step) => {
        if (this.#byId.get(step.id) === step) this.#byId.delete(step.id);
        const half = step.id.slice(0, 8);
        if (this.#byHalf.get(half) === step) this.#byHalf.delete(half);
      });
      if (thread.empty) this.#byThread.delete(tid);
    }
  }
}

/** Those that are open at a time. */
export function openAt(steps: readonly StepSpan[], t: number): StepSpan[] {
  const open: StepSpan[] = [];
  for (const step of steps) if (step.from <= t && t < step.to) open.push(step);
  return open;
}

/** Steps of which none of the others is a descendant: a parent step excludes its child steps. */
export function innermost(steps: readonly StepSpan[]): StepSpan[] {
  if (steps.length < 2 || steps.every(({ parent }) => parent === undefined)) return [...steps];
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
