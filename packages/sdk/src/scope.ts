import { AsyncLocalStorage } from 'node:async_hooks';
import type { LiveStep } from './step.ts';
import type { LiveWait } from './wait.ts';

/** Whose code is running: the step, and the wait whose work it does, where there is one. */
export interface Scope {
  readonly step: LiveStep;
  readonly wait: LiveWait | undefined;
  /** The request was seen by our interceptor already: the diagnostics channel shall not count it again. */
  readonly intercepted?: boolean;
}

export const scopes = new AsyncLocalStorage<Scope | undefined>({ name: 'prewake' });
