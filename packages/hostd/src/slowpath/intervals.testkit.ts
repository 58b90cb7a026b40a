import { KERNEL_CATEGORIES, type KernelCategory } from '@prewake/sdk/protocol';
import type { Slice } from '../kernel/slice.ts';
import { paid } from './categories.ts';
import { Intervals } from './intervals.ts';

/** What a slice paid, with the categories' names. */
export function intervalsOf(slice: Slice, before = 0) {
  const list = new Intervals();
  paid(slice, before, list);
  return Array.from({ length: list.length }, (_, i) => {
    const interval = list.at(i);
    return { ...interval, category: KERNEL_CATEGORIES[interval.category] as KernelCategory };
  });
}
