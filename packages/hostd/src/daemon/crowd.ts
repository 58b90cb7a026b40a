/** How many of something each user has, up to a limit: what one user does must not take it from the others. */
export class Crowd {
  readonly #limit: number;
  readonly #counts = new Map<number, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns what counts it out again (once), or undefined where the user has the limit already */
  enter(uid: number | undefined): (() => void) | undefined {
    if (uid === undefined) return undefined;
    const count = this.#counts.get(uid) ?? 0;
    if (count >= this.#limit) return undefined;
    this.#counts.set(uid, count + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const others = (this.#counts.get(uid) ?? 1) - 1;
      if (others > 0) this.#counts.set(uid, others);
      else this.#counts.delete(uid);
    };
  }
}
