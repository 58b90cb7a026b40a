import type { Micros } from '@prewake/sdk/protocol';
import type { PolicyConfig } from './config.ts';
import type { BenefitEstimate } from './plan/benefit.ts';
import { medianOf } from './predict/histogram.ts';
import type { UserPolicy } from './user-policy.ts';

/** What is known of one class, for people. */
export interface ClassSummary {
  kind: string;
  /** Parts of a wait that a signal begins are classes of their own: `gpt-4o first`. */
  key: string;
  /** Waits learned from. */
  waits: number;
  /** Median of recent waits, microseconds, to a bin of the grid; null before the first. */
  medianUs: Micros | null;
  /** Measured gain of arming; null before there is enough evidence. */
  benefit: BenefitEstimate | null;
  /** False where measurement found no gain, and nothing is armed. */
  armed: boolean;
}

export function summarize({ predictor, extras }: UserPolicy, config: PolicyConfig): ClassSummary[] {
  const limits = { samples: config.benefitSamples, minBenefitNs: config.minBenefitNs };
  return [...predictor.classes.values()].map(({ id, kind, key, histogram }) => {
    const known = extras.peek(id);
    return {
      kind,
      key: key.replace('\0', ' '),
      waits: histogram.events,
      medianUs: histogram.events > 0 ? medianOf(histogram) : null,
      benefit: known?.benefit.estimate(limits) ?? null,
      armed: known?.gains ?? true,
    };
  });
}
