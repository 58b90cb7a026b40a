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
    // A subclass is told by its own prototype; only the base is told by the brand.
    // biome-ignore lint/complexity/noThisInStatic: the class that `instanceof` was asked about
    if (this !== PrewakeError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true;
  }
}
