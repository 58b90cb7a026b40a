import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monotonicMicros } from '@prewake/sdk/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGuardController, type MachineGuards } from '../guards/index.ts';
import { type FixtureTree, fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import {
  type BudgetConfig,
  createBudget,
  createPolicy,
  defaultPolicyConfig,
  type Policy,
} from '../policy/index.ts';
import { type Claimant, Claims } from './claims.ts';
import { Deadlines } from './deadlines.ts';
import { Windows } from './windows.ts';

/** Real windows, budget, policy, leases and journal on a tree of ordinary files, in virtual time. */
interface Rig {
  windows: Windows;
  guards: MachineGuards;
  policy: Policy;
  /** Weighted armed milliseconds so far, from what was written. */
  armed(): number;
  close(): void;
}

const LIMIT: BudgetConfig = {
  host: { refillPerSecond: 60, capacity: 90 },
  user: { refillPerSecond: 50, capacity: 60 },
  users: {},
  cgroup: { refillPerSecond: 50, capacity: 60 },
  cgroups: [],
  weights: {},
  parts: { thermal: 0.25, battery: 0.5, powerSaver: 0 },
  maxBuckets: 1000,
};

let tree: FixtureTree;
let dir: string;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'hrtime', 'performance'] });
  tree = fixtureTree();
  dir = mkdtempSync(join(tmpdir(), 'prewake-windows-'));
});
afterEach(() => {
  vi.useRealTimers();
  tree[Symbol.dispose]();
  rmSync(dir, { recursive: true, force: true });
});

