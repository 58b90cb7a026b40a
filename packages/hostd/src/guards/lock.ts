import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryLock } from '../kernel/lock.ts';

/**
 * Takes the machine's controls for this process. Two writers that each take the other's value for the original
 * would leave it behind, so there is one hostd for one set of controls. The lock is a file that root alone can
 * open: anyone may flock(2) what he can read.
 *
 * Returns what gives them back, or undefined if another process kept them for `waitMs`. Errors are Node's:
 * EACCES for all but root.
 */
export async function lockControls(root: string, waitMs: number): Promise<(() => void) | undefined> {
  const dir = join(root, 'run/prewake');
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const fd = openSync(join(dir, 'controls.lock'), 'a', 0o600);
  for (let waited = 0; !tryLock(fd); waited += 25) {
    if (waited >= waitMs) {
      closeSync(fd);
      return undefined;
    }
    await sleep(25);
  }
  return () => closeSync(fd);
}

/**
 * Runs with the journal's directory locked, so that a guardian and a new hostd do not restore at once. After
 * two seconds it runs anyway: restoring twice does no harm, a stopped holder must not keep others from it.
 */
export function withJournalLock<T>(dir: string, run: () => T): T {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const fd = openSync(join(dir, 'guards.lock'), 'a', 0o600);
  try {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let waited = 0; waited < 2000 && !tryLock(fd); waited += 10) Atomics.wait(pause, 0, 0, 10);
    return run();
  } finally {
    closeSync(fd);
  }
}
