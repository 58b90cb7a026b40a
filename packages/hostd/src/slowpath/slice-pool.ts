import { StoredSlice } from './stored-slice.ts';

/** So many are kept for later at most: about what half a ring holds. */
const MOST = 16_384;

/** Objects for slices that are used again and again: a new one for each keeps the garbage collector busy. */
export class SlicePool {
  readonly #free: StoredSlice[] = [];

  take(): StoredSlice {
    return this.#free.pop() ?? new StoredSlice();
  }

  /** Nobody looks at these any more. */
  give(slices: readonly StoredSlice[]): void {
    for (let i = 0; i < slices.length && this.#free.length < MOST; i++)
      this.#free.push(slices[i] as StoredSlice);
  }
}
