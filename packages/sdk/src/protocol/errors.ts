/** Stable codes of every error that crosses the wire or a public API. */
export type PrewakeErrorCode = `PREWAKE_${string}`;

const brand = Symbol.for('prewake.error');

/** The base of every error that Prewake throws. `instanceof` holds across copies of the package. */
export class PrewakeError extends Error {
  override readonly name: string = 'PrewakeError';
  readonly code: PrewakeErrorCode;
  readonly [brand] = true;

  constructor(code: PrewakeErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true;
  }
}
