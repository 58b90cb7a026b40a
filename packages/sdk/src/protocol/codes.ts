import type { PrewakeErrorCode } from './errors.ts';

/** Every code that crosses the wire, with what it means. docs/protocol.md lists them. */
export const ERROR_CODES = {
  // The line itself: the session is closed.
  PREWAKE_LINE_TOO_LONG: 'a line is longer than 4,096 bytes',
  PREWAKE_LINE_NOT_UTF8: 'a line is not UTF-8',
  PREWAKE_LINE_TRUNCATED: 'the connection ended within a line',
  PREWAKE_LINE_MALFORMED: 'a line is not a JSON object',
  // The frame: it is ignored, the session goes on.
  PREWAKE_UNKNOWN_TYPE: 'the frame has no type that this end knows',
  PREWAKE_BAD_TIME: 'a time is not a number, negative, or absurdly far ahead',
  PREWAKE_BAD_ID: 'an id is missing or not of its form',
  PREWAKE_BAD_FIELD: 'a field is missing or has the wrong type or range',
  PREWAKE_KEY_TOO_LONG: 'a kind, key or signal is too long',
  PREWAKE_UNKNOWN_STEP: 'no such step is open in this session',
  PREWAKE_UNKNOWN_WAIT: 'no such wait is open in this session',
  PREWAKE_DUPLICATE_ID: 'a step or wait with this id is open already',
  PREWAKE_TOO_MANY_OPEN: 'too many steps, waits or requests are open in this session',
  PREWAKE_OUT_OF_ORDER: 'an end lies before its beginning',
  // The session.
  PREWAKE_VERSION_MISMATCH: 'no protocol version is known to both ends',
  PREWAKE_TOO_MANY_SESSIONS: 'this user has too many sessions',
  PREWAKE_TOO_MANY_ERRORS: 'the session sent too many bad frames',
  PREWAKE_BACKLOG_FULL: 'the peer does not read what it is sent',
  PREWAKE_FORBIDDEN: 'the peer may not do this',
  PREWAKE_SHUTTING_DOWN: 'hostd is shutting down',
} as const satisfies Record<PrewakeErrorCode, string>;

export type WireErrorCode = keyof typeof ERROR_CODES;
