import { type Context, context } from '@opentelemetry/api';

interface Attaching {
  attach?(active: Context): { dispose(): void };
}

/**
 * Makes a step's context active for the rest of the synchronous code, where the API can (1.10 and later, with a
 * context manager that supports it). Elsewhere nothing: our own steps still find their parents, by the scope.
 *
 * @param over whether the step has ended: the context around it then shows through where nobody detaches this one
 */
export function attachContext(inner: Context, over: () => boolean): (() => void) | undefined {
  // Looked up by name: the oldest API that is supported has no such method.
  const api = context as unknown as Attaching;
  if (typeof api.attach !== 'function') return undefined;
  const token = api.attach(new EnteredContext(inner, over));
  return () => token.dispose();
}

/** The context of a step as long as that is under way, then the one around it. */
class EnteredContext implements Context {
  readonly #inner: Context;
  readonly #around: Context;
  readonly #over: () => boolean;

  constructor(inner: Context, over: () => boolean) {
    this.#inner = inner;
    this.#over = over;
    const active = context.active();
    // Those that are over must not keep each other alive.
    this.#around = active instanceof EnteredContext && active.#over() ? active.#around : active;
  }

  get #current(): Context {
    return this.#over() ? this.#around : this.#inner;
  }

  getValue(key: symbol): unknown {
    return this.#current.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return this.#current.setValue(key, value);
  }

  deleteValue(key: symbol): Context {
    return this.#current.deleteValue(key);
  }
}
