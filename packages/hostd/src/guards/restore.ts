import { errorCode } from '../kernel/libc.ts';
import type { Guard, GuardId, Target } from './guard.ts';
import type { Claim } from './journal-format.ts';
import { targetKey } from './target.ts';

/** What became of one claim. */
export interface RestoreEntry {
  guard: GuardId;
  target: string;
  /**
   * `restored`: the original was written. `already`: it read as the original. `foreign`: another writer's value
   * was left alone. `gone`: the control or the task no longer exists. `pending`: it cannot be reached now (an
   * offline CPU) and must be tried again. `failed`: it could not be written at all.
   */
  outcome: 'restored' | 'already' | 'foreign' | 'gone' | 'pending' | 'failed';
  original: string;
  found: string | undefined;
  /** Why, where it was not restored. */
  reason: string | undefined;
}

/** EBUSY, ENXIO: the CPU or its policy is offline. The value is kept by the kernel and comes back with it. */
const OFFLINE = new Set(['EBUSY', 'ENXIO', 'EAGAIN']);
const GONE = new Set(['ENOENT', 'ENODEV', 'ESRCH']);

/**
 * Puts back what a claim holds, if it still reads as one of our writes left it. There is no compare-and-swap in
 * sysfs: a foreign write between the read and the write here is lost.
 *
 * @param claimed all targets of this guard that have a claim
 */
export function restoreClaim(guard: Guard, claim: Claim, claimed: Iterable<Target>): RestoreEntry {
  const { target, original } = claim;
  const entry = (
    outcome: RestoreEntry['outcome'],
    found: string | undefined,
    reason?: string,
  ): RestoreEntry => ({ guard: guard.id, target: targetKey(target), outcome, original, found, reason });

  const last = claim.writes.at(-1)?.value ?? original;
  let found: string | undefined;
  try {
    guard.restoreHeirs?.(target, last, original, claimed);
    found = guard.read(target);
    const now = found;
    // What was read is then expected and not seen: after our own last write somebody who held it may have written.
    if (guard.pending?.(target)) {
      guard.write(target, original);
      return entry('restored', found);
    }
    // A write without a read-back may not have happened: what came before it may still be there.
    const ours = claim.writes.some((write) => guard.isOurs(target, write.value, write.readBack, now));
    if (!ours && found === original) {
      // Or the writer died before the kernel had applied its write, which then comes into force now.
      if (guard.pending && claim.writes.at(-1)?.readBack === undefined) guard.write(target, original);
      return entry('already', found);
    }
    if (!ours) return entry('foreign', found, `reads ${found}, which is not what was written (${last})`);
    guard.write(target, original);
    return entry('restored', found);
  } catch (error) {
    const code = errorCode(error);
    const message = error instanceof Error ? error.message : String(error);
    if (code !== undefined && GONE.has(code)) return entry('gone', found, message);
    if (code !== undefined && OFFLINE.has(code)) return entry('pending', found, message);
    return entry('failed', found, message);
  }
}
