import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { PrewakeError, SYSTEM_SOCKET } from '@prewake/sdk/protocol';
import type { GuardId } from '../guards/guard.ts';
import {
  type BudgetConfig,
  defaultBudgetConfig,
  defaultPolicyConfig,
  type PolicyConfig,
} from '../policy/config.ts';
import { defaultSessionLimits, type SessionLimits } from '../session/session.ts';

/**
 * hostd's whole configuration, complete: what a file leaves out has its default. schema/hostd.schema.json says
 * what each key means, its unit and its range, and docs/configuration.md is made from it.
 */
export interface HostdConfig {
  /** The file that it came from; undefined: none, defaults only. */
  file: string | undefined;
  socket: string;
  runtimeDir: string;
  stateDir: string;
  adminGroup: string;
  logLevel: LogLevel;
  sessions: SessionsConfig;
  guards: GuardsConfig;
  policy: PolicyConfig & { activeWindowMs: number };
  budget: BudgetConfig;
  recorder: RecorderConfig;
  metrics: { listen: { host: string; port: number } | undefined };
}

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface SessionsConfig extends SessionLimits {
  maxPerUser: number;
  max: number;
}

export interface GuardsConfig {
  idle: 'auto' | Extract<GuardId, `idle.${string}`> | 'off';
  frequency: 'auto' | Extract<GuardId, `frequency.${string}`> | 'off';
  scheduler: 'auto' | Extract<GuardId, `scheduler.${string}`> | 'off';
  timer: 'auto' | Extract<GuardId, `timer.${string}`> | 'off';
  placement: Extract<GuardId, 'placement'> | 'off';
  /** Microseconds. */
  idleLatencyUs: number;
  /** Part of a CPU's highest frequency, 0–1. */
  capacity: number;
  cpus: readonly number[] | 'all';
}

export interface RecorderConfig {
  source: 'auto' | 'bpf' | 'schedstat' | 'off';
  /** A power of two. */
  ringBytes: number;
  events: 'requests' | 'all';
  detachAfterMs: number;
}

/** What the defaults depend on. A test gives a host of its own. */
export interface HostFacts {
  env: NodeJS.ProcessEnv;
  root: boolean;
  /** Online CPUs, at least 1. */
  cpus: number;
}

/** The configuration of a host without a file. */
export function defaultConfig(host: HostFacts, socket = defaultSocket(host)): HostdConfig {
  return {
    file: undefined,
    socket,
    runtimeDir: dirname(socket),
    stateDir: defaultStateDir(host),
    adminGroup: 'prewake',
    logLevel: 'info',
    sessions: { maxPerUser: 64, max: 4096, ...defaultSessionLimits },
    guards: {
      idle: 'auto',
      frequency: 'auto',
      scheduler: 'auto',
      timer: 'auto',
      placement: 'off',
      idleLatencyUs: 50,
      capacity: 0.5,
      cpus: 'all',
    },
    policy: { ...defaultPolicyConfig, activeWindowMs: 2 },
    budget: defaultBudgetConfig(host.cpus),
    recorder: { source: 'auto', ringBytes: 8 * 1024 * 1024, events: 'requests', detachAfterMs: 10_000 },
    metrics: { listen: undefined },
  };
}

/**
 * Where hostd listens when nothing else is said.
 *
 * @throws PrewakeError `PREWAKE_CONFIG` where an unprivileged user has no runtime directory.
 */
export function defaultSocket({ env, root }: HostFacts): string {
  if (env.PREWAKE_SOCKET) return env.PREWAKE_SOCKET;
  if (root) return SYSTEM_SOCKET;
  if (env.XDG_RUNTIME_DIR) return join(env.XDG_RUNTIME_DIR, 'prewake', 'hostd.sock');
  throw new PrewakeError('PREWAKE_CONFIG', 'socket: XDG_RUNTIME_DIR is not set; say --socket PATH');
}

function defaultStateDir({ env, root }: HostFacts): string {
  if (root) return '/var/lib/prewake';
  return join(env.XDG_STATE_HOME ?? join(env.HOME ?? homedir(), '.local', 'state'), 'prewake');
}
