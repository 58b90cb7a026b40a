import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { expect, test } from 'vitest';
import { createGuardController } from '../guards/index.ts';
import { fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { loadConfig } from './config-load.ts';
import { guardConfig } from './guard-config.ts';

test('the budget’s weights change what a window costs, from the configuration to the lease, and after a reload', async () => {
  using tree = fixtureTree();
  const dir = mkdtempSync(join(tmpdir(), 'prewake-weights-'));
  const configured = async (budget: string) => {
    const config = join(dir, 'hostd.yaml');
    writeFileSync(config, `guards: {frequency: off, scheduler: off, timer: off}\nbudget: ${budget}\n`);
    return guardConfig(await loadConfig({ config }, { env: { XDG_RUNTIME_DIR: dir }, root: false, cpus: 2 }));
  };
  const guards = await createGuardController({
    root: tree.root,
    runtimeDir: dir,
    guardian: false,
    config: await configured('{weights: {idle.cpu: 0.25}}'),
  });
  try {
    const cost = () => {
      const expiresAt = monotonicMicros() + 1e6;
      const window = { owner: 's', reason: 'r', cpus: [0, 1], tasks: [], latencyUs: 50, expiresAt };
      const price = guards.price(window);
      const hold = guards.arm(window);
      guards.release(hold);
      expect(hold.weight).toBe(price);
      return price;
    };
    expect(cost()).toBe(0.5);
    guards.configure(await configured('{weights: {idle.cpu: 3, idle.global: 7}}'));
    expect(cost()).toBe(6);
    guards.configure(await configured('{}'));
    expect(cost()).toBe(2);
  } finally {
    guards.close();
    rmSync(dir, { recursive: true });
  }
});
