import { BINS } from './grid.ts';
import { hashOf } from './key-table.ts';

/** Bins that are corrected alike: a bit more than an octave. */
const REGION = 6;
const REGIONS = BINS / REGION;
/** Contexts that are kept: a power of 2. */
const ROWS = 1024;
/** Where the row begins that stays zero. */
const NONE = ROWS * 2 * REGIONS;
/** How much of what wakeups were too many or too few is taken up, and after how many expected ones half of that. */
const RATE = 0.5;
const CAUTION = 20;
/** Expected wakeups that are remembered: classes change. */
const MEMORY = 200;
/** One long wait was expected to end more often than this by chance only. */
const MOST_EXPECTED = 3;
/** No correction makes a hazard more than e^1.5 times what it is, or less than that part. */
const MOST = 1.5;
const MOST_WORTH = 8;

/** Contexts of one wait by which it is corrected; NaN where one does not apply. */
export type CorrectionKeys = readonly [number, number];

/**
 * What the mixture still gets wrong, by context: experts differ from the class each for itself, and where they say
 * the same or one alone knows, weights for all their contexts can't be right. In each region of time a context's
 * correction grows where more waits ended than were expected with it, and shrinks where fewer did.
 *
 * A table of fixed size: a context that comes often is not displaced by one that comes once.
 */
export class Corrections {
  readonly #keys = new Float64Array(ROWS);
  readonly #worth = new Uint8Array(ROWS);
  /** Of each row: corrections of the log hazard, then wakeups expected so far, by region. */
  readonly #rows = new Float32Array((ROWS + 1) * 2 * REGIONS);

  /** Adds what is known of two contexts; NaN is none. */
  apply([first, second]: CorrectionKeys, logHazards: Float64Array): void {
    const one = this.#find(first);
    const other = this.#find(second);
    if (one === NONE && other === NONE) return;
    const rows = this.#rows;
    for (let r = 0, b = 0; r < REGIONS; r++) {
      const more = (rows[one + r] as number) + (rows[other + r] as number);
      for (const end = b + REGION; b < end; b++) logHazards[b] = (logHazards[b] as number) + more;
    }
  }

  /**
   * @param expected wakeups in each bin up to `last`, as predicted with corrections
   * @param bin in which the wait ended; `last` or beyond the grid
   */
  learn(keys: CorrectionKeys, expected: Float64Array, last: number, bin: number): void {
    for (const key of keys) {
      const at = Number.isNaN(key) ? -1 : this.#claim(key);
      if (at < 0) continue;
      for (let r = 0, b = 0; b <= last; r++) {
        let sum = 0;
        for (const end = Math.min(b + REGION, last + 1); b < end; b++) sum += expected[b] as number;
        const ended = bin < b && bin === last ? 1 : 0;
        this.#correct(at + r, ended, sum);
      }
    }
  }

  /** For a state file: contexts, their corrections and expected wakeups, to a thousandth. */
  save(): [number, number[]][] {
    return [...this.#keys.entries()]
      .filter(([, key]) => key !== 0)
      .map(([row, key]) => {
        const values = this.#rows.subarray(row * 2 * REGIONS, (row + 1) * 2 * REGIONS);
        return [key, Array.from(values, (value) => Math.round(value * 1000) / 1000)];
      });
  }

  /** @throws RangeError where it is not what was saved */
  restore(saved: readonly [number, number[]][]): void {
    for (const [key, row] of saved) {
      const valid = (value: number, i: number) =>
        i < REGIONS ? Math.abs(value) <= MOST : value >= 0 && value <= MEMORY;
      if (!(Number.isSafeInteger(key) && key > 0 && row.length === 2 * REGIONS && row.every(valid))) {
        throw new RangeError('no corrections');
      }
      const at = this.#claim(key);
      if (at >= 0) this.#rows.set(row, at);
    }
  }

  #correct(at: number, ended: number, expected: number): void {
    const so = this.#rows[at + REGIONS] as number;
    const all = Math.min(MEMORY, so + expected);
    this.#rows[at + REGIONS] = all;
    const more = (RATE * Math.max(-MOST_EXPECTED, ended - expected)) / (all + CAUTION);
    this.#rows[at] = Math.min(MOST, Math.max(-MOST, (this.#rows[at] as number) + more));
  }

  /** Where a context's row begins. */
  #find(key: number): number {
    const row = hashOf(key) & (ROWS - 1);
    return this.#keys[row] === key ? row * 2 * REGIONS : NONE;
  }

  /** The same, with a new row where that which is in its place has not come of late. */
  #claim(key: number): number {
    const row = hashOf(key) & (ROWS - 1);
    const worth = this.#worth[row] as number;
    const at = row * 2 * REGIONS;
    if (this.#keys[row] === key) {
      this.#worth[row] = Math.min(MOST_WORTH, worth + 1);
      return at;
    }
    if (worth > 0) {
      this.#worth[row] = worth - 1;
      return -1;
    }
    this.#keys[row] = key;
    this.#worth[row] = 1;
    this.#rows.fill(0, at, at + 2 * REGIONS);
    return at;
  }
}
