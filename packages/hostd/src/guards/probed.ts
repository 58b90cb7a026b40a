import type { Availability, GuardId } from './guard.ts';

/**
 * What a guard's probe found: why it is `missing`, else `how` it works here. Whether it is chosen is not for a guard
 * to say.
 */
export function probed(guard: GuardId, missing: string | undefined, how: string): Availability {
  return { guard, available: missing === undefined, chosen: false, reason: missing ?? how };
}
