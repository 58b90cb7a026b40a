import { KERNEL_CATEGORIES } from '@prewake/sdk/protocol';
import type { CategorySource, DrainResult, Recorder } from './recorder.ts';

/** Knows nothing, and says why. */
export class NoRecorder implements Recorder {
  readonly source = 'none';
  readonly known = 0;
  readonly attached = false;
  readonly attachedAt = 0;
  readonly reason: string;
  readonly categories: readonly CategorySource[];
  onPressure: (() => void) | undefined;

  constructor(reason: string) {
    this.reason = reason;
    this.categories = KERNEL_CATEGORIES.map((category) => ({ category, tier: 'unavailable', reason }));
  }

  attach(): void {}
  detach(): void {}
  track(): void {}
  untrack(): void {}

  drain(): DrainResult {
    return { records: 0, lost: 0 };
  }

  lastCpu(): { home: number; completion: number } {
    return { home: -1, completion: -1 };
  }

  close(): void {}
}
