import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { openKernel } from '../kernel/kernel.ts';
import { buildGuards } from './build-guards.ts';
import type { Claim } from './journal-format.ts';
import { restoreClaim } from './restore.ts';

const FLOOR = 'sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq';

test('what is written again right after a restore is restored again, and not taken for not yet applied', () => {
  using tree = fixtureTree({ policies: [[0, 1]] });
  const dir = mkdtempSync(join(tmpdir(), 'prewake-restore-'));
  const kernel = openKernel(tree.root);
  let now = 0;
  const guards = buildGuards(kernel, { settings: { capacity: 0.6 }, now: () => now });
  const guard = guards.get('frequency.policy');
  if (!guard) throw new Error('no floor');
  const original = tree.get(FLOOR) as string;
  const target = { type: 'policy', policy: 0 } as const;
  const claim: Omit<Claim, 'writes'> = { guard: guard.id, target, original };
  // Another process holds the floor, is restored, goes on with the write that it was stopped at, and is restored again.
  for (let i = 0; i < 3; i++) {
    tree.set(FLOOR, '1800000');
    const writes = [{ value: '1800000', readBack: '1800000' }];
    expect(restoreClaim(guard, { ...claim, writes })).toMatchObject({
      outcome: 'restored',
    });
    expect(tree.get(FLOOR)).toBe(original);
    now += 1000;
  }
  kernel.close();
  rmSync(dir, { recursive: true });
});
