import { AsyncResource, asyncWrapProviders } from 'node:async_hooks';

/**
 * How an async_hooks resource uses libuv's thread pool. `request`: from its making until its callback. `job`: the
 * same, unless it is run at once, on the thread that made it. `handle`: at any time until it is closed.
 */
export type PoolUse = 'request' | 'job' | 'handle';

const REQUESTS = [
  'FSREQCALLBACK',
  'FSREQPROMISE',
  'FILEHANDLECLOSEREQ',
  'GETADDRINFOREQWRAP',
  'GETNAMEINFOREQWRAP',
];
/** Jobs of node:crypto whose callback is their `ondone`, where they have one. */
const CALLBACK_JOBS = ['RANDOMBYTESREQUEST', 'RANDOMPRIMEREQUEST', 'CHECKPRIMEREQUEST', 'SCRYPTREQUEST'];
/** Those that Web Crypto makes too, with a promise that only native code knows. */
const JOBS = [
  'PBKDF2REQUEST',
  'KEYPAIRGENREQUEST',
  'KEYGENREQUEST',
  'KEYEXPORTREQUEST',
  'ARGON2REQUEST',
  'CIPHERREQUEST',
  'DERIVEBITSREQUEST',
  'HASHREQUEST',
  'SIGNREQUEST',
  'VERIFYREQUEST',
];
/** zlib's are used for each chunk, and nothing tells when. */
const HANDLES = ['ZLIB', 'STATWATCHER', 'BLOBREADER'];

const USES = new Map<string, PoolUse | false>([
  ...['Timeout', 'Immediate', 'TickObject', 'Microtask', ...Object.keys(asyncWrapProviders)].map(
    (type) => [type, false] as const,
  ),
  ...REQUESTS.map((type) => [type, 'request'] as const),
  ...[...CALLBACK_JOBS, ...JOBS].map((type) => [type, 'job'] as const),
  ...HANDLES.map((type) => [type, 'handle'] as const),
]);

/** What a new resource may do in the pool; undefined: nothing. */
export function poolUse(type: string, resource: object): PoolUse | undefined {
  const use = USES.get(type);
  if (use !== undefined) return use || undefined;
  // What is neither Node's own nor made by JavaScript is a native addon's, whose work mostly goes to the pool.
  return resource instanceof AsyncResource ? undefined : 'job';
}

/** Whether a job that has been started is in the pool. Undefined: only its callback, or its collection, will tell. */
export function isInPool(type: string, job: object): boolean | undefined {
  if (typeof (job as { ondone?: unknown }).ondone === 'function') return true;
  return CALLBACK_JOBS.includes(type) ? false : undefined;
}

const STREAMS = new Set(['Zlib', 'BrotliEncoder', 'BrotliDecoder', 'ZstdCompress', 'ZstdDecompress']);

/** Whether a resource is zlib's handle, whose making nobody may have seen. */
export function isStream(resource: object | undefined): resource is object {
  return resource !== undefined && STREAMS.has(resource.constructor?.name);
}

/** Whether a handle's owner has let go of it. False where that can't be seen: it is then used until it is collected. */
export function isClosed(handle: object): boolean {
  const symbol = Object.getOwnPropertySymbols(handle).find(
    ({ description }) => description === 'owner_symbol',
  );
  const owner = symbol && (handle as Record<symbol, unknown>)[symbol];
  if (typeof owner !== 'object' || owner === null || !('_handle' in owner)) return false;
  return owner._handle !== handle;
}
