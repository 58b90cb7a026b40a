import type { KernelCategory } from '@prewake/sdk/protocol';
import type { EventRecord, ExitRecord, ForkRecord, Slice } from './slice.ts';

/** Where a category's figures come from on this machine, best tier first, or why there are none. */
export interface CategorySource {
  category: KernelCategory;
  tier: 'tp_btf' | 'fentry' | 'kprobe' | 'counters' | 'unavailable';
  /** What is missing, in a sentence, where the tier is not the best one or has no times: `doctor` prints it. */
  reason?: string;
}

export interface RecordSink {
  slice(slice: Slice): void;
  fork(fork: ForkRecord): void;
  exit(exit: ExitRecord): void;
  /** Single requests and calls; a recorder gives them only where it was told to. */
  event?(event: EventRecord): void;
}

export interface DrainResult {
  records: number;
  /** Records that a full ring dropped since the last drain. */
  lost: number;
}

/** Writes slices of tracked processes. Nothing of it runs while it is detached. */
export interface Recorder {
  readonly source: 'bpf' | 'schedstat' | 'none';
  /** Why not the best source, where it is not. */
  readonly reason: string | undefined;
  readonly categories: readonly CategorySource[];
  /** {@link Known} bits that the loaded programs can fill in. */
  readonly known: number;
  readonly attached: boolean;
  /** CLOCK_MONOTONIC nanoseconds of the last attach; 0 while detached. A step that began before is unknown. */
  readonly attachedAt: number;
  attach(): void;
  detach(): void;
  /**
   * Follow the threads of a process and every child that it spawns from now on.
   * @param startTime that of the process meant, where its pid may be another's by now; default whoever has it
   */
  track(tgid: number, startTime?: string): void;
  /** Those that are followed for another tracked process's sake as well, nearer or further, stay followed. */
  untrack(tgid: number): void;
  /**
   * Reads what the ring holds. Never blocks. Ascending by switch-out within a CPU, not across CPUs.
   * The slice that a thread is in the middle of is not there yet.
   */
  drain(sink: RecordSink): DrainResult;
  /** Called when the ring is half full, from an event that does not poll. */
  onPressure: (() => void) | undefined;
  /**
   * The CPU on which a thread is or last ran, as of now, and the one that handled its last wakeup's event; -1 where
   * this recorder can't tell at once.
   */
  lastCpu(tid: number): { home: number; completion: number };
  close(): void;
}
