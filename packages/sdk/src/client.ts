import { ProxyTracerProvider, type Tracer, type TracerProvider, trace } from '@opentelemetry/api';
import { guarded } from './guarded.ts';
import { Measures } from './measure/measures.ts';
import type { ConnectOptions } from './options.ts';
import {
  type HostdFrame,
  type Micros,
  monotonicMicros,
  type PrewakeError,
  type ReportFrame,
  type WelcomeFrame,
} from './protocol/index.ts';
import { scopes } from './scope.ts';
import { Announcer } from './session/announcer.ts';
import { Outbox, type Sink } from './session/outbox.ts';
import { Link } from './session/reconnect.ts';
import { sayOnce } from './session/say-once.ts';
import { listenToChildren } from './signals/children.ts';
import { listenToHttpClient } from './signals/http-client.ts';
import { listenToUndici } from './signals/undici.ts';
import { localFigures, noFigures, withOwn } from './span/figures.ts';
import { type FinishOptions, finishSpan } from './span/finish.ts';
import { type Ended, type Finish, SpanHold } from './span/hold.ts';
import { Metrics } from './span/metrics.ts';
import type { Figures } from './span/report-attributes.ts';
import type { Failure, LiveStep, StepOwner } from './step.ts';
import { VERSION } from './version.ts';
import type { LiveWait } from './wait.ts';

/** Where the application's own provider gives no tracer: hostd hears of steps all the same. */
const NO_SPANS = new ProxyTracerProvider();

function tracerOf(provider: Pick<TracerProvider, 'getTracer'>): Tracer {
  return provider.getTracer('@prewake/sdk', VERSION);
}

const clients = new Set<Client>();

/** Ends all held spans of this process, as incomplete. */
export function releaseHeldSpans(why: string): void {
  for (const client of clients) client.release(why);
}

const onBeforeExit = () => releaseHeldSpans('flushed');

/** Everything that one `connect()` set in motion. */
export class Client implements StepOwner {
  readonly tracer: Tracer;
  readonly usesGlobalProvider: boolean;
  readonly outbox = new Outbox();
  readonly announcer: Announcer;
  readonly link: Link;
  readonly hold: SpanHold;
  readonly measures: Measures;
  welcome: WelcomeFrame | undefined;
  readonly counters = {
    finished: 0,
    incomplete: 0,
    windows: { released: 0, refused: 0 },
    errors: 0,
  };
  degraded = new Set<string>();
  lastError: string | undefined;
  #supported = false;
  readonly #metrics: Metrics | undefined;
  readonly #signals: NonNullable<ConnectOptions['signals']>;
  readonly #listening: (() => void)[] = [];
  readonly #holdMs: number;
  readonly #finishing: FinishOptions;
  readonly #waiters = new Set<() => void>();

  constructor(options: ConnectOptions, thread: number | undefined) {
    this.tracer = guarded(() => tracerOf(options.tracerProvider ?? trace)) ?? tracerOf(NO_SPANS);
    this.usesGlobalProvider = !options.tracerProvider;
    this.#holdMs = Math.min(Math.max(options.holdMs ?? 250, 0), 10_000);
    this.#metrics = options.metrics === false ? undefined : new Metrics();
    this.#signals = options.signals ?? {};
    this.#finishing = {
      tracer: this.tracer,
      slowpathSpans: { max: options.slowpathSpans?.max ?? 3, minNs: options.slowpathSpans?.minNs ?? 100_000 },
      recordExceptions: options.recordExceptions ?? false,
    };
    this.announcer = new Announcer(this.outbox, thread);
    this.hold = new SpanHold(this.#holdMs, this.#finish);
    this.measures = new Measures({
      thread: thread ?? process.pid,
      live: () => this.live,
      losses: () => this.announcer.losses,
      knows: (step) => this.announcer.knows(step),
      send: (frame, must) => this.live && this.announcer.send(frame, must),
      touch: () => this.outbox.touch(),
    });
    this.outbox.onFlush = () => this.#drain();
    this.link = new Link(
      {
        connecting: (number) => this.#connecting(number),
        open: (sink) => this.#opened(sink),
        frame: (frame) => this.#received(frame),
        closed: (error) => this.#closed(error),
      },
      options.socket,
    );
  }

  /** @param supported whether hostd can exist here at all */
  start(supported: boolean): void {
    clients.add(this);
    if (clients.size === 1) process.on('beforeExit', onBeforeExit);
    this.#supported = supported;
    if (!supported) return;
    const { undici = true, children = true } = this.#signals;
    if (undici) this.#listening.push(listenToUndici(), listenToHttpClient());
    if (children) this.#listening.push(listenToChildren());
    this.link.start();
  }

  /** True while announcements go anywhere: into a session, or into one whose handshake is under way. */
  get live(): boolean {
    return this.announcer.session !== 0;
  }

  release(why: string): void {
    this.hold.release(why);
    this.#settle();
  }

  /** Resolves with the next session's welcome; false after the time is up. */
  ready(timeoutMs: number): Promise<boolean> {
    if (this.welcome) return Promise.resolve(true);
    return this.#until(() => this.welcome !== undefined, timeoutMs);
  }

  /** Resolves when no span waits for its figures any more. */
  async settled(): Promise<void> {
    if (this.hold.size > 0) await this.#until(() => this.hold.size === 0, this.#holdMs + 50);
    this.release('held');
  }

  flush(): void {
    this.release('flushed');
    this.outbox.flush();
  }

