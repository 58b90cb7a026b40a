import { isTelemetry } from '../apart.ts';
import type { SignalDetail } from '../options.ts';
import { type Scope, scopes } from '../scope.ts';

/** Sends a signal to the wait whose work a scope does: the one it was begun in, else the step's latest that is open. */
export function deliver(scope: Scope, name: string, detail?: SignalDetail): void {
  const wait = scope.wait?.endedAt === 0 ? scope.wait : scope.step.latestWait;
  wait?.signal(name, detail);
}

/**
 * The scope of what begins now, where its wait shall get signals. An exporter's requests come in the scope of whatever
 * span was the first of their batch, and say nothing of the wait there.
 */
export function signalled(): Scope | undefined {
  const scope = scopes.getStore();
  return scope && scope.step.endedAt === 0 && !scope.intercepted && !isTelemetry() ? scope : undefined;
}
