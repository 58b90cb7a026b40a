import { PrewakeError } from '@prewake/sdk/protocol';
import { Command } from 'commander';
import type { ConfigFlags } from '../daemon/config-load.ts';
import type { RestoreReport } from '../guards/index.ts';
import { print, printJson, table } from './output.ts';

export function restoreCommand(): Command {
  return new Command('restore')
    .description('put back every control that a hostd which is gone has left changed')
    .option('--config <file>', "hostd's configuration file")
    .option('--socket <path>', "hostd's socket; the journal lies beside it")
    .option('--runtime-dir <path>', 'where the journal is')
    .option('--json', 'print what was done as JSON')
    .action(async (flags: ConfigFlags & { json?: boolean }) => {
      const { loadConfig } = await import('../daemon/config-load.ts');
      const { restore } = await import('../guards/index.ts');
      const { runtimeDir } = await loadConfig(flags);
      const report = restore({ runtimeDir });
      if (flags.json) printJson(report);
      else print(restoreText(report));
      const stuck = report.entries.filter(({ outcome }) => outcome === 'failed' || outcome === 'pending');
      if (stuck.length > 0)
        throw new PrewakeError('PREWAKE_NOT_RESTORED', `${stuck.length} controls could not be put back`);
    });
}

function restoreText({ entries, livingOwner }: RestoreReport): string {
  const done = table(
    ['guard', 'on', 'outcome', 'original', 'found', 'why'],
    entries.map(({ guard, target, outcome, original, found, reason }) => [
      ...[guard, target, outcome, original, found, reason ?? ''],
    ]),
    'nothing was left to restore',
  );
  return livingOwner === undefined
    ? done
    : `${done}\nhostd (pid ${livingOwner}) is alive; its leases are void`;
}
