import { scopes } from '../scope.ts';
import { signalled } from './deliver.ts';
import type { Headers } from './response-facts.ts';
import { ResponseSignals } from './response-signals.ts';

// undici's own types would make it a dependency: this much of them is enough, and compose() accepts it.
// biome-ignore lint/suspicious/noExplicitAny: undici's handler interfaces differ between its versions
type Dispatch = (options: any, handler: any) => boolean;

type Method = (...given: unknown[]) => unknown;

/**
 * An interceptor for undici's `compose()`, where diagnostics channels are switched off, or where undici publishes no
 * chunks (6, which is Node 22's `fetch` too): `new Agent().compose(interceptor())`. A request that passes it is not
 * counted twice. Works with the handlers of undici 6 (`onHeaders`) and of 7 and later (`onResponseStart`), and sets no
 * global dispatcher.
 */
export function interceptor(): (dispatch: Dispatch) => Dispatch {
  return (dispatch) => (options, handler) => {
    const scope = signalled();
    if (!scope) return dispatch(options, handler);
    const watched = watch(handler, new ResponseSignals(scope));
    return scopes.run({ ...scope, intercepted: true }, () => dispatch(options, watched));
  };
}

/** Everything goes to the handler itself, private fields included; four of its methods are listened to on the way. */
function watch<T extends object>(handler: T, signals: ResponseSignals): T {
  const listeners: Record<string, (given: unknown[]) => void> = {
    onRequestStart: () => signals.sent(),
    onConnect: () => signals.sent(),
    onResponseStart: ([, , headers]) => signals.headers(headers as Headers),
    onHeaders: ([, headers]) => signals.headers(headers as Headers),
    onResponseData: () => signals.chunk(),
    onData: () => signals.chunk(),
  };
  return new Proxy(handler, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const listener =
        typeof name === 'string' && Object.hasOwn(listeners, name) ? listeners[name] : undefined;
      return (...given: unknown[]) => {
        try {
          listener?.(given);
        } catch {
          // Never between undici and its handler.
        }
        return (value as Method).apply(target, given);
      };
    },
  });
}
