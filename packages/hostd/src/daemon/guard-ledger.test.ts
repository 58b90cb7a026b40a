import { expect, it } from 'vitest';
import type { GuardId, Target } from '../guards/guard.ts';
import { EventStream } from './event-stream.ts';
import { GuardLedger } from './guard-ledger.ts';
import type { Log } from './log.ts';

const cpu = { type: 'cpu', cpu: 1 } as const;
const idle = { guard: 'idle.cpu', target: cpu, value: 'n/a' } as const;

let now = 0;
const ledgerOf = (log: Log = () => {}) => new GuardLedger(new EventStream(), log, () => now);
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

it('logs the same failure once an hour, of threads together, and none for a thread that has ended', () => {
  const lines: string[] = [];
  const ledger = ledgerOf((line) => lines.push(line));
  const fail = (guard: GuardId, target: Target, errno: string, at = 0) =>
    ledger.guardEvent({ type: 'failed', guard, target, code: `PREWAKE_GUARD_${errno}`, message: 'no', at });
  for (let i = 0; i < 300; i++) {
    const thread: Target = { type: 'task', tgid: i, tid: i, startTime: '1' };
    fail('scheduler.slice', thread, 'ESRCH');
    fail('scheduler.slice', thread, 'EPERM');
    fail('timer.slack', thread, 'EPERM');
    for (const one of [0, 1]) fail('idle.cpu', { type: 'cpu', cpu: one }, 'EIO', i);
  }
  fail('idle.cpu', cpu, 'ENOSPC');
  expect(lines).toHaveLength(5);
  fail('idle.cpu', cpu, 'EIO', 3600e6);
  expect(lines).toHaveLength(6);
  // Why nothing is armed any more.
  ledger.guardEvent({ type: 'void', reason: 'guardian', at: 3600e6, by: 3600e6 });
  expect(lines.at(-1)).toMatch(/guardian does not listen/);
});
