import { guarded } from '../guarded.ts';
import { scopes } from '../scope.ts';

/** Bytes that may be pending, in the outbox and in the socket's own queue, before new announcements are dropped. */
const BACKLOG_LIMIT = 1 << 20;

/** Where the outbox writes to. */
export interface Sink {
  /** Bytes that the socket has taken and not yet written. */
  readonly backlog: number;
  write(text: string): void;
  /** The peer has stopped reading altogether. */
  overrun(): void;
}

/**
 * Lines of one turn of the event loop, written as one: a write costs more than all the lines' encoding. It goes out
 * in the check phase, before the loop can sleep, and after the burst of code that a wakeup started.
 */
export class Outbox {
  /** Lines that were not sent because the peer does not keep up. */
  dropped = 0;
  sent = 0;
  /** Called before each write, to add what was gathered meanwhile. */
  onFlush: (() => void) | undefined;
  #lines = '';
  #count = 0;
  #scheduled = false;
  #hurried = false;
  #sink: Sink | undefined;
  readonly #limit: number;

  constructor(limit: number = BACKLOG_LIMIT) {
    this.#limit = limit;
  }

  /** Starts writing to a session. Without one, lines are kept up to the limit: the handshake is under way. */
  open(sink: Sink): void {
    this.#sink = sink;
    if (this.#count > 0) this.#schedule();
  }

  /** The session is over: what was not written is dropped. */
  close(): void {
    this.dropped += this.#count;
    this.#lines = '';
    this.#count = 0;
    this.#sink = undefined;
  }

  /**
   * Takes a line.
   *
   * @param must an end whose beginning was sent: it is taken up to twice the limit, since the peer would keep the
   *   beginning open for ever. Beyond that the session is given up.
   * @returns false where the line was dropped
   */
  offer(line: string, must = false): boolean {
    const pending = this.#lines.length + line.length + (this.#sink?.backlog ?? 0);
    if (pending > this.#limit && !(must && pending <= 2 * this.#limit)) {
      this.dropped++;
      if (must) this.#sink?.overrun();
      return false;
    }
    this.#lines += line;
    this.#count++;
    this.#schedule();
    return true;
  }

  /** Makes sure that `onFlush` is called in this turn of the loop. */
  touch(): void {
    this.#schedule();
  }

  /** Writes now. */
  flush(): void {
    this.onFlush?.();
    if (!this.#sink || this.#count === 0) return;
    const lines = this.#lines;
    this.sent += this.#count;
    this.#lines = '';
    this.#count = 0;
    this.#sink.write(lines);
  }

  /**
   * Writes now, once in a turn of the loop, what the caller's own synchronous work would delay (starting a child
   * takes milliseconds). Where the wait goes on beyond the turn that is no write more than there would be anyway.
   */
  hurry(): void {
    if (this.#hurried || !this.#sink) return;
    this.#hurried = true;
    this.flush();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || !this.#sink) return;
    this.#scheduled = true;
    // Not unref'd: an immediate that does not keep the loop alive does not keep it from sleeping either. And in no
    // step's scope: what it does is nobody's code, and a mark of it would be one more thing to write, for ever.
    scopes.exit(() => setImmediate(this.#run));
  }

  readonly #run = () => {
    this.#scheduled = false;
    this.#hurried = false;
    guarded(() => this.flush());
  };
}
