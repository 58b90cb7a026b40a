import { executionAsyncResource } from 'node:async_hooks';
import { type ClientFrame, type Micros, monotonicMicros } from '../protocol/index.ts';
import { scopes } from '../scope.ts';
import type { LiveStep } from '../step.ts';
import type { Overlap } from './overlap.ts';
import { isClosed, isInPool, isStream, type PoolUse, poolUse } from './pool-use.ts';

/** Outstanding requests that are followed at once; more are not, and the steps meanwhile have lost figures. */
const MAX_OPEN = 4096;
/** How often those are looked at whose end nothing announces. */
const LOOK_EVERY: Micros = 100_000;

interface Request {
  /** In the session; 0: it has not been announced. */
  id: number;
  readonly asyncId: number;
  readonly type: string;
  readonly use: PoolUse;
  /** Whose code made it, also where that step has ended since; undefined: no step's. */
  readonly step: LiveStep | undefined;
  readonly at: Micros;
  /** When its latest callback began, 0: none yet. */
  calledAt: Micros;
  /** It ends with its callback, and with nothing else. */
  sure: boolean;
  /** Until it has been looked at. */
  resource: object | undefined;
  /** Where it may end without a callback. */
  handle: WeakRef<object> | undefined;
}

export interface PoolRequestsOptions {
  readonly overlap: Overlap;
  /** Whether hostd knows of the step. */
  knows(step: LiveStep): boolean;
  send(frame: ClientFrame, must: boolean): boolean;
  /** There is something to drain in this turn. */
  touch(): void;
}

/**
 * What may be outstanding in the thread pool, whoever made it. It is announced only while steps overlap, or from when
 * something is outstanding that is not the innermost step's until nothing is: otherwise whatever the pool does is
 * that step's. What was begun before is announced with its true beginning.
 */
export class PoolRequests {
  /** Requests that were not followed. */
  missed = 0;
  readonly #options: PoolRequestsOptions;
  readonly #open = new Map<number, Request>();
  /** To be looked at once their makers have started them, or have been called back. */
  readonly #unsure = new Set<Request>();
  readonly #unannounced = new Set<Request>();
  #sure = 0;
  #told = false;
  #overlapping = false;
  #mixed = false;
  #announcing = false;
  #last = 0;
  /** Since when requests are of interest, and the first resource that has been seen since. */
  #since: Micros = 0;
  #firstId = Infinity;
  #lookedAt: Micros = 0;

  constructor(options: PoolRequestsOptions) {
    this.#options = options;
  }

  /** From now on it is told of all resources. @param since when somebody began to want to know */
  start(since: Micros): void {
    this.#since = since;
    this.#firstId = Infinity;
  }

  init(asyncId: number, type: string, resource: object): void {
    if (this.#firstId === Infinity) this.#firstId = asyncId;
    const use = poolUse(type, resource);
    if (use === undefined) return;
    if (this.#open.size >= MAX_OPEN) this.#lookAtAll();
    if (this.#open.size >= MAX_OPEN) {
      this.missed++;
      return;
    }
    const step = scopes.getStore()?.step;
    const at = monotonicMicros();
    this.#add({
      ...{ id: 0, asyncId, type, use, step, at, calledAt: 0, sure: false },
      resource: use === 'request' ? undefined : resource,
      handle: undefined,
    });
  }

