import { type Command, Option } from 'commander';
import { DIMENSIONS, type StatsRow } from '../slowpath/stats/slowpath-stats.ts';
import type { CapabilitiesAnswer, StatsAnswer } from './answers.ts';
import { HostdClient } from './client.ts';
import { duration, harmless, paint, print, printJson, table } from './output.ts';
import { clientCommand } from './show.ts';

export function statsCommand(): Command {
  return clientCommand('stats', 'histograms of what wakeups, slices and single events have cost')
    .option('--category <name>', 'a category (`timer`), all that begin with it (`vfs`), or one (`vfs.open`)')
    .addOption(new Option('--by <what>', 'split by').choices(DIMENSIONS))
    .option('--histogram', 'show the buckets of each')
    .action(async (flags) => {
      const query = new URLSearchParams();
      for (const name of ['category', 'by'] as const) if (flags[name]) query.set(name, flags[name]);
      const client = new HostdClient(flags.socket);
      const answer = await client.get<StatsAnswer>(`/v1/stats?${query}`);
      if (flags.json) printJson(answer);
      else if (answer.stats.length === 0)
        print(whyNothing(flags.category, await client.get<CapabilitiesAnswer>('/v1/capabilities')));
      else print(flags.histogram ? answer.stats.map(histogramText).join('\n\n') : statsText(answer));
    });
}

/** What this machine can't know is not the same as what has not happened. */
function whyNothing(asked: string | undefined, { categories }: CapabilitiesAnswer): string {
  const unknown = categories.filter(
    ({ category, tier }) =>
      tier === 'unavailable' && asked !== undefined && `${asked}.`.startsWith(`${category}.`),
  );
  if (unknown.length === 0) return 'nothing has been recorded yet';
  return unknown
    .map(({ category, reason }) => `${category} is unknown on this machine: ${reason}`)
    .join('\n');
}

function statsText({ stats }: StatsAnswer): string {
  return table(
    ['category', 'of', 'count', 'p50', 'p90', 'p99', 'max', 'sum'],
    stats.map((row) => [
      ...[row.category, row.of ?? '', row.count],
      ...[row.p50, row.p90, row.p99, row.max].map((value) => inUnit(row, value)),
      // A sum of frequencies or of idle states means nothing.
      row.unit === 'ns' || row.category.startsWith('page_') ? inUnit(row, row.sum) : '',
    ]),
    '',
  );
}

const WIDTH = 40;

/** One line for each doubling; `--json` has the finer buckets. */
function histogramText(row: StatsRow): string {
  const octaves = new Map<number, number>();
  for (const [upTo, count] of row.buckets) {
    const octave = upTo <= 1 ? upTo : 2 ** Math.ceil(Math.log2(upTo));
    octaves.set(octave, (octaves.get(octave) ?? 0) + count);
  }
  const most = Math.max(...octaves.values(), 1);
  const lines = [...octaves].map(([upTo, count]) => {
    const bar = '█'.repeat(Math.round((count / most) * WIDTH));
    return `${`≤ ${inUnit(row, upTo)}`.padStart(14)} ${String(count).padStart(9)} ${bar}`.trimEnd();
  });
  const of = row.of === undefined ? '' : ` of ${harmless(row.of)}`;
  return [paint('bold', `${row.category}${of}, ${row.count} in all`), ...lines].join('\n');
}

function inUnit({ unit }: StatsRow, value: number): string {
  if (unit === 'ns') return duration(value);
  return unit === 'kHz' ? `${Math.round(value / 1000)} MHz` : String(Math.round(value));
}
