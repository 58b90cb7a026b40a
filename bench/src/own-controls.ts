import { existsSync, writeFileSync } from 'node:fs';
import { resumeLimits } from './resume-limits.ts';

const LOCK = '/run/prewake/controls.lock';

/**
 * Runs a command that no hostd shall disturb, or whose own writes shall disturb none: with the lock that a hostd holds
 * while it arms. `run` gets what to put before the command. The CPUs' limits are as before afterwards, also when the
 * command was killed.
 */
export async function withControls<T>(run: (prefix: string[]) => Promise<T>): Promise<T> {
  const before = resumeLimits();
  try {
    return await run(
      existsSync(LOCK) ? ['flock', '--no-fork', '--nonblock', '--conflict-exit-code', '75', LOCK] : [],
    );
  } catch (error) {
    if (/ended with 75/.test((error as Error).message))
      throw new Error('a hostd holds the controls of this machine', { cause: error });
    throw error;
  } finally {
    for (const [cpu, limit] of resumeLimits().entries())
      if (limit !== before[cpu])
        writeFileSync(`/sys/devices/system/cpu/cpu${cpu}/power/pm_qos_resume_latency_us`, before[cpu] ?? '0');
  }
}
