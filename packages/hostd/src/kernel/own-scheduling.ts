import { openKernel } from './kernel.ts';
import { schedGetAttr, schedSetAttr } from './sched-attr.ts';

/** hostd's niceness: a third of a normal task's weight. A niceness that is higher already stays. */
const NICE = 5;
/** The shortest slice that EEVDF takes (Documentation/scheduler/sched-eevdf.rst), nanoseconds; ignored before 6.12. */
const SLICE_NS = 100_000;

/**
 * Makes this process's main thread yield to a task that wakes on its CPU. What hostd does just before a wakeup must
 * not be what the woken task has to wait for: at the default slice it was, for a millisecond and more (bench
 * `effect`). Its timing matters only where a CPU is idle, and an idle CPU it has to itself.
 */
export function yieldToWoken(): void {
  try {
    const kernel = openKernel();
    const now = schedGetAttr(process.pid);
    schedSetAttr(kernel.writer, process.pid, { ...now, nice: Math.max(now.nice, NICE), runtime: SLICE_NS });
    kernel.close();
  } catch {
    // Without it hostd works as before.
  }
}
