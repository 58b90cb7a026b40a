import { createPolicy, defaultPolicyConfig } from '@prewake/hostd/internal';
import { expect, it } from 'vitest';
import { Waits } from './decide.ts';

it('teaches each class once for each of its hints and leaves no wait open', () => {
  const policy = createPolicy(defaultPolicyConfig, { random: () => 0.5 });
  const waits = new Waits(policy);
  for (let i = 0; i < 200; i++) waits.one(i % 50);
  const classes = policy.classes(1000);
  expect(classes).toHaveLength(50);
  expect(classes.every(({ waits }) => waits > 0)).toBe(true);
  expect(waits.measure(100, 50)).toBeGreaterThan(0);
  expect(policy.openWaits).toBe(0);
});
