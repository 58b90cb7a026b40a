import { KERNEL_CATEGORIES } from '@prewake/sdk/protocol';
import { expect, it } from 'vitest';
import { CATEGORY_INDEX } from './known.ts';

it('has the categories in the order of the protocol', () => {
  expect(Object.keys(CATEGORY_INDEX)).toEqual([...KERNEL_CATEGORIES]);
  expect(Object.values(CATEGORY_INDEX)).toEqual(KERNEL_CATEGORIES.map((_, i) => i));
});
