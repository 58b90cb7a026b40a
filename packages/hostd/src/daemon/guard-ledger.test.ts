import { expect, it } from 'vitest';
import { EventStream } from './event-stream.ts';
import { GuardLedger } from './guard-ledger.ts';

const cpu = { type: 'cpu', cpu: 1 } as const;
const idle = { guard: 'idle.cpu', target: cpu, value: 'n/a' } as const;

let now = 0;
const ledgerOf = () =>
  new GuardLedger(
    new EventStream(),
    () => {},
    () => now,
  );
const armed = (ledger: GuardLedger) => Object.fromEntries(ledger.armedSeconds());

it('counts what was held until it was let go, and not until hostd learned of that', () => {
  const ledger = ledgerOf();
  ledger.guardEvent({ type: 'armed', ...idle, at: 1e6 });
  now = 1.5e6;
  expect(armed(ledger)).toEqual({ 'idle.cpu': 0.5 });
  // Stopped, and restored by the guardian meanwhile.
  now = 60e6;
  ledger.guardEvent({ type: 'void', reason: 'restored', at: now, by: 2e6 });
  ledger.guardEvent({ type: 'released', ...idle, at: now });
  expect(armed(ledger)).toEqual({ 'idle.cpu': 1 });
  expect([1.9e9, 2.1e9].map((ns) => ledger.armed.isCovered(1, ns))).toEqual([true, false]);
  ledger.guardEvent({ type: 'armed', ...idle, at: 61e6 });
  ledger.guardEvent({ type: 'released', ...idle, at: 62e6 });
  expect(armed(ledger)).toEqual({ 'idle.cpu': 2 });
});

it('counts a control until another tool takes it, and anew from the next lease', () => {
  const ledger = ledgerOf();
  ledger.guardEvent({ type: 'armed', ...idle, at: 1e6 });
  now = 3600e6;
  // The lease that ends later has nothing to put back, and says nothing.
  ledger.guardEvent({ type: 'foreign_writer', ...idle, found: '7', ours: 'n/a', at: 2e6 });
  expect(armed(ledger)).toEqual({ 'idle.cpu': 1 });
  expect([1.9e9, 2.1e9, 3600e9].map((ns) => ledger.armed.isCovered(1, ns))).toEqual([true, false, false]);
  ledger.guardEvent({ type: 'armed', ...idle, at: 3600e6 });
  ledger.guardEvent({ type: 'released', ...idle, at: 3601e6 });
  expect(armed(ledger)).toEqual({ 'idle.cpu': 2 });
});

it('warns of a control that failed, and not of a thread that is gone', () => {
  const warned: string[] = [];
  const log = (line: string, level?: string) => {
    if (level === 'warn') warned.push(line);
  };
  const ledger = new GuardLedger(new EventStream(), log, () => 0);
  const target = { type: 'task', tgid: 7, tid: 8, startTime: '9' } as const;
  const failed = { type: 'failed', guard: 'scheduler.slice', target, message: 'it is so', at: 0 } as const;
  ledger.guardEvent({ ...failed, code: 'PREWAKE_GUARD_ESRCH' });
  ledger.guardEvent({ ...failed, code: 'PREWAKE_GUARD_EPERM' });
  expect(warned).toEqual(['scheduler.slice: it is so (PREWAKE_GUARD_EPERM)']);
});
