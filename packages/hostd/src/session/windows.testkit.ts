import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monotonicMicros } from '@prewake/sdk/protocol';
import { afterEach, beforeEach, vi } from 'vitest';
import { createGuardController, type GuardConfig, type MachineGuards } from '../guards/index.ts';
import { type FixtureOptions, type FixtureTree, fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import {
  type BudgetConfig,
  type ConfigurableBudget,
  createBudget,
  createPolicy,
  defaultPolicyConfig,
  type PlannedWindow,
  type PlanReason,
  type Policy,
} from '../policy/index.ts';
import { type Claimant, Claims } from './claims.ts';
import { Deadlines } from './deadlines.ts';
import { type WindowEvent, Windows } from './windows.ts';

/** For tests: real windows, budget, leases and journal on a tree of ordinary files, on the clock that vitest fakes. */
export interface WindowsRig {
  readonly tree: FixtureTree;
  readonly windows: Windows;
  readonly guards: MachineGuards;
  readonly budget: ConfigurableBudget;
  /** All that the windows told. */
  readonly events: WindowEvent[];
  /** When all leases were voided. */
  readonly voids: number[];
  /** The resume latency limit of a CPU: `0` is none. */
  limit(cpu: number): string;
  /** Weighted armed milliseconds so far, from what was written. */
  armed(): number;
  close(): void;
}

export interface WindowsRigOptions {
  tree?: FixtureOptions;
  guards?: GuardConfig;
  budget?: BudgetConfig;
  /** Default: the policy that ships, which arms all that its budget allows. */
  policy?: Policy;
  cpusOf?: (tgid: number, tid: number, now: number, slept: boolean) => number[];
  /** Default 0: poll. */
  idleLatencyUs?: number;
}

const PLENTY = { refillPerSecond: 1e6, capacity: 1e6 };

/** Limits of which those that are not named never run dry. */
export const budgetOf = (limits: Partial<BudgetConfig> = {}): BudgetConfig => ({
  ...{ host: PLENTY, user: PLENTY, users: {}, cgroup: PLENTY, cgroups: [], weights: {} },
  parts: { thermal: 0.25, battery: 0.5, powerSaver: 0 },
  maxBuckets: 1000,
  ...limits,
});

/** A policy with a plan for each wait, in milliseconds from its start: the last one's for all that come later. */
export function planned(
  ...plans: { windows: [arm: number, disarm: number][]; reason?: PlanReason }[]
): Policy {
  const planOf = (wait: string, n: number) => {
    const { windows, reason = 'predicted' } = plans[Math.min(n, plans.length - 1)] ?? { windows: [] };
    const inMicros = windows.map(
      ([arm, disarm]): PlannedWindow => ({ arm: arm * 1000, disarm: disarm * 1000 }),
    );
    return { wait, windows: inMicros, reason };
  };
  let n = 0;
  return {
    waitStarted: ({ wait }) => planOf(wait, n++),
    signal: ({ wait }) => planOf(wait, n++),
    waitEnded() {},
    sessionEnded() {},
    wakeupCost() {},
  };
}

/** Fakes the clock for each test of a file, and closes its rigs. @param defaults of each rig */
export function windowsRigs(
  defaults: WindowsRigOptions,
): (options?: WindowsRigOptions) => Promise<WindowsRig> {
  const open: WindowsRig[] = [];
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'hrtime', 'performance'] });
  });
  afterEach(() => {
    for (const rig of open.splice(0)) rig.close();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
  return async (options = {}) => {
    const rig = await windowsRig({ ...defaults, ...options });
    open.push(rig);
    return rig;
  };
}

/** Lets milliseconds go by on the faked clock. */
export const ms = (count: number): Promise<unknown> => vi.advanceTimersByTimeAsync(count);

async function windowsRig(options: WindowsRigOptions = {}): Promise<WindowsRig> {
  const tree = fixtureTree(options.tree);
  const dir = mkdtempSync(join(tmpdir(), 'prewake-windows-'));
  const guards = await createGuardController({
    root: tree.root,
    runtimeDir: dir,
    guardian: false,
    config: { frequency: 'off', scheduler: 'off', timer: 'off', ...options.guards },
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
  const voids: number[] = [];
  guards.onEvent = (event) => {
    if (event.type === 'void') {
      voids.push(event.by);
      windows.voided(event.by);
    }
    if (event.type !== 'armed' && event.type !== 'released') return;
    const target = JSON.stringify(event.target);
    const from = since.get(target);
    if (event.type === 'armed') since.set(target, from ?? event.at);
    else if (from !== undefined) {
      total += (event.at - from) / 1000;
      since.delete(target);
    }
  };
  const now = monotonicMicros;
  const deadlines = new Deadlines(now);
  const budget = createBudget(options.budget ?? budgetOf());
  const { cpusOf = () => [0], idleLatencyUs = 0 } = options;
  const policy =
    options.policy ??
    createPolicy({ ...defaultPolicyConfig, armedShare: 1, holdout: 0 }, { random: () => 0.5 });
  const claims = new Claims({ budget, guards, now, cpusOf, idleLatencyUs });
  const windows = new Windows({ policy, claims, guards, deadlines, now, activeWindowUs: 2000 });
  const events: WindowEvent[] = [];
  windows.onEvent = (event) => events.push(event);
  return {
    ...{ tree, windows, guards, budget, events, voids },
    limit: (cpu) => tree.get(`sys/devices/system/cpu/cpu${cpu}/power/pm_qos_resume_latency_us`),
    armed() {
      let open = 0;
      for (const from of since.values()) open += (now() - from) / 1000;
      return total + open;
    },
    close() {
      deadlines.close();
      guards.close();
      tree[Symbol.dispose]();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export const claimant = (id: string): Claimant => ({
  id,
  payer: { user: 1000, cgroup: '/agents' },
  task: (thread = process.pid) => ({ tgid: process.pid, tid: thread, startTime: '1' }),
});

export const waitFrame = (id: number, fields: object = {}) => ({
  type: 'wait' as const,
  id,
  step: '0000000000000001',
  kind: 'timer',
  key: 'k',
  at: monotonicMicros(),
  ...fields,
});

export const waitEnd = (id: number, cancelled = false) => ({
  type: 'wait_end' as const,
  id,
  at: monotonicMicros(),
  cancelled,
});
