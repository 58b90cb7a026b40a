import { chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { bootId } from '../kernel/identity.ts';
import { openKernel } from '../kernel/kernel.ts';
import { buildGuards } from './build-guards.ts';
import { Journal } from './journal.ts';
import type { Claim } from './journal-format.ts';
import { restore } from './replay.ts';
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
    expect(restoreClaim(guard, { ...claim, writes }, [target])).toMatchObject({
      outcome: 'restored',
    });
    expect(tree.get(FLOOR)).toBe(original);
    now += 1000;
  }
  kernel.close();
  rmSync(dir, { recursive: true });
});

describe('what somebody else may have written is not restored', () => {
  const LIMIT = 'sys/devices/system/cpu/cpu1/power/pm_qos_resume_latency_us';
  const OTHER = 12_345;
  const whoever = process.getuid?.() === 0 ? '' : ' [needs root]';

  /** A journal of a dead hostd that found 0 and wrote 50, changed by `tamper`; the outcome of a restore, and the value after it. */
  function restoreFrom(tamper: (dir: string) => void): [outcome: string, limit: string] {
    using tree = fixtureTree();
    const parent = mkdtempSync(join(tmpdir(), 'prewake-restore-'));
    const dir = join(parent, 'run');
    mkdirSync(dir);
    const kernel = openKernel(tree.root);
    try {
      const target = { type: 'cpu', cpu: 1 } as const;
      const owner = { bootId: bootId(kernel.files), pid: 2 ** 22 + 1, startTime: '1' };
      const journal = new Journal(dir, owner, kernel.writer);
      journal.intent('idle.cpu', target, '0', '50');
      journal.close();
      tree.set(LIMIT, '50');
      tamper(dir);
      const { entries } = restore({ root: tree.root, runtimeDir: dir });
      return [entries.map(({ outcome }) => outcome).join(), tree.get(LIMIT)];
    } catch (error) {
      return [(error as Error).message, tree.get(LIMIT)];
    } finally {
      kernel.close();
      rmSync(parent, { recursive: true });
    }
  }

  test('its own is, below a directory that all may write to, too', () => {
    expect(restoreFrom((dir) => chmodSync(join(dir, '..'), 0o1777))).toEqual(['restored', '0']);
  });

  test.each(['777', '1777', '775'])('a directory of mode %s', (mode) => {
    const [outcome, limit] = restoreFrom((dir) => chmodSync(dir, mode));
    expect(outcome).toContain('others than its owner may write into');
    expect(limit).toBe('50');
  });

  test('a journal that is a link', () => {
    const [outcome, limit] = restoreFrom((dir) => {
      renameSync(join(dir, 'guards.journal'), join(dir, 'theirs'));
      symlinkSync(join(dir, 'theirs'), join(dir, 'guards.journal'));
    });
    expect(outcome).toContain('ELOOP');
    expect(limit).toBe('50');
  });

  test.skipIf(whoever)(`a journal, or a directory, of another user${whoever}`, () => {
    for (const path of ['guards.journal', '.']) {
      const [outcome, limit] = restoreFrom((dir) => chownSync(join(dir, path), OTHER, OTHER));
      expect(outcome).toContain(`is user ${OTHER}'s`);
      expect(limit).toBe('50');
    }
  });
});
