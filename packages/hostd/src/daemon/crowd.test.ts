import { expect, it } from 'vitest';
import { Crowd } from './crowd.ts';

it('counts each user apart, and counts nobody out twice', () => {
  const crowd = new Crowd(2);
  const first = crowd.enter(1);
  expect(crowd.enter(1)).toBeTypeOf('function');
  expect(crowd.enter(1)).toBeUndefined();
  expect(crowd.enter(2)).toBeTypeOf('function');
  first?.();
  first?.();
  expect(crowd.enter(1)).toBeTypeOf('function');
  expect(crowd.enter(1)).toBeUndefined();
});

it('lets nobody in whom the kernel does not name', () => {
  expect(new Crowd(2).enter(undefined)).toBeUndefined();
});
