import { existsSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { PrewakeError } from '@prewake/sdk/protocol';
import type { BucketLimit } from '../policy/config.ts';
import { defaultConfig, defaultSocket, type HostdConfig, type HostFacts, type LogLevel } from './config.ts';
import { type RawConfig, readConfigFile } from './config-file.ts';
import { overlay } from './config-overlay.ts';
import { parseCpuList, parseListen } from './config-values.ts';

/** What the command line says: it wins over the environment, and that over the file. */
export interface ConfigFlags {
  /** The file; it must exist. Without it the first of {@link configFiles} that exists is read. */
  config?: string | undefined;
  socket?: string | undefined;
  runtimeDir?: string | undefined;
  stateDir?: string | undefined;
  logLevel?: LogLevel | undefined;
  /** HOST:PORT. */
  metricsListen?: string | undefined;
}

/** The longest path that fits in a sockaddr_un. */
const MAX_SOCKET_PATH = 107;

/** Where a configuration file may lie, best first. */
export function configFiles({ env, root }: Pick<HostFacts, 'env' | 'root'>): string[] {
  const system = '/etc/prewake/hostd.yaml';
  if (root) return [system];
  const home = env.XDG_CONFIG_HOME ?? join(env.HOME ?? homedir(), '.config');
  return [join(home, 'prewake', 'hostd.yaml'), system];
}

function thisHost(): HostFacts {
  return { env: process.env, root: process.getuid?.() === 0, cpus: availableParallelism() };
}

/**
 * Reads the configuration: defaults, then the file, then environment and flags.
 *
 * @throws PrewakeError `PREWAKE_CONFIG`; its message is one line that says which key, what is wrong and what is
 *   allowed.
 */
export async function loadConfig(
  flags: ConfigFlags = {},
  host: HostFacts = thisHost(),
): Promise<HostdConfig> {
  const file = flags.config ?? configFiles(host).find((candidate) => existsSync(candidate));
  const raw: RawConfig = file === undefined ? {} : await readConfigFile(file);
  const socket = flags.socket ?? host.env.PREWAKE_SOCKET ?? raw.socket ?? defaultSocket(host);
  checkSocketPath(socket);

  const defaults = defaultConfig(host, socket);
  const { users, cgroups, ...budget } = raw.budget ?? {};
  const { cpus, placement, ...guards } = raw.guards ?? {};
  const listen = flags.metricsListen ?? raw.metrics?.listen;
  const config = overlay(defaults, {
    ...raw,
    guards,
    budget,
    metrics: {},
    file,
    socket,
    runtimeDir: fromHere(flags.runtimeDir) ?? raw.runtimeDir,
    stateDir: fromHere(flags.stateDir) ?? raw.stateDir,
    logLevel: flags.logLevel ?? raw.logLevel,
  });
  if (cpus !== undefined) config.guards.cpus = parseCpuList(`${file}: guards.cpus`, String(cpus));
  if (placement === 'on') config.guards.placement = 'placement';
  if (listen !== undefined) {
    const key = flags.metricsListen === undefined ? `${file}: metrics.listen` : '--metrics-listen';
    config.metrics.listen = parseListen(key, listen);
  }
  config.recorder.ringBytes = 2 ** Math.ceil(Math.log2(config.recorder.ringBytes));
  for (const [uid, limit] of Object.entries(users ?? {}))
    config.budget.users[uid] = overlay<BucketLimit>(config.budget.user, limit);
  for (const { pattern, limit } of cgroups ?? [])
    config.budget.cgroups.push({ pattern, limit: overlay<BucketLimit>(config.budget.cgroup, limit) });
  return config;
}

/** A flag's path is from where it was said; a file's is absolute, as the schema has it. The guardian runs elsewhere. */
const fromHere = (path: string | undefined) => (path === undefined ? undefined : resolve(path));

function checkSocketPath(socket: string): void {
  if (!isAbsolute(socket))
    throw new PrewakeError('PREWAKE_CONFIG', `socket must be an absolute path, not "${socket}"`);
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH)
    throw new PrewakeError(
      'PREWAKE_CONFIG',
      `socket must be at most ${MAX_SOCKET_PATH} bytes long (a kernel limit), not ${Buffer.byteLength(socket)}`,
    );
}
