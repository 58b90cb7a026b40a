import { startTime } from '../kernel/identity.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { allThreads, threadsBelow } from '../kernel/tasks.ts';
import type { Target, WindowRequest } from './guard.ts';

export type TaskTarget = Extract<Target, { type: 'task' }>;

export function taskTargets(window: WindowRequest): TaskTarget[] {
  return window.tasks.map(({ tgid, tid, startTime }) => ({ type: 'task', tgid, tid, startTime }));
}

/**
 * The tid, if it is still the same thread. Throws ESRCH where it is gone: what the control of another thread
 * reads is nobody's business here.
 */
export function liveTid(kernel: Kernel, target: Target): number {
  if (target.type !== 'task') throw new TypeError(`a task guard has no target ${target.type}`);
  if (startTime(kernel.files, target.tid, target.tgid) === target.startTime) return target.tid;
  throw Object.assign(new Error(`thread ${target.tid} is gone`), { code: 'ESRCH' });
}

/**
 * The threads that may have inherited a control of the target: below its process while it lives; anywhere once
 * it is gone, for its children have another parent then (`anywhere` false: a value that others may have set
 * themselves is not looked for on the whole machine).
 */
export function possibleHeirs(kernel: Kernel, target: TaskTarget, anywhere: boolean): number[] {
  let tids: number[];
  try {
    liveTid(kernel, target);
    tids = threadsBelow(kernel.files, target.tgid);
  } catch {
    tids = anywhere ? allThreads(kernel.files) : threadsBelow(kernel.files, target.tgid);
  }
  return tids.filter((tid) => tid !== target.tid);
}

/** Puts the original back in each heir that reads exactly as written; the number of heirs. One that is gone is none. */
export function restoreEach(
  tids: readonly number[],
  written: string,
  read: (tid: number) => string,
  restore: (tid: number) => void,
): number {
  let heirs = 0;
  for (const tid of tids) {
    try {
      if (read(tid) !== written) continue;
      restore(tid);
      heirs++;
    } catch {
      // It ended meanwhile.
    }
  }
  return heirs;
}
