import { PrewakeError } from '@prewake/sdk/protocol';

/** What the exit code of every command means. docs/cli.md lists them. */
export const EXIT = {
  ok: 0,
  /** It did not work. */
  failure: 1,
  /** The command line or the configuration is wrong. */
  usage: 2,
  /** hostd is not running, or does not answer. */
  notRunning: 3,
  /** hostd refused: the caller may not do this. */
  forbidden: 4,
} as const;

const BY_CODE: Record<string, number> = {
  PREWAKE_USAGE: EXIT.usage,
  PREWAKE_CONFIG: EXIT.usage,
  PREWAKE_BAD_QUERY: EXIT.usage,
  PREWAKE_NOT_RUNNING: EXIT.notRunning,
  PREWAKE_NO_ANSWER: EXIT.notRunning,
  PREWAKE_SOCKET_DENIED: EXIT.forbidden,
  PREWAKE_FORBIDDEN: EXIT.forbidden,
};

export function exitCodeOf(error: unknown): number {
  return error instanceof PrewakeError ? (BY_CODE[error.code] ?? EXIT.failure) : EXIT.failure;
}
