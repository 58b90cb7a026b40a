import { type MachineGuards, startGuardController } from '../guards/index.ts';
import type { HostdConfig } from './config.ts';
import { guardConfig } from './guard-config.ts';
import type { Hostd } from './hostd.ts';
import { claimSocket } from './listen.ts';
import type { Log } from './log.ts';

export interface DaemonOptions {
  /** Decide and report, write nothing. */
  dryRun?: boolean;
  log: Log;
}

export interface Daemon {
  readonly socketPath: string;
  /** Takes a new configuration over without dropping leases; says what needs a restart. */
  reload(config: HostdConfig): void;
  /** Lets go of everything and restores all controls. */
  stop(reason: string): Promise<void>;
}

/**
 * Starts hostd: restores what a predecessor left, listens, and serves sessions until it is stopped.
 *
 * @throws PrewakeError PREWAKE_ALREADY_RUNNING, PREWAKE_LISTEN, PREWAKE_SOCKET_PATH: nothing is left behind
 */
export async function startDaemon(config: HostdConfig, options: DaemonOptions): Promise<Daemon> {
  const { dryRun = false, log } = options;
  // First of all: it is what keeps two hostds apart.
  const claimed = claimSocket(config.socket);
  let guards: MachineGuards | undefined;
  let hostd: Hostd | undefined;
  try {
    const { runtimeDir } = config;
    guards = await startGuardController({ runtimeDir, config: guardConfig(config), dryRun });
    // The guardian takes as long to start as all the rest together, which is loaded meanwhile, on another CPU.
    const [{ Hostd }, { makeParts }] = await Promise.all([import('./hostd.ts'), import('./parts.ts')]);
    const parts = await makeParts(config, {
      guards,
      dryRun,
      log,
      onSessionEnded: (session) => hostd?.sessionEnded(session),
    });
    hostd = new Hostd(config, log, claimed, parts);
    await hostd.listen();
    return hostd;
  } catch (error) {
    await hostd?.stop('it could not start');
    if (!hostd) {
      guards?.close();
      claimed.release();
    }
    throw error;
  }
}
