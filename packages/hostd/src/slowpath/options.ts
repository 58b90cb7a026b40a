import type { ThreadRole } from '../kernel/threads.ts';
import type { SlowpathStats } from './stats/slowpath-stats.ts';

/** What attribution needs to be told, and how much it may keep. */
export interface AttributionOptions {
  /** Whether a guard was armed on a CPU at a time (nanoseconds): see ArmedLog. */
  isCovered: (cpu: number, at: number) => boolean;
  /** What a thread of a session's own process is; called once for each. */
  threadRole: (tgid: number, tid: number) => ThreadRole;
  /** Is told of everything that is settled. */
  stats?: SlowpathStats | undefined;
  /** A step's largest slowpaths: how many (0–3), and above how many nanoseconds. */
  largest: { count: number; ns: number };
  /**
   * How long slices are kept for frames that may still tell whose they are, nanoseconds: `idle` after the threads
   * with steps have slept, by when their frames have been written, unless they slept in the middle of a turn of the
   * event loop; `busy` where they have not slept at all. A step whose frames come later than that is incomplete.
   */
  settleLagNs: { idle: number; busy: number };
  /** How long a step's report waits for the slice in which it ended. Nanoseconds. */
  graceNs: number;
  /**
   * For one process. `steps` and `waits`: open ones. What goes beyond is dropped, counted, and the steps that it
   * concerns are incomplete. `steps` is far below what a session may have open: there a step costs an entry in a
   * table, here each slice of its thread is held against all steps that were open then.
   */
  limits: {
    steps: number;
    waits: number;
    slices: number;
    marks: number;
    threads: number;
    processes: number;
    poolRequests: number;
  };
}

export const defaultAttributionOptions: AttributionOptions = {
  isCovered: () => false,
  threadRole: () => 'other',
  largest: { count: 3, ns: 100_000 },
  settleLagNs: { idle: 250e6, busy: 2e9 },
  graceNs: 150e6,
  limits: {
    steps: 512,
    waits: 4096,
    slices: 65_536,
    marks: 65_536,
    threads: 4096,
    processes: 4096,
    poolRequests: 4096,
  },
};
