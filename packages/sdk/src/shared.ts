import { sayOnce } from './session/say-once.ts';
import { VERSION } from './version.ts';

/** Counts up with a change of the public functions that callers of the earlier ones would not survive. */
const KEY = Symbol.for('prewake.sdk.1');

interface Registered<T> {
  version: string;
  api: T;
}

/**
 * An application and an adapter can each bring a copy of the SDK, and `connect()` is called on one. So the copy that
 * was loaded first does the work of all in this thread: they have no state in common but its public functions, which
 * are what stays compatible between versions. Where it is of another version that is said, and what it lacks does as
 * much as before `connect()`.
 */
export function shared<T extends object>(own: T): T {
  const globals = globalThis as { [KEY]?: Registered<T> };
  globals[KEY] ??= { version: VERSION, api: own };
  const { version, api } = globals[KEY];
  if (version === VERSION) return api;
  sayOnce(
    'PREWAKE_TWO_COPIES',
    `@prewake/sdk is loaded as ${version} and as ${VERSION}: ${version}, which came first, is used. Install one version.`,
  );
  return { ...own, ...api };
}
