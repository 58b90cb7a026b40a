import { AsyncResource, executionAsyncResource } from 'node:async_hooks';
import { scopes } from '../scope.ts';
import type { LiveStep } from '../step.ts';

const currentStep = () => scopes.getStore()?.step;

/**
 * Tells whose code a callback is, inside an async_hooks `before` hook. The scope that is current there is right for
 * most; two kinds need care.
 */
export class RunningStep {
  /** True while a resource is asked: the hooks that this fires are to be ignored. */
  asking = false;
  #socket: { step: LiveStep | undefined } | undefined;

  of(resource: object | undefined): LiveStep | undefined {
    // An AsyncResource (undici's requests, callbacks bound by pools) changes the context only after the hook.
    if (resource instanceof AsyncResource) return this.#ask(resource);
    const step = currentStep();
    if (resource instanceof Promise) return step;
    // A connection is in the context of whoever opened it, and pools hand it on: its callbacks, and the nextTicks
    // that they leave, are nobody's until code that they wake says whose it is. A child's pipes are its own.
    const name = resource?.constructor?.name;
    if (name === 'TCP' || name === 'TLSWrap') {
      this.#socket = { step };
      return undefined;
    }
    if (name === 'Object') return this.#socket && this.#socket.step === step ? undefined : step;
    this.#socket = undefined;
    return step;
  }

  #ask(resource: AsyncResource): LiveStep | undefined {
    this.asking = true;
    try {
      return AsyncResource.prototype.runInAsyncScope.call(resource, currentStep) as LiveStep | undefined;
    } finally {
      this.asking = false;
    }
  }
}

/** Whether a callback is one that the event loop starts, and not a part of another's turn. */
export function startsTurn(resource: object | undefined): boolean {
  return !(
    resource instanceof Promise ||
    resource instanceof AsyncResource ||
    resource?.constructor?.name === 'Object'
  );
}

/** Whether a hook is about a promise. */
export function isPromise(): boolean {
  return executionAsyncResource() instanceof Promise;
}
