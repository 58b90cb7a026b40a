import { monotonicMicros } from '@prewake/sdk/protocol';
import { Command } from 'commander';
import { targetKey } from '../guards/target.ts';
import type {
  BudgetsAnswer,
  CapabilitiesAnswer,
  LeasesAnswer,
  SessionsAnswer,
  StatusAnswer,
} from './answers.ts';
import { HostdClient } from './client.ts';
import { duration, harmless, paint, print, printJson, table } from './output.ts';
import { categoryTable, guardTable } from './what-there-is.ts';

interface ClientFlags {
  socket?: string;
  json?: boolean;
}

/** A command that asks hostd one thing and shows the answer, as text or, with `--json`, as it came. */
export function asking<T>(
  name: string,
  description: string,
  path: string,
  show: (answer: T) => string,
): Command {
  return clientCommand(name, description).action(async (flags: ClientFlags) => {
    const answer = await new HostdClient(flags.socket).get<T>(path);
    if (flags.json) printJson(answer);
    else print(show(answer));
  });
}

export function clientCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--socket <path>', "hostd's socket (default: PREWAKE_SOCKET, else the system's, else the user's)")
    .option('--json', 'print the answer as JSON');
}

export const showCommands = () => [
  asking<StatusAnswer>('status', 'what hostd does now', '/v1/status', statusText),
  asking<SessionsAnswer>('sessions', 'the connected agents', '/v1/sessions', sessionsText),
  asking<LeasesAnswer>(
    'leases',
    'the guards held now, by whom, why and until when',
    '/v1/leases',
    leasesText,
  ),
  asking<BudgetsAnswer>('budgets', 'the token buckets that pay for armed time', '/v1/budgets', budgetsText),
  asking<CapabilitiesAnswer>(
    'capabilities',
    'the guards and slowpath sources that the running hostd uses, and why',
    '/v1/capabilities',
    ({ guards, categories, recorder }) => {
      const source = `recorder: ${recorder.source}${recorder.reason ? ` (${recorder.reason})` : ''}`;
      return `${guardTable(guards)}\n\n${source}\n${categoryTable(categories)}`;
    },
  ),
];

export function statusText(status: StatusAnswer): string {
  const { recorder, modeReason, thrift } = status;
  const colour = { arm: 'green', observe: 'yellow', paused: 'red' } as const;
  return [
    `hostd ${status.version}, pid ${status.pid}, up ${duration(status.uptimeS * 1e9)}`,
    `mode      ${paint(colour[status.mode], status.mode)}${modeReason ? ` (${harmless(modeReason)})` : ''}`,
    ...(thrift.part < 1
      ? [`budget    cut to ${Math.round(thrift.part * 100)} % (${thrift.reasons.join(', ')})`]
      : []),
    `guardian  ${status.guardianPid === undefined ? 'none' : `pid ${status.guardianPid}`}`,
    `recorder  ${recorder.source}${recorder.reason ? ` (${recorder.reason})` : ''}, ${
      recorder.attached ? 'attached' : 'detached'
    }, ${recorder.records} records read, ${recorder.lost} lost`,
    `sessions  ${status.sessions}, with ${status.openWaits} open waits`,
    `leases    ${status.leases}`,
  ].join('\n');
}

export function sessionsText({ sessions }: SessionsAnswer): string {
  const now = monotonicMicros();
  return table(
    ['session', 'pid', 'uid', 'for', 'steps', 'waits', 'open', 'errors', 'client', 'cgroup'],
    sessions.map(({ id, pid, uid, startedAt, steps, waits, openWaits, errors, client, cgroup }) => [
      ...[id, pid, uid, duration((now - startedAt) * 1000), steps, waits, openWaits, errors],
      ...[client, cgroup],
    ]),
    'no agent is connected',
  );
}

export function leasesText({ leases }: LeasesAnswer): string {
  const now = monotonicMicros();
  return table(
    ['lease', 'guard', 'on', 'wanted', 'owner', 'reason', 'held', 'expires in'],
    leases.map(({ id, guard, target, wanted, owner, reason, since, expiresAt }) => [
      ...[id, guard, targetKey(target), wanted, owner, reason],
      ...[duration((now - since) * 1000), duration((expiresAt - now) * 1000)],
    ]),
    'no guard is held',
  );
}

export function budgetsText({ buckets }: BudgetsAnswer): string {
  return table(
    ['bucket', 'tokens', 'capacity', 'refill/s', 'granted', 'refused', 'state'],
    buckets.map(({ bucket, tokens, capacity, refillPerSecond, granted, refused, degraded }) => [
      ...[bucket, Math.round(tokens), Math.round(capacity), Math.round(refillPerSecond)],
      ...[Math.round(granted), refused, degraded ? 'degraded' : 'ok'],
    ]),
    'no bucket has been used yet',
  );
}

/** One line: the type, then each field as `name=value`. */
export function eventText({ type, ...fields }: Record<string, unknown>): string {
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const parts = Object.entries(fields).map(([name, value]) => `${name}=${harmless(text(value))}`);
  return [String(type).padEnd(10), ...parts].join(' ');
}
