import { type Context, context, type Span } from '@opentelemetry/api';
import { attachContext } from './attach-context.ts';
import { guarded } from './guarded.ts';
import type { StepMeasures } from './measure/step-measures.ts';
import type { SignalDetail, Step, WaitHint } from './options.ts';
import { type Kind, type Micros, monotonicMicros } from './protocol/index.ts';
import { type Scope, scopes } from './scope.ts';
import { newStepId } from './session/ids.ts';
import { LiveWait } from './wait.ts';

/** What a step tells of its life. The client is the only owner; a step without one has nothing but a span. */
export interface StepOwner {
  waitStarted(wait: LiveWait): void;
  waitSignal(wait: LiveWait, name: string, afterMs: number | undefined): void;
  waitEnded(wait: LiveWait, cancelled: boolean): void;
  /** The step's code begins to run in this turn, or another's does. */
  running(step: LiveStep | undefined): void;
  /** The owner ends the span, now or after the hold. */
  stepEnded(step: LiveStep, endedAt: Micros, failure: Failure | undefined): void;
}

/** What a step failed with: boxed, since anything can be thrown, `undefined` too. */
export interface Failure {
  error: unknown;
}

export interface StepParts {
  owner: StepOwner;
  kind: Kind;
  key: string;
  operation?: string | undefined;
  provider: string | undefined;
  parent: LiveStep | undefined;
  span: Span;
  outer: Context;
  inner: Context;
  startedAt: Micros;
  epochStart: number;
}

/** A step that somebody follows: hostd, a recording span, or both. */
export class LiveStep implements Step {
  readonly owner: StepOwner;
  readonly kind: Kind;
  readonly key: string;
  /** Where it is not the kind's. */
  readonly operation: string | undefined;
  readonly provider: string | undefined;
  readonly parent: LiveStep | undefined;
  readonly span: Span;
  readonly recording: boolean;
  /** OpenTelemetry's context around the step, and the one within it. */
  readonly outer: Context;
  readonly inner: Context;
  readonly startedAt: Micros;
  /** Microseconds since the epoch. */
  readonly epochStart: number;
  readonly scope: Scope = { step: this, wait: undefined };
  /** The session in which the step was announced; 0: it was not. */
  session = 0;
  /** What the owner measures for the step's span. */
  measured: StepMeasures | undefined;
  endedAt: Micros = 0;
  waits = 0;
  waitedMicros = 0;
  readonly #open: LiveWait[] = [];
  #id = '';

  constructor(parts: StepParts) {
    this.owner = parts.owner;
    this.kind = parts.kind;
    this.key = parts.key;
    this.operation = parts.operation;
    this.provider = parts.provider;
    this.parent = parts.parent;
    this.span = parts.span;
    this.recording = parts.span.isRecording();
    this.outer = parts.outer;
    this.inner = parts.inner;
    this.startedAt = parts.startedAt;
    this.epochStart = parts.epochStart;
  }

  get id(): string {
    if (this.#id === '') this.#id = newStepId();
    return this.#id;
  }

  run<T>(fn: () => T): T {
    return this.runIn(this.scope, fn);
  }

  runIn<T>(scope: Scope, fn: () => T): T {
    const before = scopes.getStore()?.step;
    this.owner.running(this);
    try {
      // Without a span that anybody sees, OpenTelemetry's context has nothing new to carry.
      if (this.inner === this.outer) return scopes.run(scope, fn);
      return scopes.run(scope, () => context.with(this.inner, fn));
    } finally {
      this.owner.running(before);
    }
  }

  enter(): () => void {
    const before = scopes.getStore();
    const over = () => this.endedAt !== 0;
    const detach = this.inner === this.outer ? undefined : attachContext(this.inner, over);
    scopes.enterWith({ ...this.scope, entered: { around: before } });
    this.owner.running(this);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      detach?.();
      scopes.enterWith(before);
      this.owner.running(before?.step);
    };
  }

  wait(hint?: WaitHint | null): LiveWait {
    const wait = new LiveWait(this, hint ?? {});
    if (this.endedAt !== 0) {
      wait.endedAt = wait.at;
      return wait;
    }
    this.waits++;
    this.#open.push(wait);
    guarded(() => this.owner.waitStarted(wait));
    return wait;
  }

  get latestWait(): LiveWait | undefined {
    return this.#open.at(-1);
  }

  signal(name: string, detail?: SignalDetail): void {
    this.latestWait?.signal(name, detail);
  }

  /** For {@link LiveWait.end} only. */
  waitEnded(wait: LiveWait, cancelled: boolean): void {
    const index = this.#open.lastIndexOf(wait);
    if (index >= 0) this.#open.splice(index, 1);
    this.waitedMicros += wait.endedAt - wait.at;
    guarded(() => this.owner.waitEnded(wait, cancelled));
  }

  end(outcome?: { error?: unknown }): void {
    if (this.endedAt !== 0) return;
    for (const wait of this.#open.slice().reverse()) wait.end({ cancelled: true });
    this.endedAt = monotonicMicros();
    const failure = outcome && 'error' in outcome ? { error: outcome.error } : undefined;
    guarded(() => this.owner.stepEnded(this, this.endedAt, failure));
  }
}
