import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { BudgetsAnswer, LeasesAnswer, SessionsAnswer, StatusAnswer } from './answers.ts';
import { HostdClient } from './client.ts';
import { seconds, wholeNumber } from './flags.ts';
import { paint, print, printJson } from './output.ts';
import { budgetsText, clientCommand, eventText, leasesText, sessionsText, statusText } from './show.ts';

/** What is worth a line of its own: budgets, pauses, other writers. Each step would be too much. */
const NOTABLE = new Set(['budget', 'thrift', 'paused', 'resumed', 'session', 'session_end', 'refused']);
const LINES = 8;
const CLEAR = '\u001b[H\u001b[2J\u001b[3J';

export function topCommand(): Command {
  return clientCommand('top', 'hostd at a glance, again and again, until interrupted')
    .option('--interval <seconds>', 'between two looks, 1 to 86400', seconds, 1)
    .option('--count <n>', 'end after so many looks', wholeNumber)
    .action(async (flags) => {
      const client = new HostdClient(flags.socket);
      const stop = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
      const lines: string[] = [];
      const reading = readEvents(client, stop.signal, lines);
      for (let look = 0; look < (flags.count ?? Number.POSITIVE_INFINITY) && !stop.signal.aborted; look++) {
        if (look > 0) await sleep(flags.interval * 1000, undefined, { signal: stop.signal }).catch(() => {});
        if (stop.signal.aborted) break;
        const seen = await everything(client);
        if (flags.json) printJson(seen);
        else print(`${process.stdout.isTTY ? CLEAR : ''}${topText(seen, lines)}`);
      }
      stop.abort();
      await reading;
    });
}

async function everything(client: HostdClient) {
  const [status, sessions, leases, budgets] = await Promise.all([
    client.get<StatusAnswer>('/v1/status'),
    client.get<SessionsAnswer>('/v1/sessions'),
    client.get<LeasesAnswer>('/v1/leases'),
    client.get<BudgetsAnswer>('/v1/budgets'),
  ]);
  return { status, ...sessions, ...leases, ...budgets };
}

function topText(seen: Awaited<ReturnType<typeof everything>>, lines: readonly string[]): string {
  return [
    statusText(seen.status),
    budgetsText(seen),
    sessionsText(seen),
    leasesText(seen),
    [paint('dim', 'latest events'), ...lines].join('\n'),
  ].join('\n\n');
}

/** Keeps the latest notable events. That hostd ends is the looks' to tell. */
async function readEvents(client: HostdClient, signal: AbortSignal, lines: string[]): Promise<void> {
  try {
    for await (const data of client.events('/v1/events', signal)) {
      const event = JSON.parse(data) as Record<string, unknown>;
      if (!NOTABLE.has(String(event.type)) && event.what !== 'foreign_writer') continue;
      lines.push(eventText(event));
      if (lines.length > LINES) lines.shift();
    }
  } catch {}
}
