import { guarded } from './guarded.ts';

/** Told once when a value has settled. */
export interface Settling {
  fulfilled(): void;
  rejected(error: unknown): void;
}

/** How a value's `then` is called, if it has one: its own, an inherited one, or a getter's. */
type Then = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Tells `settling` when `value` settles: at once if it is no promise. Returns what the caller gives on in its place,
 * which behaves as the value would without us:
 *
 * - A plain promise is seen through one that follows it, so that a rejection nobody handles stays one.
 * - `kept` says that somebody else may hold the promise, and may handle it there: it comes back itself, as do
 *   promises that are more than that (a subclass, properties). Being looked at, it counts as handled.
 * - What has a `then` of its own (a query builder, a client's lazy request) begins its work when that is called, so we
 *   look when the agent calls it. If it never does, the value never settles.
 */
export function whenSettled<T>(value: T, settling: Settling, kept = false): T {
  const then = thenOf(value);
  if (then === undefined) {
    settling.fulfilled();
    return value;
  }
  if (!(value instanceof Promise) || then !== Promise.prototype.then) {
    if (!guarded(() => lookWhenCalled(value as object, then, settling))) settling.fulfilled();
    return value;
  }
  if (kept || value.constructor !== Promise || Reflect.ownKeys(value).length > 0) {
    guarded(() =>
      then.call(
        value,
        () => settling.fulfilled(),
        (error: unknown) => settling.rejected(error),
      ),
    );
    return value;
  }
  return value.then(
    (result: unknown) => {
      settling.fulfilled();
      return result;
    },
    (error: unknown) => {
      settling.rejected(error);
      throw error;
    },
  ) as T;
}

function thenOf(value: unknown): Then | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    const { then } = value as { then?: unknown };
    return typeof then === 'function' ? (then as Then) : undefined;
  } catch {
    // A getter that throws is for whoever awaits the value.
    return undefined;
  }
}

/** Puts a `then` before the value's own until it is called once. False where the value lets nobody do that. */
function lookWhenCalled(value: object, then: Then, settling: Settling): boolean {
  const own = Reflect.getOwnPropertyDescriptor(value, 'then');
  function look(this: unknown, onFulfilled: unknown, onRejected: unknown, ...rest: unknown[]): unknown {
    if (own) Reflect.defineProperty(value, 'then', own);
    else Reflect.deleteProperty(value, 'then');
    const fulfilled = function (this: unknown, ...results: unknown[]) {
      settling.fulfilled();
      return typeof onFulfilled === 'function' ? Reflect.apply(onFulfilled, this, results) : results[0];
    };
    const rejected = function (this: unknown, ...errors: unknown[]) {
      settling.rejected(errors[0]);
      if (typeof onRejected === 'function') return Reflect.apply(onRejected, this, errors);
      throw errors[0];
    };
    try {
      return Reflect.apply(then, this, [fulfilled, rejected, ...rest]);
    } catch (error) {
      settling.rejected(error);
      throw error;
    }
  }
  const enumerable = own?.enumerable ?? false;
  return Reflect.defineProperty(value, 'then', {
    value: look,
    enumerable,
    configurable: true,
    writable: true,
  });
}
