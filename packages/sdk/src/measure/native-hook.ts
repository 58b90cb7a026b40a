import { type AsyncHook, createHook } from 'node:async_hooks';
import { guarded } from '../guarded.ts';

// Newer than the types: leaves promises alone, which are what makes async_hooks expensive.
type Options = Parameters<typeof createHook>[0] & { trackPromises?: boolean };

/** Node has `trackPromises` if it refuses to combine it with promiseResolve. */
const supported = (() => {
  try {
    createHook({ promiseResolve() {}, trackPromises: false } as Options);
    return false;
  } catch {
    return true;
  }
})();

export interface NativeEvents {
  init(asyncId: number, type: string, resource: object): void;
  before(asyncId: number): void;
}

/**
 * async_hooks for everything but promises: callbacks of the event loop and requests to the thread pool. On while
 * steps are open whose spans record, and until what was begun in the pool meanwhile has ended; about 0.5 µs for each
 * callback of the loop.
 *
 * @returns undefined on a Node that can't leave promises out: what it measures is then unknown
 */
export function nativeHook(events: NativeEvents): AsyncHook | undefined {
  if (!supported) return undefined;
  return createHook({
    init: (asyncId, type, _, resource) => guarded(() => events.init(asyncId, type, resource)),
    before: (asyncId) => guarded(() => events.before(asyncId)),
    trackPromises: false,
  } as Options);
}
