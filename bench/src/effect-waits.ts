import type { TraceRow } from '@prewake/hostd/internal';
import { sum } from './statistics.ts';

/** One wait of the workload. `timer` ends at a known time, anything else with a service's answer. */
export interface WorkloadWait {
  kind: string;
  key: string;
  us: number;
}

/** Recorded waits are seconds long: a hundredth of each, so that a run has enough of them. */
const SCALE = 1 / 100;
const SHORTEST_US = 500;
const LONGEST_US = 150_000;
const PERIOD_US = 25_000;
const PER_SESSION = 20;
/** What the program (bench/native/waiter.c) computes after each wakeup, and the length of the active window. */
export const ACTIVE_US = 300;

/** Names as the workload's file has them: no blanks. */
const word = (text: string) => text.replace(/[^\w.:-]/g, '_').slice(0, 60) || 'none';

/**
 * `count` waits of recorded sessions, from the session `first` on, each session giving at most twenty in a row; after
 * every second one a wait of a periodic timer.
 */
export function workload(rows: readonly TraceRow[], first: number, count: number): WorkloadWait[] {
  const bySession = new Map<string, TraceRow[]>();
  for (const row of rows) {
    const others = bySession.get(row.session);
    if (others) others.push(row);
    else bySession.set(row.session, [row]);
  }
  const sessions = [...bySession.values()];
  const waits: WorkloadWait[] = [];
  for (let n = first; waits.length < count; n++) {
    const session = sessions[n % sessions.length] ?? [];
    for (const [i, row] of session.slice(0, PER_SESSION).entries()) {
      const us = Math.min(LONGEST_US, Math.max(SHORTEST_US, row.waitMs * 1000 * SCALE));
      waits.push({ kind: word(row.kind), key: word(row.key), us });
      if (i % 2 === 1) waits.push({ kind: 'timer', key: 'period', us: PERIOD_US });
    }
  }
  return waits.slice(0, count);
}

/** How long to hold a guard from the start of each wait so that `share` of all wait time is armed: by hindsight. */
export function fixedWindow(waits: readonly WorkloadWait[], share: number): number {
  const lengths = waits.map(({ us }) => us).sort((a, b) => a - b);
  const budget = share * sum(lengths);
  let shorter = 0;
  for (const [i, us] of lengths.entries()) {
    const longer = lengths.length - i;
    if (shorter + us * longer > budget) return (budget - shorter) / longer;
    shorter += us;
  }
  return lengths.at(-1) ?? 0;
}

/**
 * The part of wait time to plan for so that `share` of all time is armed: active windows, while the program computes, are
 * armed besides.
 */
export function plannedShare(waits: readonly WorkloadWait[], share: number): number {
  const waited = sum(waits.map(({ us }) => us));
  const awake = waits.length * ACTIVE_US;
  return Math.max(0, (share * (waited + awake) - awake) / waited);
}

/** The workload as bench/native/waiter.c reads it. */
export const asLines = (waits: readonly WorkloadWait[]): string =>
  waits.map(({ kind, key, us }) => `${kind} ${key} ${us.toFixed(1)}\n`).join('');

/** What bench/native/waiter.c prints. */
export function parseWakeups(text: string): { lateUs: number[]; armed: boolean[]; elapsed: number } {
  const lines = text.trimEnd().split('\n');
  const elapsed = Number(/^elapsed (\S+)$/.exec(lines.pop() ?? '')?.[1] ?? Number.NaN);
  const fields = lines.map((line) => line.split(' ').map(Number) as [number, number]);
  return { lateUs: fields.map(([ns]) => ns / 1000), armed: fields.map(([, armed]) => armed === 1), elapsed };
}
