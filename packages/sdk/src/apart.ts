import { context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { scopes } from './scope.ts';

// The key by which @opentelemetry/core's suppressTracing() is known to every SDK and instrumentation.
const SUPPRESS_TRACING = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
const SUPPRESSED = ROOT_CONTEXT.setValue(SUPPRESS_TRACING, true);

/**
 * Runs our own work apart from the agent's: in no step's scope, which a socket or a timer would keep alive for ever,
 * and without spans of an HTTP instrumentation for it.
 */
export function apart<T>(fn: () => T): T {
  return scopes.exit(() => context.with(SUPPRESSED, fn));
}

/** Whether the code that runs is telemetry's own work, an exporter's: whatever step it was started in, it is not its. */
export function isTelemetry(): boolean {
  return context.active().getValue(SUPPRESS_TRACING) === true;
}
