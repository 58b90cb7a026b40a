import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import { createGuardController } from './create.ts';
import { FixtureClock } from './fixture-clock.testkit.ts';
import type { Hold } from './guard.ts';
import { parseJournal } from './journal-format.ts';

const CPU = 'sys/devices/system/cpu';
const LIMITS = [0, 1, 2, 3].map((cpu) => `${CPU}/cpu${cpu}/power/pm_qos_resume_latency_us`);
const FLOORS = [0, 2].map((policy) => `${CPU}/cpufreq/policy${policy}/scaling_min_freq`);
const CONTROLS = [...LIMITS, ...FLOORS];

const step = fc.oneof(
  fc.record({
    do: fc.constant('arm' as const),
    owner: fc.constantFrom('s1', 's2', 's3'),
    cpus: fc.uniqueArray(fc.nat(4), { maxLength: 4 }),
    latencyUs: fc.constantFrom(0, 1, 2, 50, 399, 5000),
    lasts: fc.integer({ min: -1000, max: 20_000 }),
  }),
  fc.record({ do: fc.constant('release' as const), which: fc.nat() }),
  fc.record({
    do: fc.constant('extend' as const),
    which: fc.nat(),
    by: fc.integer({ min: -5000, max: 20_000 }),
  }),
  fc.record({ do: fc.constant('leave' as const), owner: fc.constantFrom('s1', 's2', 's3') }),
  fc.record({ do: fc.constant('wait' as const), micros: fc.nat(15_000) }),
  fc.record({ do: fc.constant('suspend' as const) }),
);

test('200 random sequences of leases end where they began, and each control is what its leases say', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      using tree = fixtureTree({
        cpus: 4,
        policies: [
          [0, 1],
          [2, 3],
        ],
      });
      const dir = mkdtempSync(join(tmpdir(), 'prewake-run-'));
      const clock = new FixtureClock();
      const guards = await createGuardController({
        root: tree.root,
        runtimeDir: dir,
        clock,
        guardian: false,
        config: { scheduler: 'off' },
      });
      const look = () => CONTROLS.map((control) => tree.get(control));
      const before = look();
      const holds: Hold[] = [];
      for (const one of steps) {
        const hold = 'which' in one ? holds[one.which % (holds.length || 1)] : undefined;
        if (one.do === 'arm') {
          const { owner, cpus, latencyUs, lasts } = one;
          const expiresAt = clock.now() + lasts;
          holds.push(guards.arm({ owner, reason: 'random', cpus, tasks: [], latencyUs, expiresAt }));
        } else if (one.do === 'release' && hold) guards.release(hold);
        else if (one.do === 'extend' && hold) guards.extend(hold, clock.now() + one.by);
        else if (one.do === 'leave') guards.releaseOwner(one.owner);
        else if (one.do === 'wait') clock.advance(one.micros);
        else if (one.do === 'suspend') clock.suspend(1e6);
        expect(look().slice(0, 4)).toEqual([0, 1, 2, 3].map((cpu) => strictest(guards, cpu)));
      }
      clock.advance(60e6);
      expect(guards.leases()).toEqual([]);
      expect(look()).toEqual(before);
      expect(clock.timers).toBe(0);
      expect(parseJournal(readFileSync(join(dir, 'guards.journal'), 'utf8')).claims.size).toBe(0);
      guards.close();
      rmSync(dir, { recursive: true });
    }),
    { numRuns: 200 },
  );
}, 120_000);

/** The rule again, in its simplest form: the smallest limit of all leases on the CPU, or none. */
function strictest(
  guards: { leases(): { target: object; wanted: string; guard: string }[] },
  cpu: number,
): string {
  const limits = guards
    .leases()
    .filter((lease) => lease.guard === 'idle.cpu' && (lease.target as { cpu?: number }).cpu === cpu)
    .map((lease) => (lease.wanted === 'n/a' ? 0 : Number(lease.wanted)));
  if (limits.length === 0) return '0';
  const least = Math.min(...limits);
  return least === 0 ? 'n/a' : String(least);
}
