import type { LearningPolicy } from './learned-policy.ts';
import type { PolicyState } from './state.ts';

/** For tests: what a policy has learned, as whoever reads its file finds it. */
export function savedState(policy: LearningPolicy): PolicyState {
  return JSON.parse([...policy.stateText()].join(''));
}
