import { Command, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '../daemon/config.ts';
import type { ConfigFlags } from '../daemon/config-load.ts';
import type { Daemon } from '../daemon/daemon.ts';
import { EXIT } from './exit-codes.ts';
import { listenAddress } from './flags.ts';

/** A second signal within this time is the first one's echo. */
const SAME_REQUEST_MS = 1000;

interface HostdFlags extends ConfigFlags {
  dryRun?: boolean;
}

export function hostdCommand(): Command {
  return new Command('hostd')
    .description('run the host daemon in the foreground, until SIGTERM or SIGINT')
    .option(
      '--config <file>',
      'YAML file (default: /etc/prewake/hostd.yaml; before that, but not for root, ~/.config/prewake/hostd.yaml)',
    )
    .option('--socket <path>', 'where to listen')
    .option(
      '--runtime-dir <path>',
      "where the journal of changed controls and a pause are kept (default: the socket's directory)",
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
  let loudest = LOG_LEVELS.indexOf(config.logLevel);
  const log = (line: string, level: LogLevel = 'info') => {
    if (LOG_LEVELS.indexOf(level) <= loudest) process.stderr.write(`${line}\n`);
  };

  const { yieldToWoken } = await import('../kernel/own-scheduling.ts');
  // Heard from the first moment: a signal during the start ends hostd as cleanly as a later one.
  const { startDaemon } = await import('../daemon/daemon.ts');
  let started = (_daemon: Daemon) => {};
  const daemon = new Promise<Daemon>((resolve) => {
    started = resolve;
  });
  process.on('SIGHUP', async () => {
    const running = await daemon;
    try {
      const changed = await loadConfig(flags);
      loudest = LOG_LEVELS.indexOf(changed.logLevel);
      running.reload(changed);
    } catch (error) {
      log(`the old configuration stays: ${(error as Error).message}`, 'error');
    }
  });
  let stoppingSince = Number.POSITIVE_INFINITY;
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, async () => {
      // Whoever asks again does not want to wait; the guardian restores what is left. What comes at once is the
      // same request, which both a terminal and npm have passed on.
      if (performance.now() - stoppingSince > SAME_REQUEST_MS) process.exit(EXIT.failure);
      if (stoppingSince < Number.POSITIVE_INFINITY) return;
      stoppingSince = performance.now();
      await (await daemon).stop(signal);
      process.exit(EXIT.ok);
    });
  started(await startDaemon(config, { dryRun: flags.dryRun === true, log }));
  // After the start: its children keep the scheduling that they were born with.
  yieldToWoken();
  const { compileEarlyAfterStart } = await import('../daemon/compile-early.ts');
  compileEarlyAfterStart();
}
