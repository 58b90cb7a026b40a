import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMicros, PrewakeError } from '@prewake/sdk/protocol';
import { KINDS } from './choose.ts';
import { createGuardController } from './create.ts';
import type { GuardId, WindowRequest } from './guard.ts';
import { targetKey } from './target.ts';

export interface VerifyOptions {
  guard: GuardId;
  cpu: number;
  /** The thread on which a task guard is tried: one of another process. */
  task?: WindowRequest['tasks'][number];
  root?: string;
  runtimeDir: string;
  /** How long the guard is held, seconds; default 0.3. */
  seconds?: number;
  /** The limit asked for, microseconds; default 0. */
  latencyUs?: number;
  waitMs?: number;
}

export interface Verdict {
  guard: GuardId;
  target: string;
  value: string;
  /** Undefined: nothing happened on the target meanwhile, so nothing can be said. */
  works: boolean | undefined;
  /** What the counters showed, in a sentence. */
  seen: string;
}

/**
 * Arms one guard for a moment and looks at its effect, not at its control: some drivers accept a value and ignore
 * it. Everything is put back before it returns.
 *
 * @throws PrewakeError PREWAKE_GUARD_UNAVAILABLE where the guard cannot be armed here, with the reason.
 */
export async function verifyGuard(options: VerifyOptions): Promise<Verdict> {
  const { guard: id, cpu, task, seconds = 0.3, latencyUs = 0, root, runtimeDir, waitMs } = options;
  const config = Object.fromEntries(
    Object.entries(KINDS).map(([kind, ids]) => [kind, ids.includes(id) ? id : 'off']),
  );
  const guards = await createGuardController({
    runtimeDir,
    config,
    ...(root === undefined ? {} : { root }),
    ...(waitMs === undefined ? {} : { waitMs }),
  });
  try {
    const guard = guards.guards.find((one) => one.id === id);
    const found = guards.availability.find((one) => one.guard === id);
    const why = found?.available ? (guards.reason ?? found.reason) : found?.reason;
    const refuse = (reason: string) => new PrewakeError('PREWAKE_GUARD_UNAVAILABLE', `${id}: ${reason}`);
    if (!guard || guards.mode !== 'arm') throw refuse(why ?? 'not on this machine');
    const failures: string[] = [];
    guards.onEvent = (event) => {
      if (event.type === 'failed') failures.push(event.message);
    };
    guards.arm({
      owner: 'verify',
      reason: 'verify',
      cpus: [cpu],
      tasks: task ? [task] : [],
      latencyUs,
      expiresAt: monotonicMicros() + (seconds + 10) * 1e6,
    });
    const lease = guards.leases()[0];
    if (!lease) throw refuse(failures.join('; ') || 'could not be armed');
    // The state in which the limit found the CPU is counted when it is left: give it a moment.
    await sleep(20);
    const before = guard.effect?.(lease.target) ?? {};
    await sleep(seconds * 1000);
    const after = guard.effect?.(lease.target) ?? {};
    const judged = guard.judge?.(lease.target, lease.wanted, before, after) ?? {
      works: undefined,
      seen: 'no effect to look at',
    };
    return { guard: id, target: targetKey(lease.target), value: lease.wanted, ...judged };
  } finally {
    guards.close();
  }
}
