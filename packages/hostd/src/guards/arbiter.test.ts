import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FixtureTree, fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { openKernel } from '../kernel/kernel.ts';
import { Arbiter } from './arbiter.ts';
import type { Target } from './guard.ts';
import { IdleCpuGuard } from './idle-cpu.ts';
import { Journal } from './journal.ts';
import { claimKey } from './journal-format.ts';

/** The real guard, which says what it tells. */
class Telling extends IdleCpuGuard {
  readonly told: Target[] = [];
  override kick(target: Target): void {
    this.told.push(target);
  }
}

let tree: FixtureTree;
let dir: string;
beforeEach(() => {
  tree = fixtureTree();
  dir = mkdtempSync(join(tmpdir(), 'prewake-arbiter-'));
});
afterEach(() => {
  tree[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});

test('a CPU is told of a value that was written, once, and not where the task runs', () => {
  const kernel = openKernel(tree.root);
  const guard = new Telling(kernel);
  guard.probe();
  const arbiter = new Arbiter({
    journal: new Journal(dir, { bootId: 'b', pid: 7, startTime: '99' }, kernel.writer),
    now: () => 1,
    emit: () => {},
    onPending: () => {},
  });
  const control = (cpu: number) => {
    const target: Target = { type: 'cpu', cpu };
    return { key: claimKey(guard.id, target), guard, target };
  };
  const [awake, asleep] = [control(0), control(1)];
  try {
    expect(arbiter.want(awake, 1, 'n/a', false)).toBe(true);
    expect(guard.read(awake.target)).toBe('n/a');
    arbiter.kick();
    expect(guard.told).toEqual([]);
    for (const id of [2, 3]) expect(arbiter.want(asleep, id, 'n/a', true)).toBe(true);
    expect(guard.told).toEqual([]);
    arbiter.kick();
    arbiter.kick();
    expect(guard.told).toEqual([asleep.target]);
  } finally {
    kernel.close();
  }
});
