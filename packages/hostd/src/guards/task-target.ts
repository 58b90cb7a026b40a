import { monotonicMicros } from '@prewake/sdk/protocol';
import { startTime } from '../kernel/identity.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { allThreads, threadsBelow } from '../kernel/tasks.ts';
import type { Target, WindowRequest } from './guard.ts';

export type TaskTarget = Extract<Target, { type: 'task' }>;

export function taskTargets(window: WindowRequest): TaskTarget[] {
  return window.tasks.map(({ tgid, tid, startTime }) => ({ type: 'task', tgid, tid, startTime }));
}

/** A tid is not given to another thread within this time of its thread's being seen alive, microseconds. */
const FRESH_US = 1000;
const seen = { tid: 0, startTime: '', at: 0 };

/**
 * The tid, if it is still the same thread. Throws ESRCH where it is gone: what the control of another thread
 * reads is nobody's business here.
 */
export function liveTid(kernel: Kernel, target: Target): number {
  if (target.type !== 'task') throw new TypeError(`a task guard has no target ${target.type}`);
  const { tid, tgid, startTime: start } = target;
  const now = monotonicMicros();
  if (seen.tid === tid && seen.startTime === start && now - seen.at < FRESH_US) return tid;
  if (startTime(kernel.files, tid, tgid) !== start) {
    throw Object.assign(new Error(`thread ${tid} is gone`), { code: 'ESRCH' });
  }
  Object.assign(seen, { tid, startTime: start, at: now });
  return tid;
}

/** Whether it is still the same thread. */
export function isLive(kernel: Kernel, target: Target | undefined): boolean {
  if (!target) return false;
  try {
    return liveTid(kernel, target) > 0;
  } catch {
    return false;
  }
}

/**
 * The threads that may have inherited a control of the target: below its process while it lives; anywhere once
 * it is gone, for its children have another parent then (`anywhere` false: a value that others may have set
 * themselves is not looked for on the whole machine).
 */
export function possibleHeirs(kernel: Kernel, target: TaskTarget, anywhere: boolean): number[] {
  const tids =
    isLive(kernel, target) || !anywhere ? threadsBelow(kernel.files, target.tgid) : allThreads(kernel.files);
  return tids.filter((tid) => tid !== target.tid);
}

/**
 * Puts the original back in each heir that reads exactly as written and is not claimed itself; the number of heirs.
 * One that is gone is none.
 */
export function restoreEach(
  tids: readonly number[],
  written: string,
  read: (tid: number) => string,
  claimed: (tid: number) => boolean,
  restore: (tid: number) => void,
): number {
  let heirs = 0;
  for (const tid of tids) {
    try {
      if (read(tid) !== written || claimed(tid)) continue;
      restore(tid);
      heirs++;
    } catch {
      // It ended meanwhile.
    }
  }
  return heirs;
}
