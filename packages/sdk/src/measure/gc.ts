import { PerformanceObserver, performance } from 'node:perf_hooks';
import { guarded } from '../guarded.ts';
import { type ClientFrame, type Micros, monotonicMicros } from '../protocol/index.ts';

/** Pauses in one frame. */
const PAIRS = 80;

export interface Pause {
  at: Micros;
  /** Microseconds. */
  duration: Micros;
}

/** The collector's pauses on this thread, as they become known: one turn of the event loop late. */
export class GcObserver {
  readonly #observer: PerformanceObserver;
  /** performance.now() and the monotonic clock are the same clock with different zeros. */
  readonly #zero: Micros;
  readonly #onPause: (pause: Pause) => void;
  #pending: number[] = [];

  constructor(onPause: (pause: Pause) => void) {
    this.#onPause = onPause;
    this.#zero = monotonicMicros() - performance.now() * 1e3;
    this.#observer = new PerformanceObserver((list) => guarded(() => this.#take(list.getEntries())));
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  /** Takes what is there already. */
  poll(): void {
    this.#take(this.#observer.takeRecords());
  }

  close(): void {
    this.#observer.disconnect();
  }

  drain(thread: number): ClientFrame[] {
    const frames: ClientFrame[] = [];
    for (let i = 0; i < this.#pending.length; i += 2 * PAIRS) {
      frames.push({ type: 'gc', thread, pauses: this.#pending.slice(i, i + 2 * PAIRS) });
    }
    if (frames.length > 0) this.#pending = [];
    return frames;
  }

  #take(entries: { startTime: number; duration: number }[]): void {
    if (entries.length === 0) return;
    const pauses = entries
      .map((entry) => ({ at: this.#zero + entry.startTime * 1e3, duration: entry.duration * 1e3 }))
      .sort((a, b) => a.at - b.at);
    for (const pause of pauses) {
      this.#onPause(pause);
      const at = Math.round(pause.at * 1e3) / 1e3;
      const before = this.#pending.at(-2) ?? 0;
      this.#pending.push(Math.max(at, before), Math.round(pause.duration * 1e3) / 1e3);
    }
    // Nobody may be there to read them.
    if (this.#pending.length > 1024) this.#pending.splice(0, this.#pending.length - 1024);
  }
}
