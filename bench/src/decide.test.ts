import { createPolicy, defaultPolicyConfig } from '@prewake/hostd/internal';
import { expect, it } from 'vitest';
import { Waits } from './decide.ts';

it('teaches each class once for each of its hints and leaves no more waits open than asked for', () => {
  const policy = createPolicy(defaultPolicyConfig, { random: () => 0.5 });
  const waits = new Waits(policy);
  for (let i = 0; i < 200; i++) waits.one(i % 50);
  const classes = policy.classes(1000);
  expect(classes).toHaveLength(50);
  expect(classes.every(({ waits }) => waits === 4)).toBe(true);
  expect(policy.openWaits).toBe(0);
  const { deciding, learning } = waits.measure(20_000, 50, 100);
  expect(deciding).toBeGreaterThan(0);
  expect(learning).toBeGreaterThan(0);
  expect(policy.openWaits).toBe(100);
  waits.end(0);
  expect(policy.openWaits).toBe(0);
  expect(policy.classes(1000).reduce((sum, { waits }) => sum + waits, 0)).toBe(20_200);
});
