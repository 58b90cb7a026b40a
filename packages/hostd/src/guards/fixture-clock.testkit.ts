import type { GuardClock } from './clock.ts';

/** For tests: a clock that moves when it is told to. Times in microseconds. */
export class FixtureClock implements GuardClock {
  #now = 1e9;
  #suspended = 0;
  #timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  suspended(): number {
    return this.#suspended;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms * 1000, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get timers(): number {
    return this.#timers.length;
  }

  suspend(micros: number): void {
    this.#suspended += micros;
  }

  /** Moves on and fires what is due, in order. */
  advance(micros: number): void {
    const end = this.#now + micros;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
    }
    this.#now = end;
  }
}
