import { Client } from './client.ts';
import { guarded } from './guarded.ts';
import type { ConnectOptions } from './options.ts';
import { checkProvider } from './span/api-mismatch.ts';
import { type Stats, statsOf } from './stats.ts';
import { currentThread } from './thread.ts';

/** What `connect()` gives: this thread's part in Prewake. */
export interface Prewake {
  /** Resolves true with the session's welcome, false where there is none after `timeoutMs` (default 1,000). */
  ready(timeoutMs?: number): Promise<boolean>;
  /** Resolves when every finished step has its figures, or has waited for them as long as it may. */
  settled(): Promise<void>;
  /** Ends all held spans at once, as incomplete, and writes what is to be announced. Does not throw. */
  flush(): Promise<void>;
  /** `flush()`, then leaves hostd. Steps do nothing from then on, until the next `connect()`. */
  shutdown(): Promise<void>;
  stats(): Stats;
}

let current: Client | undefined;

/** The client of this thread, where there is one. */
export function active(): Client | undefined {
  return current;
}

const supported = process.platform === 'linux';

/**
 * Switches Prewake on in this thread: steps get spans, hostd gets to know of them. Returns at once and never throws;
 * the session opens in the background and is opened again whenever it is lost. Without hostd, permission or Linux,
 * steps have their spans and nothing else. With `PREWAKE_DISABLED=1` nothing happens at all.
 *
 * A second call changes nothing and gives the same.
 */
export function connect(options: ConnectOptions = {}): Prewake {
  if (!current && !isDisabled()) current = guarded(() => begin(options ?? {}));
  return handle;
}

function begin(options: ConnectOptions): Client {
  const client = new Client(options, currentThread());
  client.start(supported);
  if (client.usesGlobalProvider) checkProvider();
  return client;
}

function isDisabled(): boolean {
  const value = process.env.PREWAKE_DISABLED;
  return value !== undefined && value !== '' && value !== '0';
}

const handle: Prewake = {
  ready: (timeoutMs = 1000) => current?.ready(timeoutMs) ?? Promise.resolve(false),
  settled: () => current?.settled() ?? Promise.resolve(),
  flush,
  shutdown,
  stats,
};

/** See {@link Prewake.flush}. */
export function flush(): Promise<void> {
  current?.flush();
  return Promise.resolve();
}

/** See {@link Prewake.shutdown}. */
export async function shutdown(): Promise<void> {
  const client = current;
  current = undefined;
  await client?.close();
}

/** Counters of this thread's session: for tests, health checks and the curious. Zero everywhere before `connect()`. */
export function stats(): Stats {
  return statsOf(current);
}
