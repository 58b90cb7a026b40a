import { trace } from '@opentelemetry/api';
import { sayOnce } from '../session/say-once.ts';

interface GlobalApi {
  version?: string;
  trace?: unknown;
}

function globalApi(): GlobalApi | undefined {
  return (globalThis as Record<symbol, unknown>)[Symbol.for('opentelemetry.js.api.1')] as
    | GlobalApi
    | undefined;
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
