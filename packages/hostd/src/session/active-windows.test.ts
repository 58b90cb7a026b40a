import { monotonicMicros } from '@prewake/sdk/protocol';
import { expect, it, vi } from 'vitest';
import { IdleCpuGuard } from '../guards/idle-cpu.ts';
import { budgetOf, claimant, ms, planned, waitEnd, waitFrame, windowsRigs } from './windows.testkit.ts';

const one = claimant('s1');
const NOTHING = planned({ windows: [], reason: 'dispersed' });
const rig = windowsRigs({ policy: NOTHING });

it('each further wakeup renews the active window, which ends by itself', async () => {
  const { windows, guards, limit } = await rig();
  for (let id = 1; id <= 10; id++) {
    windows.waitStarted(one, waitFrame(id));
    await ms(1);
    const outcome = windows.waitEnded(one, waitEnd(id));
    expect(outcome).toMatchObject({ armed: false, open: id > 1 });
    expect(guards.leases()).toHaveLength(1);
  }
  expect(guards.leases()[0]).toMatchObject({ id: 1, reason: 'active s1' });
  await ms(1);
  expect(limit(0)).toBe('n/a');
  await ms(2);
  expect(limit(0)).toBe('0');
});

it('lasts from the wakeup and not from when that is heard of, and a late word shortens none', async () => {
  const { windows, guards, limit } = await rig();
  const ends = (id: number, agoUs: number) => {
    windows.waitStarted(one, { ...waitFrame(id), at: monotonicMicros() - 10_000 });
    windows.waitEnded(one, { ...waitEnd(id), at: monotonicMicros() - agoUs });
  };
  ends(1, 5000);
  expect(guards.leases()).toEqual([]);
  ends(2, 1500);
  expect(guards.leases()).toHaveLength(1);
  await ms(1);
  expect(limit(0)).toBe('0');
  ends(3, 0);
  ends(4, 1500);
  await ms(1);
  expect(limit(0)).toBe('n/a');
  await ms(2);
  expect(limit(0)).toBe('0');
});

it.each(['holdout', 'no_benefit'] as const)('a wait that is left alone (%s) has none', async (reason) => {
  const { windows, guards } = await rig({ policy: planned({ windows: [], reason }) });
  windows.waitStarted(one, waitFrame(1));
  windows.waitEnded(one, waitEnd(1));
  expect(guards.leases()).toEqual([]);
});

it('a cancelled wait has none: nobody woke', async () => {
  const { windows, guards } = await rig();
  windows.waitStarted(one, waitFrame(1));
  windows.waitEnded(one, waitEnd(1, true));
  expect(guards.leases()).toEqual([]);
});

it('is where each thread runs, and goes along with it', async () => {
  const cpuOf = new Map([
    [11, 0],
    [12, 1],
  ]);
  const { windows, guards, limit } = await rig({ cpusOf: (_, tid) => [cpuOf.get(tid) as number] });
  let id = 0;
  const wakes = (thread: number) => {
    windows.waitStarted(one, waitFrame(++id, { thread }));
    return windows.waitEnded(one, waitEnd(id));
  };
  expect(wakes(11)?.open).toBe(false);
  // Another thread's wakeup was not covered by it.
  expect(wakes(12)?.open).toBe(false);
  expect([limit(0), limit(1)]).toEqual(['n/a', 'n/a']);
  for (let i = 0; i < 5; i++) {
    await ms(1);
    wakes(12);
  }
  expect([limit(0), limit(1)]).toEqual(['0', 'n/a']);
  cpuOf.set(12, 0);
  wakes(12);
  expect([limit(0), limit(1)]).toEqual(['n/a', '0']);
  expect(guards.leases()).toHaveLength(1);
  wakes(11);
  windows.sessionEnded(one, []);
  expect(guards.leases()).toEqual([]);
});

it('interrupts no thread that runs, but tells its CPU when a wait begins within it, and the other at once', async () => {
  const kick = vi.spyOn(IdleCpuGuard.prototype, 'kick');
  const told = () => kick.mock.calls.splice(0).map(([target]) => target);
  const { windows, limit } = await rig({
    cpusOf: () => [0, 1],
    policy: planned({ windows: [], reason: 'dispersed' }, { windows: [[0, 100]] }),
  });
  windows.waitStarted(one, waitFrame(1));
  windows.waitEnded(one, waitEnd(1));
  expect([limit(0), limit(1)]).toEqual(['n/a', 'n/a']);
  expect(told()).toEqual([{ type: 'cpu', cpu: 1 }]);
  // It came along with the end of the first, and its thread may sleep by now.
  windows.waitStarted(one, waitFrame(2));
  expect(told()).toEqual([{ type: 'cpu', cpu: 0 }]);
});

it('that is refused says nothing of the wait before it', async () => {
  const { windows, events, guards } = await rig({
    budget: budgetOf({ user: { refillPerSecond: 0, capacity: 0 } }),
  });
  windows.waitStarted(one, waitFrame(1));
  const outcome = windows.waitEnded(one, waitEnd(1));
  expect(outcome).toMatchObject({ reason: 'dispersed', open: false });
  expect(outcome?.refused).toBeUndefined();
  expect(events.map(({ type }) => type)).toEqual(['refused']);
  expect(guards.leases()).toEqual([]);
});

it('ends with a void, and begins anew with the next wakeup', async () => {
  const { windows, guards, limit } = await rig();
  windows.waitStarted(one, waitFrame(1));
  windows.waitEnded(one, waitEnd(1));
  windows.voided(monotonicMicros());
  expect(guards.leases()).toEqual([]);
  windows.waitStarted(one, waitFrame(2));
  expect(windows.waitEnded(one, waitEnd(2))?.open).toBe(false);
  expect(limit(0)).toBe('n/a');
});
