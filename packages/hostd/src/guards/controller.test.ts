import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type FixtureTree, fixtureTree } from '../kernel/fixture-tree.testkit.ts';
import type { WriteOp } from '../kernel/writer.ts';
import { createGuardController, type GuardControllerOptions, type MachineGuards } from './create.ts';
import { FixtureClock } from './fixture-clock.testkit.ts';
import type { GuardEvent, WindowRequest } from './guard.ts';
import { IdleCpuGuard } from './idle-cpu.ts';
import { parseJournal } from './journal-format.ts';

const LIMIT0 = 'sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us';
const LIMIT1 = 'sys/devices/system/cpu/cpu1/power/pm_qos_resume_latency_us';

let tree: FixtureTree;
let dir: string;
let clock: FixtureClock;
let events: GuardEvent[];
const open: MachineGuards[] = [];

beforeEach(() => {
  tree = fixtureTree();
  dir = mkdtempSync(join(tmpdir(), 'prewake-run-'));
  clock = new FixtureClock();
  events = [];
});

afterEach(() => {
  for (const guards of open.splice(0)) guards.close();
  tree[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});

async function guardsOf(options: Partial<GuardControllerOptions> = {}): Promise<MachineGuards> {
  const guards = await createGuardController({
    root: tree.root,
    runtimeDir: dir,
    clock,
    guardian: false,
    waitMs: 0,
    ...options,
    config: { scheduler: 'off', ...options.config },
  });
  guards.onEvent = (event) => events.push(event);
  open.push(guards);
  return guards;
}

function window(fields: Partial<WindowRequest> = {}): WindowRequest {
  return {
    owner: 's1',
    reason: 'predicted s1/1',
    cpus: [1],
    tasks: [],
    latencyUs: 50,
    expiresAt: clock.now() + 2000,
    ...fields,
  };
}

const claims = () => parseJournal(readFileSync(join(dir, 'guards.journal'), 'utf8')).claims;

test('arms the CPU asked for and puts it back on release', async () => {
  const guards = await guardsOf();
  const hold = guards.arm(window());
  expect(hold).toMatchObject({ weight: 1, cpus: [1] });
  expect([tree.get(LIMIT0), tree.get(LIMIT1)]).toEqual(['0', '50']);
  expect([...claims().keys()]).toEqual(['idle.cpu cpu:1']);
  guards.release(hold);
  expect(tree.get(LIMIT1)).toBe('0');
  expect(claims().size).toBe(0);
  expect(events.map((event) => event.type)).toEqual(['armed', 'released']);
});

test('tells every CPU of its limit but that on which the task runs, and that one later', async () => {
  const kick = vi.spyOn(IdleCpuGuard.prototype, 'kick');
  const told = () => kick.mock.calls.splice(0).map(([target]) => target);
  const guards = await guardsOf();
  guards.arm(window({ cpus: [0, 1], awake: 0 }));
  expect(told()).toEqual([{ type: 'cpu', cpu: 1 }]);
  guards.arm(window({ cpus: [0, 1] }));
  guards.arm(window({ cpus: [0, 1] }));
  expect(told()).toEqual([{ type: 'cpu', cpu: 0 }]);
  kick.mockRestore();
});

test('the strictest of many leases is written, once', async () => {
  const guards = await guardsOf();
  const wide = guards.arm(window({ latencyUs: 300 }));
  const narrow = guards.arm(window({ owner: 's2', latencyUs: 20 }));
  const same = guards.arm(window({ owner: 's3', latencyUs: 100 }));
  expect(tree.get(LIMIT1)).toBe('20');
  expect(events.filter((event) => event.type === 'armed')).toHaveLength(2);
  guards.release(narrow);
  expect(tree.get(LIMIT1)).toBe('100');
  guards.release(same);
  expect(tree.get(LIMIT1)).toBe('300');
  guards.release(wide);
  expect(tree.get(LIMIT1)).toBe('0');
});

test('polls only where no idle state meets the limit', async () => {
  const guards = await guardsOf();
  guards.arm(window({ latencyUs: 2 }));
  expect(tree.get(LIMIT1)).toBe('2');
  guards.arm(window({ latencyUs: 1 }));
  expect(tree.get(LIMIT1)).toBe('n/a');
});

test('haltpoll says 1 µs of a state that leaves the guest: it is polled instead', async () => {
  tree[Symbol.dispose]();
  tree = fixtureTree({
    idleDriver: 'haltpoll',
    idle: [
      ['POLL', 0],
      ['haltpoll idle', 1],
    ],
  });
  const guards = await guardsOf();
  guards.arm(window());
  expect(tree.get(LIMIT1)).toBe('n/a');
});

test('leaves a stricter limit of someone else as it is', async () => {
  tree.set(LIMIT1, '10');
  const guards = await guardsOf();
  const hold = guards.arm(window());
  expect(tree.get(LIMIT1)).toBe('10');
  expect(hold.cpus).toEqual([1]);
  guards.release(hold);
  expect(tree.get(LIMIT1)).toBe('10');
  expect(events.filter((event) => event.type === 'armed')).toEqual([]);
});

test('a lease ends at its expiry, and no timer is left', async () => {
  const guards = await guardsOf();
  guards.arm(window());
  const longer = guards.arm(window({ owner: 's2', reason: 'active s2/7' }));
  guards.extend(longer, clock.now() + 5000);
  clock.advance(3000);
  expect(guards.leases().map((lease) => lease.owner)).toEqual(['s2']);
  clock.advance(3000);
  expect(guards.leases()).toEqual([]);
  expect(tree.get(LIMIT1)).toBe('0');
  expect(events.filter((event) => event.type === 'expired')).toHaveLength(2);
  clock.advance(3e6);
  expect(clock.timers).toBe(0);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, 0, -1])(
  'a lease that expires at %s cannot exist',
  async (at) => {
    const guards = await guardsOf();
    expect(guards.arm(window({ expiresAt: at }))).toMatchObject({ weight: 0, cpus: [] });
    expect(tree.get(LIMIT1)).toBe('0');
  },
);

test('an owner that is gone takes its leases along, and only its own', async () => {
  const guards = await guardsOf();
  guards.arm(window({ cpus: [0, 1] }));
  guards.arm(window({ owner: 's2' }));
  guards.releaseOwner('s1');
  expect([tree.get(LIMIT0), tree.get(LIMIT1)]).toEqual(['0', '50']);
  guards.releaseAll();
  expect(tree.get(LIMIT1)).toBe('0');
});

test('says which CPUs are armed, in the order in which they were asked for', async () => {
  const guards = await guardsOf();
  expect(guards.arm(window({ cpus: [1, 0] })).cpus).toEqual([1, 0]);
  expect(guards.arm(window({ cpus: [0, 1] })).cpus).toEqual([0, 1]);
});

test('a foreign value wins, is left alone, and is said once', async () => {
  const guards = await guardsOf();
  const hold = guards.arm(window());
  tree.set(LIMIT1, '77');
  const stricter = guards.arm(window({ owner: 's2', latencyUs: 5 }));
  expect(stricter.cpus).toEqual([]);
  guards.release(hold);
  expect(tree.get(LIMIT1)).toBe('77');
  expect(claims().size).toBe(0);
  expect(events.filter((event) => event.type === 'foreign_writer')).toEqual([
    expect.objectContaining({ guard: 'idle.cpu', found: '77', ours: '50' }),
  ]);
  guards.release(guards.arm(window()));
  expect(tree.get(LIMIT1)).toBe('77');
});

test('a CPU that has gone away neither throws nor keeps the others from being armed and restored', async () => {
  const guards = await guardsOf();
  tree.remove('sys/devices/system/cpu/cpu0/power');
  const hold = guards.arm(window({ cpus: [0, 1] }));
  expect(hold).toMatchObject({ weight: 1, cpus: [1] });
  expect(events[0]).toMatchObject({ type: 'failed', code: 'PREWAKE_GUARD_ENOENT', target: { cpu: 0 } });
  guards.release(hold);
  expect(tree.get(LIMIT1)).toBe('0');
});

test('a CPU that is offline, unknown or not allowed by the configuration is not armed', async () => {
  tree.set('sys/devices/system/cpu/online', '1');
  const guards = await guardsOf({ config: { cpus: [0, 1] } });
  expect(guards.arm(window({ cpus: [0, 1, 7] })).cpus).toEqual([1]);
  expect(tree.get(LIMIT0)).toBe('0');
  guards.close();
  const none = await guardsOf({ config: { cpus: [0] } });
  expect(none.arm(window({ cpus: [1] }))).toMatchObject({ weight: 0, cpus: [] });
  expect(events.filter((event) => event.type === 'failed')).toEqual([]);
});

test('a control that cannot be put back now (its CPU is offline) is put back later', async () => {
  let offline = false;
  const before = () => {
    if (offline) throw Object.assign(new Error('EBUSY'), { code: 'EBUSY' });
  };
  const tap = { before: (op: WriteOp) => op.kind === 'sysfs' && before(), after() {} };
  const guards = await guardsOf({ tap });
  const hold = guards.arm(window());
  offline = true;
  guards.release(hold);
  expect(tree.get(LIMIT1)).toBe('50');
  expect([...claims().keys()]).toEqual(['idle.cpu cpu:1']);
  expect(events.at(-1)).toMatchObject({ type: 'failed', code: 'PREWAKE_RESTORE_PENDING' });
  clock.advance(10e6);
  expect(tree.get(LIMIT1)).toBe('50');
  offline = false;
  clock.advance(60e6);
  expect(tree.get(LIMIT1)).toBe('0');
  expect(claims().size).toBe(0);
  expect(events.filter((event) => event.type === 'failed')).toHaveLength(1);
  expect(clock.timers).toBe(0);
});

test('armed again before it could be put back, the value found first is the one put back', async () => {
  tree.set(LIMIT1, '300');
  let offline = false;
  const before = () => {
    if (offline) throw Object.assign(new Error('EBUSY'), { code: 'EBUSY' });
  };
  const guards = await guardsOf({ tap: { before: (op) => op.kind === 'sysfs' && before(), after() {} } });
  const hold = guards.arm(window());
  offline = true;
  guards.release(hold);
  offline = false;
  guards.release(guards.arm(window({ latencyUs: 20 })));
  expect(tree.get(LIMIT1)).toBe('300');
  expect(claims().size).toBe(0);
});

test('a journal that cannot be written arms nothing', async () => {
  const before = (op: WriteOp) => {
    if (op.value.startsWith('["intent"')) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
  };
  const guards = await guardsOf({ tap: { before, after() {} } });
  expect(guards.arm(window()).cpus).toEqual([]);
  expect(tree.get(LIMIT1)).toBe('0');
  expect(events.map((event) => event.type)).toEqual(['failed']);
});

test('with a journal that cannot be read it observes, says why, and leaves it as it is', async () => {
  writeFileSync(join(dir, 'guards.journal'), 'nonsense');
  const guards = await guardsOf();
  expect(guards.mode).toBe('observe');
  expect(guards.reason).toMatch(/guards\.journal is no guard journal/);
  expect(readFileSync(join(dir, 'guards.journal'), 'utf8')).toBe('nonsense');
});

test('a journal stays small, however long it is in use', async () => {
  const guards = await guardsOf();
  const kept = guards.arm(window({ cpus: [0], expiresAt: clock.now() + 600e6 }));
  for (let i = 0; i < 3000; i++) guards.release(guards.arm(window()));
  expect(statSync(join(dir, 'guards.journal')).size).toBeLessThan(300_000);
  expect([...claims().keys()]).toEqual(['idle.cpu cpu:0']);
  guards.release(kept);
  expect(tree.get(LIMIT0)).toBe('0');
});

test('suspend voids every lease', async () => {
  const guards = await guardsOf();
  guards.arm(window({ expiresAt: clock.now() + 60e6 }));
  clock.suspend(10e6);
  clock.advance(300_000);
  expect(guards.leases()).toEqual([]);
  expect(tree.get(LIMIT1)).toBe('0');
  expect(events).toContainEqual(expect.objectContaining({ type: 'void', reason: 'suspend' }));
});

test('another idle driver voids every lease and the guards are chosen anew', async () => {
  const guards = await guardsOf();
  guards.arm(window({ expiresAt: clock.now() + 60e6 }));
  tree.set('sys/devices/system/cpu/cpuidle/current_driver', 'none');
  clock.advance(300_000);
  expect(tree.get(LIMIT1)).toBe('0');
  expect(guards.availability.find((guard) => guard.guard === 'idle.cpu')).toMatchObject({ available: false });
  expect(guards.arm(window()).cpus).toEqual([]);
});

test('dry run decides and reports, and writes nothing', async () => {
  const guards = await guardsOf({ dryRun: true });
  const hold = guards.arm(window());
  expect(guards.mode).toBe('dry-run');
  expect(hold.cpus).toEqual([1]);
  expect(tree.get(LIMIT1)).toBe('0');
  guards.release(hold);
  expect(events.map((event) => event.type)).toEqual(['armed', 'released']);
});

test('only one hostd has the controls; the next observes and says why', async () => {
  const first = await guardsOf();
  const second = await guardsOf();
  expect([first.mode, second.mode]).toEqual(['arm', 'observe']);
  expect(second.reason).toMatch(/another hostd/);
  expect(second.arm(window()).cpus).toEqual([]);
  expect(second.availability.filter((guard) => guard.chosen)).toEqual([]);
  expect(second.availability[0]?.reason).toMatch(/not armed: another hostd/);
  first.close();
  expect((await guardsOf()).mode).toBe('arm');
});

test('in a runtime directory that others may write to it observes and says why', async () => {
  chmodSync(dir, 0o777);
  const guards = await guardsOf();
  expect(guards.mode).toBe('observe');
  expect(guards.reason).toContain(`others than its owner may write into ${dir}`);
});

test('without any usable control it observes and says why', async () => {
  tree.remove('sys/devices/system/cpu/cpuidle');
  const guards = await guardsOf();
  expect(guards.mode).toBe('observe');
  expect(guards.reason).toMatch(/no cpuidle driver/);
  expect(guards.price(window())).toBe(0);
});

test('falls back to the global limit where there is none per CPU', async () => {
  unlinkSync(join(tree.root, LIMIT1));
  const guards = await guardsOf();
  expect(guards.guards.map((guard) => guard.id)).toEqual(['idle.global']);
  const limit = () => readFileSync(join(tree.root, 'dev/cpu_dma_latency')).readInt32LE();
  const hold = guards.arm(window());
  expect(hold).toMatchObject({ weight: 2, cpus: [1] });
  expect(limit()).toBe(50);
  guards.release(hold);
  expect(limit()).toBe(2_000_000_000);
});

test('another configuration counts for new windows, and leaves leases alone', async () => {
  const guards = await guardsOf();
  const hold = guards.arm(window());
  guards.configure({ idle: 'idle.global', scheduler: 'off' });
  expect(tree.get(LIMIT1)).toBe('50');
  const next = guards.arm(window({ owner: 's2', latencyUs: 20 }));
  expect(readFileSync(join(tree.root, 'dev/cpu_dma_latency')).readInt32LE()).toBe(20);
  guards.release(hold);
  expect(tree.get(LIMIT1)).toBe('0');
  guards.release(next);
  expect(readFileSync(join(tree.root, 'dev/cpu_dma_latency')).readInt32LE()).toBe(2_000_000_000);
});

test('the configuration overrides the choice', async () => {
  const guards = await guardsOf({ config: { idle: 'idle.global' } });
  expect(guards.guards.map((guard) => guard.id)).toEqual(['idle.global']);
  guards.close();
  const off = await guardsOf({ config: { idle: 'off' } });
  expect(off.mode).toBe('observe');
  expect(off.reason).toMatch(/off in the configuration/);
});

test('what started with nothing to arm says that a new configuration takes a restart', async () => {
  const off = { idle: 'off', frequency: 'off', scheduler: 'off' } as const;
  const guards = await guardsOf({ config: off });
  expect(guards.mode).toBe('observe');
  expect(guards.configure(off)).toBe(true);
  expect(guards.configure({ ...off, idle: 'auto' })).toBe(false);
  const idle = guards.availability.find(({ guard }) => guard === 'idle.cpu');
  expect(idle).toMatchObject({ chosen: false, reason: expect.stringContaining('has to be restarted') });
  const arming = await guardsOf();
  expect(arming.configure({ ...off, idle: 'auto' })).toBe(true);
});

test('an idle limit costs by the CPU’s capacity, and nothing where it lets the CPU into its deepest state', async () => {
  tree.set('sys/devices/system/cpu/cpu0/cpu_capacity', '1024');
  tree.set('sys/devices/system/cpu/cpu1/cpu_capacity', '256');
  const guards = await guardsOf();
  const weight = (cpu: number, latencyUs: number) => guards.arm(window({ cpus: [cpu], latencyUs })).weight;
  expect(weight(0, 0)).toBe(1);
  expect(weight(0, 399)).toBe(1);
  expect(weight(1, 50)).toBe(0.25);
  expect(weight(0, 400)).toBe(0);
});
