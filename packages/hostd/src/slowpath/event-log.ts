import type { EventRecord } from '../kernel/slice.ts';
import type { StatsStep } from './stats/slowpath-stats.ts';

/** Single requests and calls that wait for the frames that tell whose they are, as slices do. */
export class EventLog {
  #events: EventRecord[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @returns false where there was no room. */
  add(event: EventRecord): boolean {
    if (this.#events.length >= this.#limit) return false;
    this.#events.push({ ...event });
    return true;
  }

  /** Hands on what ended up to `until`, with the steps that ran when it began. */
  settle(
    until: number,
    ownersAt: (event: EventRecord, t: number) => readonly StatsStep[],
    settled: (event: EventRecord, steps: readonly StatsStep[]) => void,
  ): void {
    if (this.#events.length === 0) return;
    const later: EventRecord[] = [];
    for (const event of this.#events) {
      if (event.at > until) later.push(event);
      else settled(event, ownersAt(event, event.at - event.durationNs));
    }
    this.#events = later;
  }
}
