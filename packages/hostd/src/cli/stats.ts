import { CATEGORIES } from '@prewake/sdk/protocol';
import { type Command, Option } from 'commander';
import type { StatsAnswer } from './answers.ts';
import { HostdClient } from './client.ts';
import { duration, print, printJson, table } from './output.ts';
import { clientCommand } from './show.ts';

export function statsCommand(): Command {
  return clientCommand('stats', 'slowpath histograms of what hostd has recorded')
    .addOption(new Option('--category <name>', 'one category only').choices(CATEGORIES))
    .addOption(new Option('--by <what>', 'split by').choices(['step', 'key', 'cpu', 'session', 'cgroup']))
    .action(async (flags) => {
      const query = new URLSearchParams();
      for (const name of ['category', 'by'] as const) if (flags[name]) query.set(name, flags[name]);
      const answer = await new HostdClient(flags.socket).get<StatsAnswer>(`/v1/stats?${query}`);
      if (flags.json) printJson(answer);
      else print(statsText(answer));
    });
}

function statsText({ stats }: StatsAnswer): string {
  return table(
    ['category', 'of', 'count', 'p50', 'p90', 'p99', 'max', 'sum'],
    stats.map(({ category, of, count, p50Ns, p90Ns, p99Ns, maxNs, sumNs }) => [
      ...[category, of ?? '', count],
      ...[p50Ns, p90Ns, p99Ns, maxNs, sumNs].map(duration),
    ]),
    'nothing has been recorded yet',
  );
}
