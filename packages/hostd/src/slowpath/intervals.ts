/** Before the thread was on the CPU because something woke it; while it was runnable; on the CPU. */
export const Phase = { wake: 0, queue: 1, run: 2 } as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/**
 * - `exact`: all of the time between, ns = to − from;
 * - `within`: somewhere between, the record does not say where;
 * - `even`: a share of every nanosecond between (frequency).
 */
export const Place = { exact: 0, within: 1, even: 2 } as const;
export type Place = (typeof Place)[keyof typeof Place];

/** `ns` nanoseconds of one category between `from` and `to`. */
export interface Interval {
  /** By its index: see known.ts. */
  readonly category: number;
  readonly phase: Phase;
  readonly place: Place;
  readonly from: number;
  readonly to: number;
  readonly ns: number;
}

/** The intervals of one slice. The list is used again for the next: slices are too many to make objects for each. */
export class Intervals {
  readonly #all: { -readonly [K in keyof Interval]: Interval[K] }[] = [];
  length = 0;

  at(index: number): Interval {
    return this.#all[index] as Interval;
  }

  clear(): void {
    this.length = 0;
  }

  add(category: number, phase: Phase, place: Place, from: number, to: number, ns: number): void {
    const free = this.#all[this.length++];
    if (!free) {
      this.#all.push({ category, phase, place, from, to, ns });
      return;
    }
    free.category = category;
    free.phase = phase;
    free.place = place;
    free.from = from;
    free.to = to;
    free.ns = ns;
  }
}
