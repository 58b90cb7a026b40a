import { type Context, context } from '@opentelemetry/api';

interface Attaching {
  attach?(active: Context): { dispose(): void };
}

/**
 * Makes an OpenTelemetry context active for the rest of the synchronous code, where the API can (1.10 and later, with
 * a context manager that supports it). Elsewhere nothing: our own steps still find their parents, by the scope.
 */
export function attachContext(active: Context): (() => void) | undefined {
  // Looked up by name: the oldest API that is supported has no such method.
  const api = context as unknown as Attaching;
  if (typeof api.attach !== 'function') return undefined;
  const token = api.attach(active);
  return () => token.dispose();
}
