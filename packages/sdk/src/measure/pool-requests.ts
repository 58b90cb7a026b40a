import { type ClientFrame, type Micros, monotonicMicros, type StepId } from '../protocol/index.ts';
import { scopes } from '../scope.ts';
import type { LiveStep } from '../step.ts';

/** async_hooks types whose work libuv's thread pool does. zlib's are long-lived handles, not requests: not among them. */
const POOLED = new Set([
  'FSREQCALLBACK',
  'FSREQPROMISE',
  'FILEHANDLECLOSEREQ',
  'GETADDRINFOREQWRAP',
  'GETNAMEINFOREQWRAP',
  'RANDOMBYTESREQUEST',
  'PBKDF2REQUEST',
  'SCRYPTREQUEST',
  'KEYPAIRGENREQUEST',
  'KEYGENREQUEST',
  'RANDOMPRIMEREQUEST',
  'CHECKPRIMEREQUEST',
  'CIPHERREQUEST',
  'DERIVEBITSREQUEST',
  'HASHREQUEST',
  'SIGNREQUEST',
  'KEYEXPORTREQUEST',
]);

/** Outstanding requests that are followed at once; more are not, and their steps have lost figures. */
const MAX_OPEN = 4096;

interface Request {
  id: number;
  step: LiveStep;
  at: Micros;
  announced: boolean;
}

/**
 * Requests to the thread pool that steps have outstanding. They are announced only while steps overlap: otherwise
 * whatever the pool does is the one step's. Those that were begun before are announced when it starts.
 */
export class PoolRequests {
  /** Requests that were not followed. */
  missed = 0;
  readonly #open = new Map<number, Request>();
  readonly #send: (frame: ClientFrame, must: boolean) => boolean;
  #announcing = false;
  #last = 0;

  constructor(send: (frame: ClientFrame, must: boolean) => boolean) {
    this.#send = send;
  }

  init(asyncId: number, type: string): void {
    if (!POOLED.has(type)) return;
    const step = scopes.getStore()?.step;
    if (step?.endedAt !== 0) return;
    if (this.#open.size >= MAX_OPEN) {
      this.missed++;
      return;
    }
    const request = { id: 0, step, at: monotonicMicros(), announced: false };
    this.#open.set(asyncId, request);
    if (this.#announcing) this.#announce(request);
  }

  before(asyncId: number): void {
    const request = this.#open.get(asyncId);
    if (!request) return;
    this.#open.delete(asyncId);
    if (request.announced) this.#send({ type: 'pool_end', id: request.id, at: monotonicMicros() }, true);
  }

  /** Steps overlap from now on, or no longer. */
  announce(on: boolean): void {
    if (on === this.#announcing) return;
    this.#announcing = on;
    if (on) for (const request of this.#open.values()) this.#announce(request);
  }

  /** The session is over, or nothing is followed any more. */
  forget(): void {
    this.#announcing = false;
    for (const request of this.#open.values()) request.announced = false;
  }

  clear(): void {
    this.#open.clear();
    this.#announcing = false;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Steps with requests outstanding: for tests. */
  stepsOf(): StepId[] {
    return [...this.#open.values()].map((request) => request.step.id);
  }

  #announce(request: Request): void {
    if (request.announced || request.step.session === 0 || request.step.endedAt !== 0) return;
    const id = ++this.#last;
    request.announced = this.#send({ type: 'pool', id, step: request.step.id, at: request.at }, false);
    request.id = id;
  }
}
