import { apart } from '../apart.ts';
import { type PrewakeError, socketCandidates } from '../protocol/index.ts';
import { openSession, type SessionEvents } from './connection.ts';

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 10_000;
const STABLE_MS = 1000;

/** `idle`: between attempts. `connecting`: lines are kept. `open`: lines are sent. `closed`: for good. */
export type LinkState = 'idle' | 'connecting' | 'open' | 'closed';

export interface LinkEvents extends SessionEvents {
  /** An attempt begins; its number counts up from 1. `closed` follows, sooner or later. */
  connecting(number: number): void;
}

/**
 * Keeps a session with whichever hostd listens, best socket first, and comes back by itself: 100 ms after a loss,
 * then twice as long each time up to 10 s, with jitter. Its timers hold no process open.
 */
export class Link {
  state: LinkState = 'idle';
  attempts = 0;
  /** Sessions that were opened. */
  opened = 0;
  lastError: PrewakeError | undefined;
  readonly #events: LinkEvents;
  readonly #paths: () => string[];
  #timer: NodeJS.Timeout | undefined;
  #abort: (() => void) | undefined;
  #delay = FIRST_DELAY_MS;
  #openedAt = 0;

  constructor(events: LinkEvents, socket?: string) {
    this.#events = events;
    this.#paths = socket ? () => [socket] : () => socketCandidates();
  }

  start(): void {
    if (this.state !== 'idle') return;
    clearTimeout(this.#timer);
    this.state = 'connecting';
    this.#events.connecting(++this.attempts);
    const [first, ...others] = this.#paths();
    if (first !== undefined) apart(() => this.#try(first, others));
  }

  close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    clearTimeout(this.#timer);
    this.#abort?.();
  }

  #try(path: string, others: string[]): void {
    this.#abort = openSession(path, {
      open: (sink) => {
        this.state = 'open';
        this.opened++;
        this.#openedAt = performance.now();
        this.#events.open(sink);
      },
      frame: (frame) => this.#events.frame(frame),
      closed: (error) => {
        this.lastError = error;
        const [next, ...rest] = others;
        if (this.state === 'connecting' && next !== undefined) return this.#try(next, rest);
        // A session that is closed at once again and again must not be tried ten times a second.
        if (this.state === 'open' && performance.now() - this.#openedAt > STABLE_MS)
          this.#delay = FIRST_DELAY_MS;
        if (this.state !== 'closed') this.#later();
        this.#events.closed(error);
      },
    });
  }

  #later(): void {
    this.state = 'idle';
    // Jitter: a host full of agents must not come back in one instant.
    const delay = this.#delay * (0.75 + Math.random() / 2);
    this.#delay = Math.min(2 * this.#delay, LAST_DELAY_MS);
    this.#timer = setTimeout(() => this.start(), delay).unref();
  }
}
