import { encode } from '@prewake/sdk/protocol';
import { expect, it } from 'vitest';
import { budgetFrame } from './budget-frame.ts';

it.each([
  ['as long as the kernel lets it be', `cgroup:/${'a/'.repeat(2000)}`],
  ['full of what JSON has to escape', `cgroup:/${'\u0001'.repeat(1000)}`],
])('a cgroup’s name %s fits a line', (_what, bucket) => {
  const frame = budgetFrame({ bucket, state: 'degraded', at: 1, retryMs: Number.POSITIVE_INFINITY });
  expect(JSON.parse(encode(frame)).bucket).toMatch(/^cgroup:\//);
});
