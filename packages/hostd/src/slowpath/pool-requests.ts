import type { StepSpan } from './step-table.ts';

interface PoolRequest {
  readonly session: string;
  /** Undefined: it is of no step that was open. */
  readonly step: StepSpan | undefined;
  readonly from: number;
  to: number;
}

/** Requests to the thread pool that sessions have told of. Times in nanoseconds. */
export class PoolRequests {
  readonly #open = new Map<string, PoolRequest>();
  #all: PoolRequest[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns false where there was no room. */
  begin(session: string, id: number, step: StepSpan | undefined, at: number): boolean {
    if (this.#all.length >= this.#limit) return false;
    const request = { session, step, from: at, to: Infinity };
    this.#open.set(`${session}/${id}`, request);
    this.#all.push(request);
    return true;
  }

  end(session: string, id: number, at: number): void {
    const name = `${session}/${id}`;
    const request = this.#open.get(name);
    if (!request) return;
    request.to = at;
    this.#open.delete(name);
  }

  /** Nobody will tell of the ends of its requests. */
  endSession(session: string, at: number): void {
    for (const [name, request] of this.#open) {
      if (request.session !== session) continue;
      request.to = at;
      this.#open.delete(name);
    }
  }

  /** Those that were outstanding over all of [from, to]. */
  over(from: number, to: number): PoolRequest[] {
    return this.#all.filter((request) => request.from <= from && request.to > to);
  }

  /** Those that ended in [from, to]. */
  endedIn(from: number, to: number): PoolRequest[] {
    return this.#all.filter((request) => request.to >= from && request.to <= to);
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
