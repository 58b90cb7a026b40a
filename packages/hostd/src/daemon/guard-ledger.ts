import type { Micros } from '@prewake/sdk/protocol';
import type { GuardEvent } from '../guards/guard.ts';
import { claimKey } from '../guards/journal-format.ts';
import { ArmedLog } from '../slowpath/armed-log.ts';
import { ADMINISTRATORS, EVERYONE, type EventStream } from './event-stream.ts';
import type { Log } from './log.ts';

/** The same failure of the same control is logged this often at most, microseconds. */
const LOG_AGAIN_US = 3600e6;

/** What happened to guards: for coverage after the fact, for metrics, for whoever watches, and for the log. */
export class GuardLedger {
  readonly armed = new ArmedLog();
  readonly #events: EventStream;
  readonly #log: Log;
  readonly #now: () => Micros;
  /** What is held. `cpu`: -1 for a guard that is on no single CPU. */
  readonly #since = new Map<string, { guard: string; cpu: number; at: Micros }>();
  readonly #seconds = new Map<string, number>();
  /** When each failure was last logged. */
  readonly #logged = new Map<string, Micros>();
  foreignWriters = 0;

  constructor(events: EventStream, log: Log, now: () => Micros) {
    this.#events = events;
    this.#log = log;
    this.#now = now;
  }

  guardEvent(event: GuardEvent): void {
    if (this.#events.watched) this.#show(event);
    switch (event.type) {
      case 'armed':
      case 'released':
        this.#held(event);
        return;
      case 'foreign_writer':
        this.foreignWriters++;
        this.#letGo(claimKey(event.guard, event.target), event.at);
        this.#log(
          `${event.guard}: another tool wrote ${event.found} over ${event.ours}; its value stays, the claim is given up`,
          'warn',
        );
        return;
      case 'void':
        // Told of one by one hereafter, as of then.
        for (const name of this.#since.keys()) this.#letGo(name, event.by);
        if (event.reason === 'guardian')
          this.#log('the guardian does not listen: nothing is armed until it does', 'warn');
        return;
      case 'failed':
        if (this.#isNews(event)) this.#log(`${event.guard}: ${event.message} (${event.code})`, 'warn');
        return;
      default:
        return;
    }
  }

  /** A client can have things fail as often as it likes. Threads are many and all alike, and that one ends is no news. */
  #isNews({ guard, target, code, at }: Extract<GuardEvent, { type: 'failed' }>): boolean {
    const ofTask = target.type === 'task';
    if (ofTask && code === 'PREWAKE_GUARD_ESRCH') return false;
    const what = `${ofTask ? guard : claimKey(guard, target)} ${code}`;
    if (at - (this.#logged.get(what) ?? Number.NEGATIVE_INFINITY) < LOG_AGAIN_US) return false;
    this.#logged.set(what, at);
    return true;
  }

  #show(event: GuardEvent): void {
    this.#events.emit(() => ({ ...event, uid: audience(event), type: 'guard', what: event.type }));
  }

  /** Time that targets were held, by guard, seconds. */
  *armedSeconds(): Iterable<[string, number]> {
    const total = new Map(this.#seconds);
    for (const { guard, at } of this.#since.values())
      total.set(guard, (total.get(guard) ?? 0) + (this.#now() - at) / 1e6);
    yield* total;
  }

  #held(event: Extract<GuardEvent, { type: 'armed' | 'released' }>): void {
    const { guard, target, at } = event;
    const name = claimKey(guard, target);
    if (event.type === 'released') {
      this.#letGo(name, at);
      return;
    }
    const cpu = target.type === 'cpu' ? target.cpu : -1;
    if (!this.#since.has(name)) this.#since.set(name, { guard, cpu, at });
    if (covers(guard)) this.armed.armed(guard, cpu, at * 1000);
  }

  #letGo(name: string, at: Micros): void {
    const since = this.#since.get(name);
    if (!since) return;
    const { guard, cpu } = since;
    this.#since.delete(name);
    const seconds = Math.max(0, at - since.at) / 1e6;
    this.#seconds.set(guard, (this.#seconds.get(guard) ?? 0) + seconds);
    if (covers(guard)) this.armed.released(guard, cpu, at * 1000);
  }
}

/** Only idle guards change how a CPU wakes. */
const covers = (guard: string) => guard.startsWith('idle.');

/** A CPU's controls can be read by all in sysfs; whose thread is armed, and which session's lease ran out, cannot. */
function audience(event: GuardEvent): number {
  const ofTask = 'target' in event && event.target.type === 'task';
  return ofTask || event.type === 'expired' ? ADMINISTRATORS : EVERYONE;
}
