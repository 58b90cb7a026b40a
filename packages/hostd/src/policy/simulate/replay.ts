import { defaultPolicyConfig, type PolicyConfig } from '../config.ts';
import type { PlannedWindow } from '../facts.ts';
import { createPolicy } from '../learned-policy.ts';
import type { TraceRow } from './trace.ts';

export interface ReplayOptions {
  /** Part of all wait time that may be armed, 0–1. */
  armedShare: number;
  leadUs: number;
}

/**
 * Runs a trace through the policy of the daemon, on the trace's own clock: for each row what it planned at the
 * wait's start, when it knew the rows before, each as ended, and of the row itself session, kind, key, start and
 * input tokens.
 */
export function* replay(
  rows: Iterable<TraceRow>,
  { armedShare, leadUs }: ReplayOptions,
): Generator<{ row: TraceRow; windows: readonly PlannedWindow[] }> {
  const config: PolicyConfig = {
    ...defaultPolicyConfig,
    armedShare,
    leadUs,
    // The share holds for the trace as a whole, from its first wait on.
    startCreditMs: 0,
    // A trace has no wakeup costs, so there is no benefit to keep honest.
    holdout: 0,
  };
  const policy = createPolicy(config, { random: () => 0.5 });
  let index = 0;
  for (const row of rows) {
    const wait = String(index++);
    const at = row.startMs * 1000;
    const { windows } = policy.waitStarted({
      wait,
      session: row.session,
      payer: { user: 0, cgroup: '/' },
      kind: row.kind,
      key: row.key,
      at,
      inputTokens: row.inputTokens,
    });
    yield { row, windows };
    policy.waitEnded({ wait, at: at + row.waitMs * 1000 });
  }
}
