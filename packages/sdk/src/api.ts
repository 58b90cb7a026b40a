import { context } from '@opentelemetry/api';
import { guarded } from './guarded.ts';
import type { SignalDetail, Step, StepOptions, Wait, WaitHint } from './options.ts';
import { monotonicMicros } from './protocol/index.ts';
import { QUIET } from './quiet-step.ts';
import { active } from './runtime.ts';
import { scopes } from './scope.ts';
import { whenSettled } from './settling.ts';
import { deliver } from './signals/deliver.ts';
import { startStep } from './start-step.ts';
import { LiveStep } from './step.ts';
import type { LiveWait } from './wait.ts';

/**
 * Runs `fn` as a step, and ends the step when it returns, throws, or its promise settles. Results and errors are
 * `fn`'s own.
 */
export function step<T>(options: string | StepOptions, fn: (step: Step) => T): T {
  return runStep(startStep(options), fn);
}

function runStep<T>(begun: Step, fn: (step: Step) => T, kept = false): T {
  if (begun === QUIET) return fn(begun);
  let result: T;
  try {
    result = begun.run(() => fn(begun));
  } catch (error) {
    begun.end({ error });
    throw error;
  }
  return whenSettled(
    result,
    { fulfilled: () => begun.end(), rejected: (error) => begun.end({ error }) },
    kept,
  );
}

/**
 * Runs a tool call: a step of kind `tool` that is one wait from its beginning to its end. What the tool does in
 * between may have waits of its own.
 */
export function tool<T>(name: string, fn: (step: Step) => T, options?: Omit<StepOptions, 'kind' | 'key'>): T {
  return step({ ...options, kind: 'tool', key: name }, (begun) =>
    begun === QUIET ? fn(begun) : wait(() => fn(begun)),
  );
}

/**
 * Announces that the current step waits for a promise, or for what a function returns. Requests that the function
 * makes give their signals to this wait. Results and errors are the promise's own; outside of a step, the wait
 * gets an unnamed one. A promise, in contrast to a function, comes back itself, and counts as handled.
 */
export function wait<T>(what: (() => T) | T, hint?: WaitHint): T {
  const scope = scopes.getStore();
  if (!scope) return waitAlone(what, hint);
  const begun = scope.step.wait(hint);
  let result: T;
  try {
    const fn = what as () => T;
    result = typeof what === 'function' ? scopes.run({ step: scope.step, wait: begun }, fn) : what;
  } catch (error) {
    begun.end({ cancelled: isCancelled(error, begun) });
    throw error;
  }
  begun.idleFrom = monotonicMicros();
  return whenSettled(
    result,
    {
      fulfilled: () => begun.end(),
      rejected: (error) => begun.end({ cancelled: isCancelled(error, begun) }),
    },
    typeof what !== 'function',
  );
}

function waitAlone<T>(what: (() => T) | T, hint: WaitHint | undefined): T {
  const owner = active();
  if (!owner?.live) return typeof what === 'function' ? (what as () => T)() : what;
  const kind = hint?.kind ?? 'wait';
  const key = hint?.key ?? '';
  const outer = context.active();
  const startedAt = monotonicMicros();
  const parts = {
    owner,
    kind,
    key,
    outer,
    inner: outer,
    startedAt,
    epochStart: 0,
    provider: undefined,
    parent: undefined,
  };
  const unnamed = new LiveStep({ ...parts, span: QUIET.span });
  guarded(() => owner.stepStarted(unnamed));
  return runStep(unnamed, () => wait(what, hint), typeof what !== 'function');
}

/** A wait that failed teaches nothing, unless it was a tool's: a search that finds nothing fails as well. */
function isCancelled(error: unknown, begun: LiveWait): boolean {
  try {
    const name = (error as { name?: unknown } | null | undefined)?.name;
    if (name === 'AbortError' || name === 'TimeoutError') return true;
  } catch {
    // A getter that throws must not replace the agent's own error.
  }
  return (begun.hint.kind ?? begun.step.kind) !== 'tool';
}

/** Begins a wait of the current step by hand. For a function or a promise, prefer {@link wait}. */
export function startWait(hint?: WaitHint): Wait {
  return scopes.getStore()?.step.wait(hint) ?? QUIET.wait();
}

/** Tells the current wait a fact that narrows its end: `headers`, `first_token`, `token`, `progress`, … */
export function signal(name: string, detail?: SignalDetail): void {
  const scope = scopes.getStore();
  if (scope) deliver(scope, name, detail);
}

/** The step whose code is running. */
export function currentStep(): Step | undefined {
  return scopes.getStore()?.step;
}
