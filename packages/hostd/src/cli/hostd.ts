import { Command, Option } from 'commander';
import { LOG_LEVELS } from '../daemon/config.ts';
import type { ConfigFlags } from '../daemon/config-load.ts';
import { EXIT } from './exit-codes.ts';
import { listenAddress } from './flags.ts';

interface HostdFlags extends ConfigFlags {
  dryRun?: boolean;
}

export function hostdCommand(): Command {
  return new Command('hostd')
    .description('run the host daemon in the foreground, until SIGTERM or SIGINT')
    .option(
      '--config <file>',
      'YAML file (default: ~/.config/prewake/hostd.yaml, then /etc/prewake/hostd.yaml)',
    )
    .option('--socket <path>', 'where to listen')
    .option(
      '--runtime-dir <path>',
      "where the journal of changed controls is kept (default: the socket's directory)",
    )
    .option('--state-dir <path>', 'where learned classes are kept')
    .option('--metrics-listen <host:port>', 'serve /metrics over TCP too', listenAddress)
    .option('--dry-run', 'decide and report, and write to no control')
    .addOption(new Option('--log-level <level>', 'how much goes to stderr').choices(LOG_LEVELS))
    .action(runHostd);
}

async function runHostd(flags: HostdFlags): Promise<void> {
  const { loadConfig } = await import('../daemon/config-load.ts');
  const config = await loadConfig(flags);
  const { startDaemon } = await import('../daemon/daemon.ts');
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const daemon = await startDaemon(config, { dryRun: flags.dryRun === true, log });

  process.on('SIGHUP', async () => {
    try {
      daemon.reload(await loadConfig(flags));
    } catch (error) {
      log(`the old configuration stays: ${(error as Error).message}`);
    }
  });
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, async () => {
      // Whoever asks twice does not want to wait; the guardian restores what is left.
      if (stopping) process.exit(EXIT.failure);
      stopping = true;
      await daemon.stop(signal);
      process.exit(EXIT.ok);
    });
}
