import {
  type ClientFrame,
  encode,
  MAX_KIND_LENGTH,
  type Micros,
  monotonicMicros,
  type StepFrame,
  toKey,
  type WaitFrame,
} from '../protocol/index.ts';
import type { LiveStep } from '../step.ts';
import type { LiveWait } from '../wait.ts';
import type { Outbox } from './outbox.ts';

/** Steps and waits that a session may have open: half of what hostd allows by default, whose refusals are errors. */
const MAX_OPEN_STEPS = 5000;
const MAX_OPEN_WAITS = 2000;

const toWord = (text: string) => toKey(text).slice(0, MAX_KIND_LENGTH) || 'unknown';

/**
 * Tells hostd of steps and waits. Each remembers in which session it was announced: after a reconnect, a step is
 * announced again with its next wait, and hostd never hears of an end whose beginning it does not know.
 */
export class Announcer {
  /** The number of the session, 0: none. */
  session = 0;
  /** Frames that were not announced because something had to be dropped. A step that saw it grow has lost figures. */
  losses = 0;
  readonly #outbox: Outbox;
  readonly #thread: number | undefined;
  #waits = 0;
  #openSteps = 0;
  #openWaits = 0;

  constructor(outbox: Outbox, thread: number | undefined) {
    this.#outbox = outbox;
    this.#thread = thread;
  }

  /** A session begins, also while its handshake is still under way. */
  begin(number: number): void {
    this.session = number;
    this.#waits = this.#openSteps = this.#openWaits = 0;
  }

  end(): void {
    this.session = 0;
  }

  /** Whether a step or a wait was announced in the session that is. */
  knows({ session }: { session: number }): boolean {
    return session !== 0 && session === this.session;
  }

  /** @param pool whether requests to the thread pool are told of meanwhile */
  step(step: LiveStep, report: boolean, pool: boolean): boolean {
    if (this.session === 0) return false;
    if (this.#openSteps >= MAX_OPEN_STEPS) return this.#lose();
    const frame: StepFrame = { type: 'step', id: step.id, kind: toWord(step.kind), at: step.startedAt };
    if (step.key) frame.key = toKey(step.key);
    const parent = step.parent;
    if (parent && this.knows(parent)) frame.parent = parent.id;
    if (this.#thread !== undefined) frame.thread = this.#thread;
    if (!report) frame.report = false;
    if (pool) frame.pool = true;
    if (!this.send(frame)) return false;
    step.session = this.session;
    this.#openSteps++;
    return true;
  }

  stepEnd(step: LiveStep, at: Micros): boolean {
    if (!this.knows(step)) return false;
    this.#openSteps--;
    return this.send({ type: 'step_end', id: step.id, at }, true);
  }

  wait(wait: LiveWait): boolean {
    if (!this.knows(wait.step)) return false;
    if (this.#openWaits >= MAX_OPEN_WAITS) return this.#lose();
    const { hint } = wait;
    const frame: WaitFrame = {
      type: 'wait',
      id: ++this.#waits,
      step: wait.step.id,
      kind: toWord(hint.kind ?? wait.step.kind),
      at: wait.at,
    };
    const key = hint.key ?? wait.step.key;
    if (key) frame.key = toKey(key);
    if (this.#thread !== undefined) frame.thread = this.#thread;
    const deadline = toDeadline(hint.afterMs, wait.at);
    if (deadline !== undefined) frame.deadline = deadline;
    if (hint.inputTokens !== undefined && hint.inputTokens >= 0 && hint.inputTokens <= 1e9) {
      frame.inputTokens = Math.floor(hint.inputTokens);
    }
    if (hint.stream) frame.stream = true;
    if (!this.send(frame)) return false;
    wait.id = frame.id;
    wait.session = this.session;
    this.#openWaits++;
    return true;
  }

  signal(wait: LiveWait, signal: string, afterMs: number | undefined): void {
    if (!this.knows(wait)) return;
    const at = monotonicMicros();
    const deadline = toDeadline(afterMs, at);
    const frame = { type: 'signal', wait: wait.id, signal: toWord(signal), at } as const;
    this.send(deadline === undefined ? frame : { ...frame, deadline });
  }

  waitEnd(wait: LiveWait, at: Micros, cancelled: boolean): void {
    if (!this.knows(wait)) return;
    this.#openWaits--;
    this.send(
      cancelled ? { type: 'wait_end', id: wait.id, at, cancelled } : { type: 'wait_end', id: wait.id, at },
      true,
    );
  }

  /** @param must see {@link Outbox.offer} */
  send(frame: ClientFrame, must = false): boolean {
    if (this.#outbox.offer(encode(frame), must)) return true;
    this.losses++;
    return false;
  }

  #lose(): boolean {
    this.#outbox.dropped++;
    this.losses++;
    return false;
  }
}

/** 24 h is what hostd believes; a hint beyond it says as much as none. */
function toDeadline(afterMs: number | undefined, at: Micros): Micros | undefined {
  return afterMs !== undefined && afterMs >= 0 && afterMs < 23 * 3600e3 ? at + afterMs * 1e3 : undefined;
}
