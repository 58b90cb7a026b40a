import { type BudgetFrame, type Micros, toKey } from '@prewake/sdk/protocol';

/** What sessions are told of a bucket. A cgroup's path may be longer than a line: its name is cut like a key. */
export function budgetFrame(change: {
  bucket: string;
  state: BudgetFrame['state'];
  at: Micros;
  retryMs: number;
}): BudgetFrame {
  const { bucket, state, at, retryMs } = change;
  const frame: BudgetFrame = { type: 'budget', state, bucket: toKey(bucket), at };
  return Number.isFinite(retryMs) ? { ...frame, retryMs } : frame;
}
