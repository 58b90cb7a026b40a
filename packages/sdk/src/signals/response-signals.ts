import type { Scope } from '../scope.ts';
import { deliver } from './deliver.ts';
import { type Headers, responseFacts } from './response-facts.ts';

/** One request's facts on their way to its wait. */
export class ResponseSignals {
  readonly #scope: Scope;
  #streamed = false;
  #chunks = 0;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  sent(): void {
    deliver(this.#scope, 'request_sent');
  }

  headers(headers: Headers): void {
    this.#running();
    const { streamed, detail } = responseFacts(headers);
    this.#streamed = streamed;
    deliver(this.#scope, 'headers', detail);
  }

  chunk(): void {
    this.#running();
    this.#chunks++;
    if (!this.#streamed) deliver(this.#scope, 'progress');
    else deliver(this.#scope, this.#chunks === 1 ? 'first_token' : 'token');
  }

  /** The connection's context may be another step's: from here on it is known whose bytes are read. */
  #running(): void {
    const { step } = this.#scope;
    step.owner.running(step);
  }
}
