import type { Availability } from '../guards/guard.ts';
import type { CategorySource } from '../kernel/recorder.ts';
import { paint, table } from './output.ts';
import type { Verified } from './verify.ts';

/** The guards of a machine: which are chosen, which could be, and why. */
export function guardTable(guards: readonly Availability[]): string {
  const state = ({ chosen, available }: Availability) =>
    chosen ? 'chosen' : available ? 'available' : 'unavailable';
  return table(
    ['guard', 'state', 'why'],
    guards.map((guard) => [guard.guard, state(guard), guard.reason]),
    paint('yellow', 'no guard has been probed'),
  );
}

/** Where each slowpath category comes from, and what is missing for a better source. */
export function categoryTable(categories: readonly CategorySource[]): string {
  return table(
    ['category', 'source', 'what it lacks'],
    categories.map(({ category, tier, reason }) => [category, tier, reason ?? '']),
    'no category is known',
  );
}

/** What guards did when they were tried. */
export function verifiedTable(verified: readonly Verified[]): string {
  const verdict = ({ works }: Verified) =>
    works === undefined ? 'unknown' : works ? 'works' : 'does nothing';
  return table(
    ['guard', 'verdict', 'what was seen'],
    verified.map((one) => [one.guard, verdict(one), one.seen]),
    'no guard is chosen: nothing to verify',
  );
}
