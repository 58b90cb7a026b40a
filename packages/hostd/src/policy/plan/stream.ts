import type { Micros } from '@prewake/sdk/protocol';
import type { PlannedWindow } from '../facts.ts';

/** A gap this many times longer than usual means that the stream is over or stalled. */
const STALL = 20;
const MIN_HORIZON_US = 500_000;
const MAX_HORIZON_US = 10e6;
/** Weight of the newest gap. */
const RATE = 0.1;
/**
 * What covering a token is worth against the end of a wait: an agent acts on the first and the last of a stream,
 * and rarely on those between. Without it streams would leave nothing for other waits where little may be armed.
 */
const TOKEN_WORTH = 0.02;
/** Gap assumed before one is known: 50 tokens a second. */
const FIRST_LOG_GAP = Math.log(20_000);

/** How fast a class's streams come, learned over all of them. */
export class Cadence {
  logGap = FIRST_LOG_GAP;
  gaps = 0;

  add(gap: Micros): void {
    if (!(gap >= 1)) return;
    this.gaps++;
    this.logGap += (Math.log(gap) - this.logGap) * Math.max(RATE, 1 / this.gaps);
  }
}

/** One stream: a single window from its first token on, which tokens renew long before it runs out. */
export class Stream {
  readonly cadence = new Cadence();
  readonly firstAt: Micros;
  #lastAt: Micros;
  #disarm: Micros = 0;

  /** @param at the first token, microseconds from the wait's start */
  constructor(at: Micros, known: Cadence | undefined) {
    this.firstAt = at;
    this.#lastAt = at;
    if (known && known.gaps > 0) this.cadence.logGap = known.logGap;
  }

  /** Log of wakeups per microsecond, weighted by what they are worth. */
  get logHazard(): number {
    return Math.log(TOKEN_WORTH) - this.cadence.logGap;
  }

  /** A token has arrived: the window to go on with, where it must be renewed. */
  token(at: Micros): PlannedWindow | undefined {
    if (at > this.#lastAt) {
      this.cadence.add(at - this.#lastAt);
      this.#lastAt = at;
    }
    const horizon = Math.min(MAX_HORIZON_US, Math.max(MIN_HORIZON_US, STALL * Math.exp(this.cadence.logGap)));
    if (this.#disarm - this.#lastAt > horizon / 2) return undefined;
    this.#disarm = this.#lastAt + horizon;
    return { arm: this.#lastAt, disarm: this.#disarm };
  }
}
