import type { KernelCategory } from '@prewake/sdk/protocol';
import { Known } from '../kernel/slice.ts';

/**
 * The field groups that a category's time needs. `page_cache` has none: hits and misses are counted
 * ({@link Known.cache}), but the wait for a missing page is `block`, so it has no time of its own that anybody measures.
 */
const NEEDS: Partial<Record<KernelCategory, number>> = {
  'wakeup.idle_exit': Known.wakeup | Known.idle,
  'wakeup.scheduling': Known.wakeup,
  runqueue: Known.runqueue,
  frequency: Known.frequency,
  irq: Known.irq,
  softirq: Known.softirq,
  timer: Known.timer,
  workqueue: Known.work,
  io_uring: Known.ioUring,
  block: Known.block,
  page_fault: Known.faultTime,
  vfs: Known.vfs,
  throttled: Known.throttled,
};

/** Categories by index: the order of `KERNEL_CATEGORIES`, and of every per-category array in this folder. */
export const CATEGORY_INDEX = {
  'wakeup.idle_exit': 0,
  'wakeup.scheduling': 1,
  runqueue: 2,
  frequency: 3,
  irq: 4,
  softirq: 5,
  timer: 6,
  workqueue: 7,
  io_uring: 8,
  block: 9,
  page_fault: 10,
  page_cache: 11,
  vfs: 12,
  throttled: 13,
} as const satisfies Record<KernelCategory, number>;

/** Whether a record with these {@link Known} bits can say what was paid in a category. */
export function isKnown(category: KernelCategory, known: number): boolean {
  const needs = NEEDS[category];
  return needs !== undefined && (known & needs) === needs;
}