  /** @returns whether something has ended */
  before(asyncId: number): boolean {
    const request = this.#open.get(asyncId) ?? (asyncId < this.#firstId ? this.#adopt(asyncId) : undefined);
    if (!request) return false;
    request.calledAt = monotonicMicros();
    if (request.use !== 'handle') {
      this.#end(request, request.calledAt);
      return true;
    }
    // Its owner closes it in this turn, or uses it again.
    this.#unsure.add(request);
    if (this.#announcing) this.#options.touch();
    return false;
  }

  /**
   * Steps have begun or ended.
   * @param told whether hostd wants to know of any
   */
  follow(told: boolean, overlapping: boolean): void {
    if (this.#open.size > 0) {
      this.#look();
      this.#lookAtAll();
      // The innermost step is another one now.
      this.#mixed = this.#open.size > 0;
    }
    this.#told = told;
    this.#overlapping = overlapping;
    this.#update();
  }

  /** Announces what this turn has made. */
  drain(): void {
    this.#look();
    for (const request of this.#unannounced) this.#announce(request);
    this.#unannounced.clear();
  }

  /** Whether a callback is still to come. */
  get pending(): boolean {
    this.#look();
    return this.#sure > 0;
  }

  /** Another session begins, or none. */
  forget(): void {
    this.#told = this.#announcing = false;
    this.#unannounced.clear();
    for (const request of this.#open.values()) request.id = 0;
  }

  clear(): void {
    this.forget();
    this.#open.clear();
    this.#unsure.clear();
    this.#sure = 0;
    this.#mixed = false;
  }

  /** A stream from before may have been at work, for whomever, all the while. */
  #adopt(asyncId: number): Request | undefined {
    const resource = executionAsyncResource();
    if (!isStream(resource) || this.#open.size >= MAX_OPEN) return undefined;
    const request: Request = {
      ...{ id: 0, asyncId, type: 'ZLIB', use: 'handle', step: undefined, at: this.#since },
      ...{ calledAt: 0, sure: false, resource, handle: undefined },
    };
    this.#add(request);
    return request;
  }

  #add(request: Request): void {
    this.#open.set(request.asyncId, request);
    if (request.use === 'request') this.#isSure(request);
    else this.#unsure.add(request);
    if (this.#announcing) this.#announceSoon(request);
    else if (this.#told && !(request.step && this.#options.overlap.isLeaf(request.step))) {
      this.#mixed = true;
      this.#update();
    }
  }

  #update(): void {
    const announcing = this.#told && (this.#overlapping || this.#mixed);
    if (announcing === this.#announcing) return;
    this.#announcing = announcing;
    if (announcing) for (const request of this.#open.values()) this.#announceSoon(request);
  }

  #look(): void {
    if (this.#unsure.size === 0) return;
    for (const request of this.#unsure) this.#lookAt(request);
    this.#unsure.clear();
  }

  #lookAtAll(): void {
    const now = monotonicMicros();
    if (now - this.#lookedAt < LOOK_EVERY) return;
    this.#lookedAt = now;
    for (const request of this.#open.values()) if (request.handle) this.#lookAt(request);
  }

  #lookAt(request: Request): void {
    const resource = request.resource ?? request.handle?.deref();
    request.resource = undefined;
    if (request.use === 'job' && resource && !request.handle) {
      const inPool = isInPool(request.type, resource);
      if (inPool) this.#isSure(request);
      else if (inPool === undefined) request.handle = new WeakRef(resource);
      else this.#end(request, 0);
      return;
    }
    if (!resource || isClosed(resource)) this.#end(request, request.calledAt);
    else request.handle ??= new WeakRef(resource);
  }

  /** @param at 0: it did nothing in the pool that anybody saw */
  #end(request: Request, at: Micros): void {
    this.#open.delete(request.asyncId);
    this.#unsure.delete(request);
    if (request.sure) this.#sure--;
    if (this.#unannounced.delete(request) && at > 0) this.#announce(request);
    if (request.id !== 0)
      this.#options.send({ type: 'pool_end', id: request.id, at: at || monotonicMicros() }, true);
    if (this.#open.size > 0) return;
    this.#mixed = false;
    this.#update();
  }

  #isSure(request: Request): void {
    request.sure = true;
    this.#sure++;
  }

  #announceSoon(request: Request): void {
    if (request.id !== 0) return;
    this.#unannounced.add(request);
    this.#options.touch();
  }

  #announce(request: Request): void {
    const { overlap, knows, send } = this.#options;
    let step = request.step;
    while (step && !(overlap.open.has(step) && knows(step))) step = step.parent;
    const id = ++this.#last;
    const frame: ClientFrame = { type: 'pool', id, at: request.at };
    if (step) frame.step = step.id;
    if (send(frame, false)) request.id = id;
  }
}
