import type { Command } from 'commander';
import type { StatusAnswer } from './answers.ts';
import { HostdClient } from './client.ts';
import { wholeNumber } from './flags.ts';
import { print, printJson } from './output.ts';
import { clientCommand, eventText, statusText } from './show.ts';

/** Commands that tell hostd to do something, or listen to it. */
export const controlCommands = (): Command[] => [
  clientCommand('pause', 'release every guard and arm none until resume (root or the group prewake)')
    .argument('[reason]', 'shown in status, doctor and events', '')
    .action(async (reason: string, flags) => {
      const query = reason === '' ? '' : `?${new URLSearchParams({ reason })}`;
      show(await new HostdClient(flags.socket).post<StatusAnswer>(`/v1/pause${query}`), flags.json);
    }),
  clientCommand('resume', 'arm again after a pause (root or the group prewake)').action(async (flags) => {
    show(await new HostdClient(flags.socket).post<StatusAnswer>('/v1/resume'), flags.json);
  }),
  clientCommand('events', 'follow what hostd does, until interrupted')
    .option('--count <n>', 'end after so many events', wholeNumber)
    .action(async (flags) => {
      const stop = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
      let left = flags.count ?? Number.POSITIVE_INFINITY;
      if (left === 0) return;
      for await (const data of new HostdClient(flags.socket).events('/v1/events', stop.signal)) {
        print(flags.json ? data : eventText(JSON.parse(data)));
        if (--left <= 0) break;
      }
      stop.abort();
    }),
];

function show(status: StatusAnswer, json: boolean): void {
  if (json) printJson(status);
  else print(statusText(status));
}