async function rig(cpusOf: () => number[] = () => [0]): Promise<Rig> {
  const guards = await createGuardController({
    root: tree.root,
    runtimeDir: dir,
    guardian: false,
    config: { frequency: 'off', scheduler: 'off', timer: 'off' },
    clock: {
      now: monotonicMicros,
      suspended: () => 0,
      after(ms, callback) {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
    },
  });
  const since = new Map<string, number>();
  let total = 0;
  guards.onEvent = (event) => {
    if (event.type !== 'armed' && event.type !== 'released') return;
    const target = JSON.stringify(event.target);
    const from = since.get(target);
    if (event.type === 'armed') since.set(target, from ?? event.at);
    else if (from !== undefined) {
      total += (event.at - from) / 1000;
      since.delete(target);
    }
  };
  const deadlines = new Deadlines(monotonicMicros);
  const policy = createPolicy({ ...defaultPolicyConfig, armedShare: 1, holdout: 0 }, { random: () => 0.5 });
  const budget = createBudget(LIMIT);
  const claims = new Claims({ budget, guards, now: monotonicMicros, cpusOf, idleLatencyUs: 0 });
  const windows = new Windows({
    ...{ policy, claims, guards, deadlines, now: monotonicMicros },
    activeWindowUs: 2000,
  });
  return {
    windows,
    guards,
    policy,
    armed() {
      let open = 0;
      for (const from of since.values()) open += (monotonicMicros() - from) / 1000;
      return total + open;
    },
    close() {
      deadlines.close();
      guards.close();
    },
  };
}

const claimant = (id: string): Claimant => ({
  id,
  payer: { user: 1000, cgroup: '/agents' },
  task: () => ({ tgid: process.pid, tid: process.pid, startTime: '1' }),
});
const waitFrame = (id: number, fields: object = {}) => ({
  type: 'wait' as const,
  id,
  step: '0000000000000001',
  kind: 'timer',
  key: 'k',
  at: monotonicMicros(),
  ...fields,
});
const limitCpu0 = () => tree.get('sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us');

describe('windows', () => {
  it('arm shortly before a known deadline, hold through the active window, and let go', async () => {
    const { windows, guards, close } = await rig();
    const one = claimant('s1');
    windows.waitStarted(one, waitFrame(1, { deadline: monotonicMicros() + 50_000 }));
    expect(limitCpu0()).toBe('0');
    await vi.advanceTimersByTimeAsync(49);
    expect(limitCpu0()).toBe('n/a');
    await vi.advanceTimersByTimeAsync(1);
    windows.waitEnded(one, { type: 'wait_end', id: 1, at: monotonicMicros() });
    expect(limitCpu0()).toBe('n/a');
    await vi.advanceTimersByTimeAsync(5);
    expect(limitCpu0()).toBe('0');
    expect(guards.leases()).toEqual([]);
    close();
  });

  it('a wait that never ends is let go when the budget is dry, with a reason and a time to try again', async () => {
    const { windows, armed, close } = await rig();
    const refused: { reason: string; retryMs: number }[] = [];
    windows.onEvent = (event) => {
      if (event.type === 'refused') refused.push(event.grant);
    };
    const endless = claimant('s1');
    for (let id = 1; id <= 20; id++) {
      windows.waitStarted(endless, waitFrame(id, { kind: 'tool', key: 'sleep' }));
      await vi.advanceTimersByTimeAsync(30);
      windows.waitEnded(endless, { type: 'wait_end', id, at: monotonicMicros() });
    }
    windows.waitStarted(endless, waitFrame(99, { kind: 'tool', key: 'sleep' }));
    const before = armed();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(armed() - before).toBeLessThanOrEqual(60 + 60 * 50);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ reason: expect.stringMatching(/budget|degraded/) });
    expect(refused[0]?.retryMs).toBeGreaterThan(0);
    close();
  });

  it('tell the policy what became of a wait: whether a window was open, and how much was held where the budget refused', async () => {
    const { windows, policy, close } = await rig();
    const ended = vi.spyOn(policy, 'waitEnded');
    const one = claimant('s1');
    const wait = async (id: number, ms: number) => {
      windows.waitStarted(one, waitFrame(id, { kind: 'tool', key: 'sleep' }));
      await vi.advanceTimersByTimeAsync(ms);
      windows.waitEnded(one, { type: 'wait_end', id, at: monotonicMicros() });
      return ended.mock.lastCall?.[0];
    };
    expect(await wait(1, 20)).toMatchObject({ armed: true, heldUs: undefined });
    const cut = await wait(2, 200);
    expect(cut?.armed).toBe(false);
    expect(cut?.heldUs).toBeGreaterThan(0);
    expect(cut?.heldUs).toBeLessThan(100_000);
    windows.pause();
    expect(await wait(3, 20)).toMatchObject({ armed: false, heldUs: undefined });
    close();
  });

  it('pause releases at once and arms nothing until resume', async () => {
    const { windows, guards, close } = await rig();
    const one = claimant('s1');
    windows.waitStarted(one, waitFrame(1, { deadline: monotonicMicros() + 1000 }));
    await vi.advanceTimersByTimeAsync(1);
    expect(limitCpu0()).toBe('n/a');
    windows.pause();
    expect(limitCpu0()).toBe('0');
    windows.waitStarted(one, waitFrame(2, { deadline: monotonicMicros() + 1000 }));
    await vi.advanceTimersByTimeAsync(5);
    expect(limitCpu0()).toBe('0');
    windows.resume();
    windows.waitStarted(one, waitFrame(3, { deadline: monotonicMicros() + 1000 }));
    await vi.advanceTimersByTimeAsync(1);
    expect(limitCpu0()).toBe('n/a');
    windows.sessionEnded(one, [1, 2, 3]);
    expect(limitCpu0()).toBe('0');
    expect(guards.leases()).toEqual([]);
    close();
  });

  it('no client arms more than its bucket allows, however it behaves', async () => {
    const action = fc.oneof(
      fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 400 }) }),
      fc.record({
        do: fc.constant('wait' as const),
        session: fc.integer({ min: 0, max: 5 }),
        deadlineMs: fc.option(fc.double({ min: 0, max: 300, noNaN: true })),
        key: fc.constantFrom('a', 'b', 'forged'),
        agoMs: fc.integer({ min: 0, max: 1000 }),
        thread: fc.option(fc.integer({ min: 1, max: 3 })),
      }),
      fc.record({ do: fc.constant('end' as const), nth: fc.nat(50), cancelled: fc.boolean() }),
      fc.record({
        do: fc.constant('signal' as const),
        nth: fc.nat(50),
        name: fc.constantFrom('first_token', 'token'),
      }),
      fc.record({ do: fc.constant('die' as const), session: fc.integer({ min: 0, max: 5 }) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 5, maxLength: 120 }),
        fc.nat(2),
        async (actions, spread) => {
          const cpus = [[0], [1], [0, 1]][spread] as number[];
          const { windows, armed, close } = await rig(() => cpus);
          const began = monotonicMicros();
          const open: { claimant: Claimant; id: number }[] = [];
          let id = 0;
          for (const act of actions) {
            const at = monotonicMicros();
            if (act.do === 'advance') await vi.advanceTimersByTimeAsync(act.ms);
            else if (act.do === 'wait') {
              const one = claimant(`s${act.session}`);
              const deadline = act.deadlineMs === null ? {} : { deadline: at + act.deadlineMs * 1000 };
              const thread = act.thread === null ? {} : { thread: act.thread };
              const start = Math.max(1, at - act.agoMs * 1000);
              windows.waitStarted(
                one,
                waitFrame(++id, { kind: 'tool', key: act.key, at: start, ...deadline, ...thread }),
              );
              open.push({ claimant: one, id });
            } else if (act.do === 'end' && open.length > 0) {
              const [ended] = open.splice(act.nth % open.length, 1);
              if (ended)
                windows.waitEnded(ended.claimant, {
                  type: 'wait_end',
                  id: ended.id,
                  at,
                  cancelled: act.cancelled,
                });
            } else if (act.do === 'signal' && open.length > 0) {
              const one = open[act.nth % open.length];
              if (one) windows.signal(one.claimant, { type: 'signal', wait: one.id, signal: act.name, at });
            } else if (act.do === 'die') {
              const mine = open.filter((wait) => wait.claimant.id === `s${act.session}`);
              windows.sessionEnded(
                claimant(`s${act.session}`),
                mine.map((wait) => wait.id),
              );
              for (const wait of mine) open.splice(open.indexOf(wait), 1);
            }
          }
          await vi.advanceTimersByTimeAsync(2000);
          const seconds = (monotonicMicros() - began) / 1e6;
          // A timer may be a millisecond late for each claim that is open at the end: that is owed, and not paid yet.
          const owed = 2 * (open.length + 6) * cpus.length;
          expect(armed()).toBeLessThanOrEqual(60 + 50 * seconds + owed);
          close();
        },
      ),
      { numRuns: 60 },
    );
  });
});
