import { isUtf8 } from 'node:buffer';
import { MAX_LINE_BYTES } from './frames.ts';
import { ProtocolError } from './protocol-error.ts';

const NEWLINE = 0x0a;

/**
 * Cuts a byte stream into lines. Holds at most one unfinished line of the limit's length, whatever the peer sends.
 * After an error it takes nothing more: the session is over.
 */
export class LineSplitter {
  readonly #limit: number;
  #held: Buffer | undefined;
  #error: ProtocolError | undefined;

  constructor(limit: number = MAX_LINE_BYTES) {
    this.#limit = limit;
  }

  /**
   * Calls `onLine` for every line that the chunk completes, without its newline (a `\r` before it is dropped, empty
   * lines are skipped). `onLine` may return `false` to stop: the rest of the chunk is then discarded.
   *
   * @returns the error that ends the session: {@link ProtocolError} `PREWAKE_LINE_TOO_LONG` or `…_NOT_UTF8`. Lines
   *   before the bad one have been delivered where the line was too long; a chunk that is not UTF-8 gives none.
   */
  push(chunk: Buffer, onLine: (line: string) => unknown): ProtocolError | undefined {
    if (this.#error) return this.#error;
    // Mostly it ends with one.
    const last = chunk.at(-1) === NEWLINE ? chunk.length - 1 : chunk.lastIndexOf(NEWLINE);
    if (last < 0) return this.#hold(chunk, 0);

    const held = this.#held;
    this.#held = undefined;
    const whole = held ? Buffer.concat([held, chunk.subarray(0, last)]) : chunk;
    // One decode for the whole chunk: newline-aligned cuts never split a character.
    const text = decode(whole, held ? whole.length : last);
    if (text === undefined) return this.#fail('PREWAKE_LINE_NOT_UTF8', 'A line is not UTF-8');
    for (let start = 0; start <= text.length; ) {
      let end = text.indexOf('\n', start);
      if (end < 0) end = text.length;
      if (this.#tooLong(text, start, end)) return this.#fail('PREWAKE_LINE_TOO_LONG', this.#tooLongMessage());
      const stop = end > start && text.charCodeAt(end - 1) === 0x0d ? end - 1 : end;
      if (stop > start && onLine(text.slice(start, stop)) === false) return undefined;
      start = end + 1;
    }
    return this.#hold(chunk, last + 1);
  }

  /** The stream has ended. @returns `PREWAKE_LINE_TRUNCATED` where it ended within a line. */
  end(): ProtocolError | undefined {
    if (this.#error || !this.#held) return this.#error;
    return this.#fail('PREWAKE_LINE_TRUNCATED', `The connection ended within a line`);
  }

  #hold(chunk: Buffer, from: number): ProtocolError | undefined {
    if (from >= chunk.length) return undefined;
    const rest = chunk.subarray(from);
    const length = (this.#held?.length ?? 0) + rest.length;
    // The newline counts as well, and it is not here yet.
    if (length >= this.#limit) return this.#fail('PREWAKE_LINE_TOO_LONG', this.#tooLongMessage());
    // A copy: a few held bytes must not keep the socket's 64 KiB chunk alive.
    this.#held = this.#held ? Buffer.concat([this.#held, rest]) : Buffer.from(rest);
    return undefined;
  }

  #tooLong(text: string, start: number, end: number): boolean {
    const units = end - start + 1;
    if (units * 3 <= this.#limit) return false;
    return units > this.#limit || Buffer.byteLength(text.slice(start, end)) + 1 > this.#limit;
  }

  #tooLongMessage(): string {
    return `A line is longer than ${this.#limit} bytes`;
  }

  #fail(
    code: ProtocolError['code'] & `PREWAKE_LINE_${'TOO_LONG' | 'NOT_UTF8' | 'TRUNCATED'}`,
    message: string,
  ) {
    this.#held = undefined;
    this.#error = new ProtocolError(code, message, { fatal: true });
    return this.#error;
  }
}

/** The first bytes as text; undefined where they are no UTF-8. */
function decode(bytes: Buffer, end: number): string | undefined {
  const text = bytes.toString('utf8', 0, end);
  // What can't be decoded becomes U+FFFD. A line may say that itself: only then both are looked at.
  return text.includes('\ufffd') && !isUtf8(bytes.subarray(0, end)) ? undefined : text;
}
