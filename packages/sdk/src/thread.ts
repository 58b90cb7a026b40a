import { readlinkSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/**
 * The kernel's id of this thread, for a worker; undefined for the main thread, whose id is the process's, and where
 * it can't be known. Node has no gettid: procfs answers with one link, read once a worker.
 */
export function currentThread(): number | undefined {
  if (isMainThread) return undefined;
  try {
    const tid = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    return Number.isSafeInteger(tid) ? tid : undefined;
  } catch {
    return undefined;
  }
}
