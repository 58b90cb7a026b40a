/**
 * Whose code ran on a thread, from the SDK's marks: a step's id, '' for no step's code, `undefined` while nothing
 * is marked. Marks of one thread, kept ascending; they may arrive late and out of order.
 */
export class RunMarks {
  readonly #at: number[] = [];
  readonly #who: (string | undefined)[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns the time of the newest mark that had to be forgotten, 0 where there was room. */
  add(at: number, who: string | undefined): number {
    let i = this.#at.length;
    while (i > 0 && (this.#at[i - 1] as number) > at) i--;
    if (i === this.#at.length) {
      this.#at.push(at);
      this.#who.push(who);
    } else {
      this.#at.splice(i, 0, at);
      this.#who.splice(i, 0, who);
    }
    if (this.#at.length <= this.#limit) return 0;
    const half = this.#limit >> 1;
    const forgotten = this.#at[half - 1] as number;
    this.#at.splice(0, half);
    this.#who.splice(0, half);
    return forgotten;
  }

  /** The mark in force at `t`. */
  at(t: number): string | undefined {
    const i = this.#after(t);
    return i === 0 ? undefined : this.#who[i - 1];
  }

  /** Every mark with from < at < to. */
  between(from: number, to: number, visit: (at: number, who: string | undefined) => void): void {
    for (let i = this.#after(from); i < this.#at.length && (this.#at[i] as number) < to; i++)
      visit(this.#at[i] as number, this.#who[i]);
  }

  /** Forgets what no time from `before` on needs. */
  prune(before: number): void {
    const keep = this.#after(before) - 1;
    if (keep <= 0) return;
    this.#at.splice(0, keep);
    this.#who.splice(0, keep);
  }

  /** Index of the first mark later than t. */
  #after(t: number): number {
    let low = 0;
    let high = this.#at.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#at[middle] as number) <= t) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
