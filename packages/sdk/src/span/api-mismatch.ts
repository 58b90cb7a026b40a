import { trace } from '@opentelemetry/api';
import { sayOnce } from '../session/say-once.ts';

interface GlobalApi {
  version?: string;
  trace?: unknown;
}

const KEY = Symbol.for('opentelemetry.js.api.1');

function globalApi(): GlobalApi | undefined {
  return (globalThis as { [KEY]?: GlobalApi })[KEY];
}

let checked: unknown;

/**
 * Says a mismatch with the provider that is registered by now. For `connect()`, and for each span that does not record
 * after it: many applications register theirs later. A provider that was seen before costs nothing.
 */
export function checkProvider(): void {
  const provider = globalApi()?.trace;
  if (provider === checked) return;
  checked = provider;
  apiMismatch();
}

/** Whether any SDK has registered a tracer provider in this process. */
export function isRegistered(): boolean {
  return globalApi()?.trace !== undefined;
}

/**
 * An API refuses a provider that an older API registered, and says nothing: with two versions installed, spans would
 * silently not record. @returns true where that is so, and says it once.
 */
export function apiMismatch(): boolean {
  const registered = globalApi();
  if (!registered?.trace || trace.getTracerProvider() === registered.trace) return false;
  sayOnce(
    'PREWAKE_OTEL_MISMATCH',
    `The OpenTelemetry SDK was registered with @opentelemetry/api ${registered.version}, which is older than the one that ` +
      'Prewake was installed with: its spans do not record. Install one version of @opentelemetry/api.',
  );
  return true;
}
