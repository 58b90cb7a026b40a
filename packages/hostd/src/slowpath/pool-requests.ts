import type { StepSpan } from './step-table.ts';

interface PoolRequest {
  readonly step: StepSpan;
  readonly from: number;
  to: number;
}

/**
 * Outstanding requests to the thread pool. JavaScript can't see which pool thread ran a request, so the steps of
 * all that were outstanding are candidates. Times in nanoseconds.
 */
export class PoolRequests {
  readonly #open = new Map<string, PoolRequest>();
  #all: PoolRequest[] = [];
  readonly #limit: number;
  /** Whether the client speaks of its pool at all. */
  seen = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns false where there was no room. */
  begin(name: string, step: StepSpan, at: number): boolean {
    this.seen = true;
    if (this.#all.length >= this.#limit) return false;
    const request = { step, from: at, to: Infinity };
    this.#open.set(name, request);
    this.#all.push(request);
    return true;
  }

  end(name: string, at: number): void {
    const request = this.#open.get(name);
    if (!request) return;
    request.to = at;
    this.#open.delete(name);
  }

  /** Steps with a request outstanding over all of [from, to]. */
  candidates(from: number, to = from): StepSpan[] {
    const steps: StepSpan[] = [];
    for (const request of this.#all)
      if (request.from <= from && request.to >= to && !steps.includes(request.step)) steps.push(request.step);
    return steps;
  }

  boundaries(from: number, to: number, out: number[]): void {
    for (const request of this.#all) {
      if (request.from > from && request.from < to) out.push(request.from);
      if (request.to > from && request.to < to) out.push(request.to);
    }
  }

  prune(before: number): void {
    if (this.#all.some((request) => request.to < before))
      this.#all = this.#all.filter((request) => request.to >= before);
  }
}
