import type { Recorder } from '../recorder.ts';
import type { EventRecord, ExitRecord, ForkRecord, Slice } from '../slice.ts';

/** For tests: copies of all records that were drained. */
export class Collector {
  readonly slices: Slice[] = [];
  readonly forks: ForkRecord[] = [];
  readonly events: EventRecord[] = [];
  readonly exits: ExitRecord[] = [];
  lost = 0;

  drain(recorder: Recorder): this {
    this.lost += recorder.drain({
      slice: (slice) => void this.slices.push({ ...slice }),
      event: (event) => void this.events.push(event),
      fork: (fork) => void this.forks.push(fork),
      exit: (exit) => void this.exits.push(exit),
    }).lost;
    return this;
  }
}
