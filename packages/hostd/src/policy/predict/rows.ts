/** Rows in one page: as long as one of them is used the page stays. */
const ROWS = 8;

/**
 * Room for rows of numbers in pages that they share: a buffer of its own for each costs more memory than the row
 * itself, and more time to collect.
 */
export class Rows {
  readonly #bytes: number;
  #page = new ArrayBuffer(0);
  #next = 0;

  /** @param bytes of a row */
  constructor(bytes: number) {
    this.#bytes = Math.ceil(bytes / 8) * 8;
  }

  /** A new row, all zero, and where in its page it begins. */
  take(): { page: ArrayBuffer; offset: number } {
    if (this.#next === this.#page.byteLength) {
      this.#page = new ArrayBuffer(ROWS * this.#bytes);
      this.#next = 0;
    }
    const offset = this.#next;
    this.#next += this.#bytes;
    return { page: this.#page, offset };
  }
}