  close(): void {
    this.flush();
    this.link.close();
    this.measures.close();
    for (const end of this.#listening.splice(0)) end();
    clients.delete(this);
    if (clients.size === 0) process.off('beforeExit', onBeforeExit);
  }

  // ---- steps -------------------------------------------------------------------------------------------

  stepStarted(step: LiveStep): void {
    if (!this.#supported) return;
    const announced = this.#announce(step);
    // Before the welcome nobody knows whether there is a hostd to ask.
    const followed = announced && this.welcome !== undefined && this.#holdMs > 0;
    this.measures.start(step, !followed);
  }

  #announce(step: LiveStep): boolean {
    const report = step.recording && this.#holdMs > 0;
    return this.announcer.step(step, report, report && this.measures.followsPool);
  }

  waitStarted(wait: LiveWait): void {
    if (!this.live) return;
    // Begun before this session: hostd learns of the step with its next wait.
    if (!this.announcer.knows(wait.step)) this.#announce(wait.step);
    this.announcer.wait(wait);
    if (wait.hint.blocking) this.outbox.flush();
    else if ((wait.hint.kind ?? wait.step.kind) === 'tool') this.outbox.hurry();
  }

  waitSignal(wait: LiveWait, name: string, afterMs: number | undefined): void {
    if (name === 'first_token') this.#metrics?.firstChunk(wait.step, (monotonicMicros() - wait.at) / 1e6);
    this.announcer.signal(wait, name, afterMs);
  }

  waitEnded(wait: LiveWait, cancelled: boolean): void {
    this.measures.waitEnded(wait, wait.hint.afterMs === undefined ? 0 : wait.at + wait.hint.afterMs * 1e3);
    this.announcer.waitEnd(wait, wait.endedAt, cancelled);
  }

  running(step: LiveStep | undefined): void {
    this.measures.marks.mark(step);
  }

  stepEnded(step: LiveStep, endedAt: Micros, failure: Failure | undefined): void {
    // hostd has to know whose code ran before it is asked about the step.
    if (step.session !== 0) this.#drain();
    const announced = this.announcer.stepEnd(step, endedAt);
    this.measures.end(step);
    this.#metrics?.ended(step, (endedAt - step.startedAt) / 1e6, failure);
    if (!step.recording) return;
    const ended = { step, endedAt, failure, local: localFigures(step, this.measures) };
    const why = this.#supported ? this.hold.refusal : '';
    if (why !== undefined) this.#finish(ended, undefined, why);
    else if (announced) this.hold.add(ended);
    else this.hold.addBriefly(ended);
  }

  readonly #finish: Finish = (ended, report, why) => {
    this.measures.poll();
    this.measures.forget(ended.step);
    this.counters.finished++;
    if (!this.#supported) return this.#endSpan(ended, undefined, []);
    const figures = withOwn(report ?? this.#without(ended, why), ended.step, this.measures);
    if (!figures.complete) this.counters.incomplete++;
    this.#endSpan(ended, figures, report?.events ?? []);
  };

  /** In no step's scope: span processors start timers here, whose exports would be taken for the step's own work. */
  #endSpan(ended: Ended, figures: Figures | undefined, events: ReportFrame['events']): void {
    scopes.exit(() => guarded(() => finishSpan(ended, figures, events, this.#finishing)));
  }

  /** What there is without a report: our own figures are whole only where hostd had no better ones. */
  #without({ local, step }: Ended, why: string): Figures {
    if (!local) return noFigures(why || (step.session === 0 ? 'recorder_off' : 'disconnected'));
    return why !== '' && this.live ? { ...local, complete: false, incomplete: why } : local;
  }

  #drain(): void {
    if (this.live) for (const frame of this.measures.drain()) this.announcer.send(frame);
  }

  // ---- the session -------------------------------------------------------------------------------------

  #connecting(number: number): void {
    this.announcer.begin(number);
    this.measures.sessionChanged();
  }

  #opened(sink: Sink): void {
    this.outbox.open(sink);
  }

  #closed(error: PrewakeError): void {
    this.announcer.end();
    this.measures.sessionChanged();
    this.outbox.close();
    this.welcome = undefined;
    this.degraded.clear();
    this.lastError = `${error.code}: ${error.message}`;
    if (error.code === 'PREWAKE_VERSION_MISMATCH') sayOnce(error.code, error.message);
    this.release('disconnected');
  }

  #received(frame: HostdFrame): void {
    this.hold.alive();
    switch (frame.type) {
      case 'welcome':
        this.#welcomed(frame);
        break;
      case 'report':
        this.#reported(frame);
        break;
      case 'window':
        this.counters.windows[frame.state]++;
        break;
      case 'budget':
        if (frame.state === 'degraded') this.degraded.add(frame.bucket);
        else this.degraded.delete(frame.bucket);
        break;
      case 'error':
        this.counters.errors++;
        this.lastError = `${frame.code}: ${frame.message}`;
        break;
    }
  }

  #welcomed(welcome: WelcomeFrame): void {
    this.welcome = welcome;
    if (minor(welcome.version) !== minor(VERSION)) {
      sayOnce(
        'PREWAKE_VERSION_DIFFERS',
        `hostd is ${welcome.version} and this SDK ${VERSION}: what both know is used`,
      );
    }
    this.#settle();
  }

  #reported(report: ReportFrame): void {
    this.hold.report(report);
    if (this.hold.size === 0) this.#settle();
  }

  #settle(): void {
    for (const check of this.#waiters) check();
  }

  #until(done: () => boolean, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (value: boolean) => {
        clearTimeout(timer);
        this.#waiters.delete(check);
        resolve(value);
      };
      const check = () => done() && finish(true);
      // Somebody waits for this: it may hold the process open.
      const timer = setTimeout(() => finish(done()), timeoutMs);
      this.#waiters.add(check);
    });
  }
}

const minor = (version: string) => version.split('.').slice(0, 2).join('.');
