/** Prewake's host daemon, to be started from code. The `prewake` command is its usual face. */

export { defaultConfig, type HostdConfig, type HostFacts } from './daemon/config.ts';
export { type ConfigFlags, configFiles, loadConfig } from './daemon/config-load.ts';
export { type Daemon, type DaemonOptions, startDaemon } from './daemon/daemon.ts';
