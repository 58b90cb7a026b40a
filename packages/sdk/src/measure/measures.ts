import type { AsyncHook } from 'node:async_hooks';
import type { ClientFrame } from '../protocol/index.ts';
import type { LiveStep } from '../step.ts';
import type { LiveWait } from '../wait.ts';
import { EventLoopWatch } from './event-loop.ts';
import { GcObserver, type Pause } from './gc.ts';
import { LocalSource } from './local.ts';
import { LocalMeasures } from './local-measures.ts';
import { nativeHook } from './native-hook.ts';
import { Overlap } from './overlap.ts';
import { PoolRequests } from './pool-requests.ts';
import { RunMarks } from './run-marks.ts';
import type { StepMeasures } from './step-measures.ts';

/** Steps that are never ended must not fill the memory: beyond so many open ones, later ones are not measured. */
const MAX_OPEN = 10_000;
/** Beyond so many open steps, whose code a pause interrupted is asked of the marks alone. */
const MANY = 64;

export interface MeasuresOptions {
  thread: number;
  /** Whether a session is there to tell it to. */
  live(): boolean;
  losses(): number;
  /** Whether it was told of this step. */
  knows(step: LiveStep): boolean;
  send(frame: ClientFrame, must: boolean): boolean;
  /** There is something to drain in this turn. */
  touch(): void;
}

/** All that the SDK measures by itself on this thread, each only while a step needs it. */
export class Measures {
  readonly overlap = new Overlap();
  readonly marks: RunMarks;
  readonly pool: PoolRequests;
  readonly loop = new EventLoopWatch();
  /** Steps begun so far. */
  begun = 0;
  readonly #options: MeasuresOptions;
  readonly #native: AsyncHook | undefined;
  readonly #measured = new Set<LiveStep>();
  #recording = 0;
  #nativeOn = false;
  #gc: GcObserver | undefined;
  #local: LocalSource | undefined;

  constructor(options: MeasuresOptions) {
    this.#options = options;
    this.marks = new RunMarks(options.touch);
    const { knows, send, touch } = options;
    this.pool = new PoolRequests({ overlap: this.overlap, knows, send, touch });
    this.#native = nativeHook({
      init: (asyncId, type, resource) => this.pool.init(asyncId, type, resource),
      before: (asyncId) => {
        this.loop.before();
        if (this.pool.before(asyncId) && this.#recording === 0) setImmediate(this.#rest);
      },
    });
  }

  /** Whether requests to the thread pool are known, whoever makes them, while a step is open that records. */
  get followsPool(): boolean {
    return this.#native !== undefined;
  }

  get losses(): number {
    return this.#options.losses() + this.pool.missed;
  }

  /** @param local whether nobody else will measure this step */
  start(step: LiveStep, local: boolean): void {
    if (this.overlap.open.size >= MAX_OPEN) return;
    this.overlap.start(step);
    this.begun++;
    for (let outer = step.parent; outer; outer = outer.parent) outer.measured?.local?.descendantBegan();
    if (step.recording) this.#measure(step, local);
    this.#follow();
  }

  #measure(step: LiveStep, local: boolean): void {
    this.#recording++;
    this.#measured.add(step);
    this.#gc ??= new GcObserver((pause) => this.#paused(pause));
    if (this.#native && !this.#nativeOn) {
      this.#nativeOn = true;
      this.loop.start();
      this.pool.start(step.startedAt);
      this.#native.enable();
    }
    const measures: StepMeasures = {
      lossesBefore: this.losses,
      loopFollowed: this.#nativeOn,
      eventLoop: 0,
      queuedUntil: 0,
      gc: 0,
      gcKnown: true,
      local: undefined,
    };
    if (local) {
      this.#local ??= new LocalSource();
      const from = this.#local.sample();
      measures.local = new LocalMeasures(from, this.overlap.leaves, this.begun);
      step.parent?.measured?.local?.childBegan(from);
    }
    step.measured = measures;
  }

  /** Its code runs again: how long had it been ready? */
  waitEnded(wait: LiveWait, deadline: number): void {
    this.marks.resume(wait.step);
    const { measured } = wait.step;
    if (!measured?.loopFollowed) return;
    const since = Math.max(this.loop.readySince, wait.idleFrom, measured.queuedUntil, deadline);
    if (this.loop.callbackAt > since) measured.eventLoop += this.loop.callbackAt - since;
    measured.queuedUntil = Math.max(measured.queuedUntil, this.loop.callbackAt);
  }

  end(step: LiveStep): void {
    this.overlap.end(step);
    if (step.measured) this.#recording--;
    this.#follow();
    if (this.#recording === 0 && this.#nativeOn) setImmediate(this.#rest);
  }

  sampleLocal() {
    return this.#local?.sample();
  }

  /** Pauses of the collector that are known by now. */
  poll(): void {
    this.#gc?.poll();
  }

  /** Nothing more is asked about this step. */
  forget(step: LiveStep): void {
    this.#measured.delete(step);
  }

  /** Marks and pauses that have not been sent; requests to the thread pool are sent. */
  drain(): ClientFrame[] {
    const { thread } = this.#options;
    this.pool.drain();
    return [...this.marks.drain(thread), ...(this.#gc?.drain(thread) ?? [])];
  }

  /** A session was opened or lost. */
  sessionChanged(): void {
    this.marks.clear();
    this.pool.forget();
    this.#follow();
  }

  close(): void {
    this.marks.stop(undefined);
    this.#native?.disable();
    this.#nativeOn = false;
    this.pool.clear();
    this.#gc?.close();
    this.#local?.close();
    this.#gc = this.#local = undefined;
  }

  /** Marks are for hostd, and only where it can't tell by itself whose code ran. */
  #follow(): void {
    const told = this.#recording > 0 && this.#options.live();
    const overlapping = told && this.overlap.leaves > 1;
    this.pool.follow(told, overlapping);
    if (overlapping === this.marks.on) return;
    if (overlapping) this.marks.start(this.overlap.open);
    else this.marks.stop(this.overlap.leaf);
  }

  /** Not with every step's end: the next one mostly begins in the same turn. */
  readonly #rest = () => {
    if (this.#recording > 0 || !this.#nativeOn || this.pool.pending) return;
    this.#nativeOn = false;
    this.#native?.disable();
  };

  #paused(pause: Pause): void {
    const running = [...this.#measured].filter(
      (step) => step.startedAt <= pause.at && (step.endedAt === 0 || pause.at < step.endedAt),
    );
    if (running.length === 0) return;
    const leaves = running.length > MANY ? running : innermost(running);
    const owner = leaves.length === 1 ? leaves[0] : this.marks.ownerAt(pause.at);
    if (owner === 'unknown') {
      for (const step of leaves) if (step.measured) step.measured.gcKnown = false;
    } else if (owner?.measured) {
      owner.measured.gc += pause.duration;
    }
  }
}

function innermost(steps: LiveStep[]): LiveStep[] {
  const parents = new Set<LiveStep>();
  for (const step of steps) {
    for (let parent = step.parent; parent && !parents.has(parent); parent = parent.parent)
      parents.add(parent);
  }
  return steps.filter((step) => !parents.has(step));
}
