import { PrewakeError } from './errors.ts';
import { type ClientFrame, type HostdFrame, MAX_LINE_BYTES } from './frames.ts';

/**
 * A frame as one line, newline included.
 *
 * @throws PrewakeError `PREWAKE_LINE_TOO_LONG` above {@link MAX_LINE_BYTES}: whoever fills a list (marks, pauses,
 *   events) has to bound it.
 */
export function encode(frame: ClientFrame | HostdFrame): string {
  const line = `${JSON.stringify(frame)}\n`;
  // A UTF-16 unit is at most three bytes of UTF-8: only long lines need to be counted.
  if (line.length * 3 > MAX_LINE_BYTES && Buffer.byteLength(line) > MAX_LINE_BYTES) {
    throw new PrewakeError(
      'PREWAKE_LINE_TOO_LONG',
      `A ${frame.type} frame is longer than ${MAX_LINE_BYTES} bytes`,
    );
  }
  return line;
}
