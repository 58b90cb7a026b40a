import { KERNEL_CATEGORIES } from '@prewake/sdk/protocol';
import { expect, it } from 'vitest';
import { openRecorder } from '../kernel/bpf/index.ts';
import { missingPrivilege } from '../kernel/bpf/privilege.ts';
import { CATEGORY_INDEX, isKnown } from './known.ts';

it('has the categories in the order of the protocol', () => {
  expect(Object.keys(CATEGORY_INDEX)).toEqual([...KERNEL_CATEGORIES]);
  expect(Object.values(CATEGORY_INDEX)).toEqual(KERNEL_CATEGORIES.map((_, i) => i));
});

it.runIf(missingPrivilege() === undefined)('leaves no category’s time unknown without a reason', () => {
  const recorder = openRecorder();
  const timeless = recorder.categories.filter(({ category }) => !isKnown(category, recorder.known));
  recorder.close();
  expect(timeless.map(({ category }) => category)).toContain('page_cache');
  expect(timeless.filter(({ reason }) => !reason)).toEqual([]);
});
