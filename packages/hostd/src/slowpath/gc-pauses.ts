/** The collector's pauses on one thread, as its client tells them: ascending, nanoseconds. */
export class GcPauses {
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(from: number, ns: number): void {
    // They come in order; one that does not would only be counted twice.
    if (from < (this.#to.at(-1) ?? 0)) return;
    if (this.#from.length >= this.#limit) this.prune(this.#to[this.#limit >> 1] as number);
    this.#from.push(from);
    this.#to.push(from + ns);
  }

  /** How much of [from, to] was paused, nanoseconds. */
  within(from: number, to: number): number {
    let ns = 0;
    for (let i = this.#to.length - 1; i >= 0 && (this.#to[i] as number) > from; i--)
      ns += Math.max(0, Math.min(this.#to[i] as number, to) - Math.max(this.#from[i] as number, from));
    return ns;
  }

  prune(before: number): void {
    let n = 0;
    while (n < this.#to.length && (this.#to[n] as number) < before) n++;
    this.#from.splice(0, n);
    this.#to.splice(0, n);
  }
}
