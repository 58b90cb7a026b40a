import type { ClientFrame, Micros, StepEndFrame, WaitFrame, WindowFrame } from '@prewake/sdk/protocol';
import type { Reports } from '../session/reports.ts';
import type { FrameHandler, Session } from '../session/session.ts';
import type { WaitOutcome, Windows } from '../session/windows.ts';
import type { Attribution } from '../slowpath/attribution.ts';
import type { EventStream } from './event-stream.ts';
import type { Metrics } from './metrics.ts';

/** Kinds that have a metric of their own: a client may invent as many as it likes. */
const KNOWN_KINDS = new Set(['llm', 'tool', 'timer', 'http']);

/** For a microtask without the async resource that queueMicrotask makes each time. */
const TURN_DONE = Promise.resolve();

/** Hands each checked frame of a session to arming, to attribution and to whoever watches. */
export class Conductor implements FrameHandler {
  readonly #windows: Windows;
  readonly #attribution: Attribution;
  readonly #reports: Reports;
  readonly #events: EventStream;
  readonly #metrics: Metrics;
  readonly #onWait: () => void;
  readonly #counting: boolean;
  readonly #now: () => Micros;
  readonly #onEnded: (session: Session) => void;
  /** Frames that attribution is still to be told of, in their order. */
  #told: { session: Session; frame: ClientFrame; reported: boolean }[] = [];
  readonly #afterTurn = () => this.#attribute();

  constructor(options: {
    windows: Windows;
    attribution: Attribution;
    reports: Reports;
    events: EventStream;
    metrics: Metrics;
    /** For what is to be looked at now and then while hostd has work. */
    onWait: () => void;
    /** The recorder reads counters and not records. */
    counting: boolean;
    now: () => Micros;
    onEnded: (session: Session) => void;
  }) {
    this.#windows = options.windows;
    this.#attribution = options.attribution;
    this.#reports = options.reports;
    this.#events = options.events;
    this.#metrics = options.metrics;
    this.#onWait = options.onWait;
    this.#counting = options.counting;
    this.#now = options.now;
    this.#onEnded = options.onEnded;
  }

  frame(session: Session, frame: ClientFrame): void {
    // Before what it brings about; what became of a wait is told with its end.
    if (this.#events.watched && frame.type !== 'wait_end') this.#show(session, frame);
    switch (frame.type) {
      case 'wait':
        this.#windows.waitStarted(session, frame);
        this.#onWait();
        break;
      case 'signal':
        this.#windows.signal(session, frame);
        break;
      case 'wait_end':
        this.#waitEnded(session, frame);
        break;
      case 'ping':
        session.send({ type: 'pong', id: frame.id, at: this.#now() });
        return;
    }
    const reported = frame.type === 'step_end' && session.openSteps.get(frame.id)?.report !== false;
    // What has come with it may be a hint, and that one has a deadline: attribution has none.
    if (this.#told.push({ session, frame, reported }) === 1) void TURN_DONE.then(this.#afterTurn);
  }

  #show(session: Session, frame: ClientFrame): void {
    this.#events.emit(() => ({ ...frame, uid: session.peer.uid, session: session.id }));
  }

  #attribute(): void {
    this.#reports.whileAwake();
    const told = this.#told;
    this.#told = [];
    // First of all: what is found below has not gone along with these frames' answer.
    for (const { session } of told) this.#reports.agentAwake(session);
    for (const { session, frame, reported } of told) {
      if (reported) this.#reports.stepEnding(session, (frame as StepEndFrame).id);
      // Counters know only what was added since they were last read.
      if (frame.type === 'step' && this.#counting) this.#reports.drain();
      this.#attribution.frame(session.id, frame);
    }
  }

  ended(session: Session): void {
    this.#attribute();
    this.#reports.sessionEnded(session);
    this.#windows.sessionEnded(session, session.openWaits.keys());
    this.#attribution.sessionEnded(session.id);
    this.#metrics.frameErrors += session.counters.errors;
    this.#events.emit(() => ({
      type: 'session_end',
      uid: session.peer.uid,
      session: session.id,
      ...session.counters,
      at: this.#now(),
    }));
    this.#onEnded(session);
  }

  #waitEnded(session: Session, frame: Extract<ClientFrame, { type: 'wait_end' }>): void {
    const begun = session.openWaits.get(frame.id);
    const outcome = this.#windows.waitEnded(session, frame);
    if (!outcome || !begun) return;
    this.#metrics.waits.inc({
      kind: KNOWN_KINDS.has(begun.kind) ? begun.kind : 'other',
      plan: outcome.reason,
      open: String(outcome.open),
    });
    if (outcome.refused || outcome.armedUs > 0) session.sendAlong(windowFrame(frame, outcome));
    if (this.#events.watched) this.#showEnd(session, begun, outcome, frame.at);
  }

  #showEnd({ peer }: Session, { step, kind, key }: WaitFrame, outcome: WaitOutcome, at: Micros): void {
    this.#events.emit(() => ({ ...outcome, type: 'wait_end', uid: peer.uid, step, kind, key, at }));
  }
}

/** What the client is told of a wait's windows, after the fact: a frame in mid-wait would wake it. */
function windowFrame(frame: { id: number; at: Micros }, outcome: WaitOutcome): WindowFrame {
  return {
    type: 'window',
    wait: frame.id,
    state: outcome.refused ? 'refused' : 'released',
    reason: outcome.refused?.reason ?? outcome.reason,
    at: frame.at,
    ...(outcome.refused && Number.isFinite(outcome.refused.retryMs) && { retryMs: outcome.refused.retryMs }),
  };
}
