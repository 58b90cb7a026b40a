import { context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { scopes } from './scope.ts';

// The key by which @opentelemetry/core's suppressTracing() is known to every SDK and instrumentation.
const SUPPRESSED = ROOT_CONTEXT.setValue(
  createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING'),
  true,
);

/**
 * Runs our own work apart from the agent's: in no step's scope, which a socket or a timer would keep alive for ever,
 * and without spans of an HTTP instrumentation for it.
 */
export function apart<T>(fn: () => T): T {
  return scopes.exit(() => context.with(SUPPRESSED, fn));
}
