/** Slowpath categories: exclusive; each nanosecond has one, the innermost known. docs/attribution.md defines them. */
export const KERNEL_CATEGORIES = [
  'wakeup.idle_exit',
  'wakeup.scheduling',
  'runqueue',
  'frequency',
  'irq',
  'softirq',
  'timer',
  'workqueue',
  'io_uring',
  'block',
  'page_fault',
  'page_cache',
  'vfs',
  'throttled',
] as const;

/** User-space categories: not the kernel's, shown so that nobody blames it. The SDK measures them itself. */
export const USER_CATEGORIES = ['event_loop', 'gc'] as const;

export const CATEGORIES = [...KERNEL_CATEGORIES, ...USER_CATEGORIES] as const;

export type KernelCategory = (typeof KERNEL_CATEGORIES)[number];
export type UserCategory = (typeof USER_CATEGORIES)[number];
export type Category = (typeof CATEGORIES)[number];
