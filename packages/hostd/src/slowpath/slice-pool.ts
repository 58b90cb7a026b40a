import { StoredSlice } from './stored-slice.ts';

/**
 * Objects for slices that are used again and again: a new one for each keeps the garbage collector busy. There are as
 * many as were ever kept at the same time.
 */
export class SlicePool {
  readonly #free: StoredSlice[] = [];

  take(): StoredSlice {
    return this.#free.pop() ?? new StoredSlice();
  }

  /** Nobody looks at these any more. */
  give(slices: readonly StoredSlice[]): void {
    for (const slice of slices) this.#free.push(slice);
  }
}
