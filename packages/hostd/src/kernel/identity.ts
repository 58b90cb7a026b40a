import type { ControlFiles } from './control-files.ts';
import { startTimeIn } from './task-stat.ts';

/** This boot's id: what a journal of another boot says is void. */
export function bootId(files: ControlFiles): string {
  return files.peek('proc/sys/kernel/random/boot_id') ?? 'unknown';
}

/**
 * A thread's start time in clock ticks since boot (field 22 of its stat), as the kernel prints it: with the tid
 * it names a thread for good. Undefined where there is no such thread, or only its zombie.
 */
export function startTime(files: ControlFiles, tid: number, tgid = tid): string | undefined {
  return startTimeIn(files.peek(`proc/${tgid}/task/${tid}/stat`));
}
