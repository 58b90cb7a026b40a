import type { WireErrorCode } from './codes.ts';
import { PrewakeError } from './errors.ts';
import type { ErrorFrame } from './frames.ts';

/**
 * A line or frame that broke the protocol. Parsers return it, they do not throw it. It reads as an
 * {@link ErrorFrame}: a `switch` on `type` tells it from a frame, and `encode(error)` is the answer to the peer.
 */
export class ProtocolError extends PrewakeError implements ErrorFrame {
  override readonly name = 'ProtocolError';
  readonly type = 'error' as const;
  /** True where the session ends with it. */
  readonly fatal: boolean;

  constructor(code: WireErrorCode, message: string, options: { fatal?: boolean; cause?: unknown } = {}) {
    super(code, message, 'cause' in options ? { cause: options.cause } : undefined);
    this.fatal = options.fatal ?? false;
  }

  toJSON(): ErrorFrame {
    return { type: 'error', code: this.code, message: this.message, fatal: this.fatal };
  }
}
