import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `probe` is true; throws with what it last saw after the deadline. Emulated machines are slow: be generous. */
export async function eventually(
  what: string | (() => string),
  probe: () => boolean | Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await probe())) {
    if (performance.now() > end)
      throw new Error(`not within ${deadlineMs / 1000} s: ${typeof what === 'string' ? what : what()}`);
    await sleep(20);
  }
}
