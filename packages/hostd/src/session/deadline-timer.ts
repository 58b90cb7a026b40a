import type { Micros } from '@prewake/sdk/protocol';

/** One timer for one absolute time. It may fire early, or for nothing: whoever is called looks. */
export interface DeadlineTimer {
  /** Replaces what was set before. */
  set(due: Micros): void;
  clear(): void;
  /** Clears it, for good. */
  close(): void;
}
