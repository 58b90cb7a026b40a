import { ProtocolError } from './protocol-error.ts';

/** A parsed line before its fields are checked. */
export type RawFrame = Record<string, unknown>;

/** Parses a line into an object. Never throws: `PREWAKE_LINE_MALFORMED` is returned, and it is fatal. */
export function parseObject(line: string | Buffer): RawFrame | ProtocolError {
  let value: unknown;
  try {
    value = JSON.parse(typeof line === 'string' ? line : line.toString('utf8'));
  } catch (cause) {
    return new ProtocolError('PREWAKE_LINE_MALFORMED', 'A line is not JSON', { fatal: true, cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as RawFrame;
  return new ProtocolError('PREWAKE_LINE_MALFORMED', 'A line is not a JSON object', { fatal: true });
}
