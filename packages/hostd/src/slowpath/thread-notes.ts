import { GcPauses } from './gc-pauses.ts';
import { RunMarks } from './run-marks.ts';
import type { StepTable } from './step-table.ts';

/**
 * What a client tells of its threads: whose code ran on each, and when the collector paused it. Of threads on which
 * no step runs it means nothing, and would be kept for ever. Times in nanoseconds.
 */
export class ThreadNotes {
  readonly #marks = new Map<number, RunMarks>();
  readonly #gc = new Map<number, GcPauses>();
  readonly #steps: StepTable;
  readonly #limit: number;

  /** @param limit marks, and pauses, that are kept of a thread */
  constructor(steps: StepTable, limit: number) {
    this.#steps = steps;
    this.#limit = limit;
  }

  marks(tid: number): RunMarks | undefined {
    return this.#marks.get(tid);
  }

  gc(tid: number): GcPauses | undefined {
    return this.#gc.get(tid);
  }

  /** @returns the time of the newest mark that had to be forgotten, 0 where there was room. */
  mark(tid: number, at: number, who: string | undefined): number {
    let marks = this.#marks.get(tid);
    if (!marks) {
      if (!this.#steps.hasThread(tid)) return 0;
      marks = new RunMarks(this.#limit);
      this.#marks.set(tid, marks);
    }
    return marks.add(at, who);
  }

  pause(tid: number, from: number, ns: number): void {
    if (!this.#steps.hasThread(tid)) return;
    let pauses = this.#gc.get(tid);
    if (!pauses) {
      pauses = new GcPauses(this.#limit);
      this.#gc.set(tid, pauses);
    }
    pauses.add(from, ns);
  }

  prune(before: number): void {
    for (const kept of [this.#marks, this.#gc])
      for (const [tid, log] of kept) {
        log.prune(before);
        if (!this.#steps.hasThread(tid)) kept.delete(tid);
      }
  }
}
