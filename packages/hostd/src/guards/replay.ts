import { statSync } from 'node:fs';
import { PrewakeError } from '@prewake/sdk/protocol';
import { bootId, startTime } from '../kernel/identity.ts';
import { type Kernel, openKernel } from '../kernel/kernel.ts';
import { errorCode } from '../kernel/libc.ts';
import type { SyscallTap } from '../kernel/writer.ts';
import { buildGuards, type GuardSet } from './build-guards.ts';
import type { GuardId } from './guard.ts';
import { demandPrivate, Journal, loadJournal, restoreBehind } from './journal.ts';
import type { Claim, Owner } from './journal-format.ts';
import { withJournalLock } from './lock.ts';
import { type RestoreEntry, restoreClaim } from './restore.ts';
import { targetKey } from './target.ts';

/** What a restore found and did. */
export interface RestoreReport {
  entries: RestoreEntry[];
  /** Claims that could not be put back yet. */
  left: Claim[];
  /** The journal's writer, if it is still alive: its leases were voided. */
  livingOwner: number | undefined;
}

const NOTHING: RestoreReport = { entries: [], left: [], livingOwner: undefined };

export interface RestoreOptions {
  /** Default `/`. */
  root?: string;
  runtimeDir: string;
  tap?: SyscallTap | undefined;
}

/**
 * Puts back everything that the journal in `runtimeDir` says is still changed: for `prewake restore` and the
 * service manager's stop step. Where its hostd is still alive, that one's leases are void from now on.
 *
 * @throws PrewakeError PREWAKE_RESTORE_FAILED where the journal cannot be read or written (not root), or trusted.
 *   A control that cannot be put back is no error: its entry says why.
 */
export function restore(options: RestoreOptions): RestoreReport {
  const { runtimeDir } = options;
  if (!isThere(runtimeDir)) return NOTHING;
  const kernel = openKernel(options.root, { tap: options.tap });
  try {
    return replayJournal(kernel, buildGuards(kernel), runtimeDir);
  } catch (cause) {
    const message = `the guard journal in ${runtimeDir} cannot be replayed: ${(cause as Error).message}`;
    throw new PrewakeError('PREWAKE_RESTORE_FAILED', message, { cause });
  } finally {
    kernel.close();
  }
}

/** Not so where it may not be looked for: that is an error. */
function isThere(dir: string): boolean {
  try {
    return statSync(dir).isDirectory();
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return false;
    throw new PrewakeError('PREWAKE_RESTORE_FAILED', `${dir} cannot be looked into`, { cause });
  }
}

/** {@link restore} with guards that are there already. Leaves an empty journal, unless its owner lives. */
export function replayJournal(kernel: Kernel, guards: GuardSet, dir: string): RestoreReport {
  demandPrivate(dir);
  return withJournalLock(dir, () => {
    const { owner, claims } = loadJournal(dir);
    if (!owner || claims.size === 0) return NOTHING;
    // What another boot wrote is gone with it.
    if (owner.bootId !== bootId(kernel.files)) return NOTHING;
    const putBack = () => restoreAll(guards, [...claims.values()]);
    if (isAlive(kernel, owner)) return { ...restoreBehind(dir, putBack), livingOwner: owner.pid };
    const report = putBack();
    const journal = new Journal(dir, owner, kernel.writer, report.left);
    journal.close();
    return report;
  });
}

/** Puts back each claim; one that fails does not keep the next from its turn. Task controls come last made, first restored. */
export function restoreAll(guards: GuardSet, claims: readonly Claim[]): RestoreReport {
  const entries: RestoreEntry[] = [];
  const left: Claim[] = [];
  const targetsOf = (id: GuardId) => claims.filter(({ guard }) => guard === id).map(({ target }) => target);
  for (const claim of [...claims].reverse()) {
    const guard = guards.get(claim.guard);
    const entry: RestoreEntry = guard
      ? restoreClaim(guard, claim, targetsOf(claim.guard))
      : {
          guard: claim.guard,
          target: targetKey(claim.target),
          outcome: 'failed',
          original: claim.original,
          found: undefined,
          reason: 'unknown guard',
        };
    entries.push(entry);
    if (entry.outcome === 'pending' || entry.outcome === 'failed') left.push(claim);
  }
  return { entries, left, livingOwner: undefined };
}

/** This process as the owner of a journal. */
export function selfOwner(kernel: Kernel): Owner {
  const { pid } = process;
  return { bootId: bootId(kernel.files), pid, startTime: startTime(kernel.files, pid) ?? '0' };
}

function isAlive(kernel: Kernel, owner: Owner): boolean {
  const start = startTime(kernel.files, owner.pid);
  return start !== undefined && start === owner.startTime;
}
