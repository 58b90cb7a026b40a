import type { Command } from 'commander';
import type { ClassesAnswer } from './answers.ts';
import { HostdClient } from './client.ts';
import { wholeNumber } from './flags.ts';
import { duration, print, printJson, table } from './output.ts';
import { clientCommand } from './show.ts';

export function classesCommand(): Command {
  return clientCommand('classes', 'what hostd has learned of your waits, and whether arming them pays')
    .option('--user <uid>', "another user's (root or the group prewake)", wholeNumber)
    .action(async (flags) => {
      const query = flags.user === undefined ? '' : `?user=${flags.user}`;
      const answer = await new HostdClient(flags.socket).get<ClassesAnswer>(`/v1/classes${query}`);
      if (flags.json) printJson(answer);
      else print(classesText(answer));
    });
}

export function classesText({ classes }: ClassesAnswer): string {
  return table(
    ['kind', 'key', 'waits', 'median', 'gain of a covered wakeup', 'armed'],
    classes.map(({ kind, key, waits, medianUs, benefit, armed }) => [
      ...[kind, key, waits, medianUs === null ? '–' : duration(medianUs * 1000)],
      benefit === null
        ? 'not enough evidence'
        : `${duration(benefit.gainNs)} (95 %: ${duration(benefit.lowNs)} to ${duration(benefit.highNs)})`,
      armed ? 'yes' : 'no',
    ]),
    'nothing has been learned yet',
  );
}
