import { AsyncLocalStorage } from 'node:async_hooks';
import type { LiveStep } from './step.ts';
import type { LiveWait } from './wait.ts';

/** Whose code is running: the step, and the wait whose work it does, where there is one. */
export interface Scope {
  readonly step: LiveStep;
  readonly wait: LiveWait | undefined;
  /** The request was seen by our interceptor already: the diagnostics channel shall not count it again. */
  readonly intercepted?: boolean;
  /** The step was entered, around what was current then, and not run: its scope has no end of its own. */
  readonly entered?: { readonly around: Scope | undefined };
}

/**
 * A step that was entered may be left in another async context than the one that entered it: a callback interface's
 * end comes when it comes. So its scope lasts for as long as the step, and then what was around it is current again.
 */
class Scopes extends AsyncLocalStorage<Scope | undefined> {
  override getStore(): Scope | undefined {
    let scope = super.getStore();
    while (scope?.entered && scope.step.endedAt !== 0) scope = scope.entered.around;
    return scope;
  }
}

export const scopes = new Scopes({ name: 'prewake' });
