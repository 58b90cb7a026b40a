import type { GuardClock } from './clock.ts';

const FIRST_MS = 1000;
const LAST_MS = 60_000;

/** Calls again later, and later still while it does not help. No timer while nobody asks. */
export class Retry {
  readonly #clock: GuardClock;
  readonly #run: () => void;
  #wait = FIRST_MS;
  #cancel: (() => void) | undefined;

  /** `run` asks for the next time through {@link soon}. */
  constructor(clock: GuardClock, run: () => void) {
    this.#clock = clock;
    this.#run = run;
  }

  soon(): void {
    if (this.#cancel) return;
    this.#cancel = this.#clock.after(this.#wait, () => {
      this.#cancel = undefined;
      this.#wait = Math.min(this.#wait * 2, LAST_MS);
      this.#run();
      if (!this.#cancel) this.#wait = FIRST_MS;
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
