import type { RecordSink } from '../recorder.ts';
import type { EventRecord, ExitRecord, ForkRecord, Slice } from '../slice.ts';
import { WakeCause } from '../slice.ts';

export interface LastCpu {
  home: number;
  completion: number;
}

/** Remembers, from the records that pass, where each thread last ran and which CPU woke it. */
export class LastCpus {
  readonly #cpus = new Map<number, LastCpu>();
  #sink: RecordSink | undefined;
  readonly #watch: RecordSink = {
    slice: (slice: Slice) => {
      this.#note(slice);
      this.#sink?.slice(slice);
    },
    fork: (fork: ForkRecord) => this.#sink?.fork(fork),
    event: (event: EventRecord) => this.#sink?.event?.(event),
    exit: (exit: ExitRecord) => {
      this.#cpus.delete(exit.tid);
      this.#sink?.exit(exit);
    },
  };

  /** The sink, seen through: valid until the next call. */
  watching(sink: RecordSink): RecordSink {
    this.#sink = sink;
    return this.#watch;
  }

  of(tid: number): LastCpu {
    return this.#cpus.get(tid) ?? { home: -1, completion: -1 };
  }

  clear(): void {
    this.#cpus.clear();
  }

  #note(slice: Slice): void {
    const known = this.#cpus.get(slice.tid);
    if (!known) {
      this.#cpus.set(slice.tid, { home: slice.cpu, completion: slice.wakerCpu });
      return;
    }
    known.home = slice.cpu;
    if (slice.cause !== WakeCause.none) known.completion = slice.wakerCpu;
  }
}
