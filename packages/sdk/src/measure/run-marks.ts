import { type AsyncHook, createHook, executionAsyncResource } from 'node:async_hooks';
import { guarded } from '../guarded.ts';
import type { ClientFrame, Micros, StepId } from '../protocol/index.ts';
import { monotonicMicros } from '../protocol/index.ts';
import { scopes } from '../scope.ts';
import type { LiveStep } from '../step.ts';
import { isPromise, RunningStep, startsTurn } from './running-step.ts';

/** Pairs in one frame: 80 of at most 40 bytes stay below a line's limit. */
const PAIRS = 80;
/** Code of the same step that goes on within this time was not interrupted by anybody. In microseconds. */
const SAME_BURST: Micros = 5;
/** Past marks that are kept to tell whose code a collector's pause interrupted. */
const KEPT = 512;
const MAX_NESTED = 256;

/**
 * Marks when each step's code ran on this thread, by async_hooks before and after. It costs about 2.6 times a bare
 * promise loop, so it is on only while steps overlap.
 */
export class RunMarks {
  readonly #changed: () => void;
  readonly #hook: AsyncHook;
  readonly #running = new RunningStep();
  readonly #nested: (LiveStep | undefined)[] = [];
  /** [at, step, at, step, …], ascending. */
  #pending: (Micros | StepId)[] = [];
  readonly #past: { at: Micros; step: LiveStep | undefined }[] = [];
  #current: LiveStep | undefined;
  #before: { step: LiveStep | undefined; left: Micros } = { step: undefined, left: 0 };
  on = false;
  /** Steps that may have awaited something before the hooks were there. */
  #unhooked: ReadonlySet<LiveStep> = new Set();
  /** The current mark is of a callback that is over. */
  #lingering = false;
  #closing = false;
  #resuming: LiveStep | undefined;

  /** @param changed called when there is something to drain */
  constructor(changed: () => void) {
    this.#changed = changed;
    this.#hook = createHook({
      before: () => {
        if (this.#running.asking) return;
        const resource = executionAsyncResource();
        // Callbacks that throw may leave without their after hook.
        if (this.#nested.length > MAX_NESTED) this.#nested.length = 0;
        this.#nested.push(this.#outer(resource));
        guarded(() => this.mark(this.#running.of(resource)));
      },
      after: () => {
        if (!this.#running.asking) guarded(() => this.#after(this.#nested.pop()));
      },
    });
  }

  /** @param open the steps that are open already */
  start(open: Iterable<LiveStep>): void {
    if (this.on) return;
    this.on = true;
    this.#nested.length = 0;
    this.#unhooked = new Set(open);
    this.#push(monotonicMicros(), scopes.getStore()?.step);
    this.#hook.enable();
    // What runs now has no after hook to come.
    this.#lingering = true;
    this.#close();
  }

  /** @param leaf the step that is left; its code is what runs from now on, as long as nothing overlaps */
  stop(leaf: LiveStep | undefined): void {
    if (!this.on) return;
    this.on = false;
    this.#hook.disable();
    this.#unhooked = new Set();
    this.#resuming = undefined;
    this.#push(monotonicMicros(), leaf);
  }

  /** Whose code goes on after a callback. What lingers ends with the next callback of the loop. */
  #outer(resource: object | undefined): LiveStep | undefined {
    if (!this.#lingering || !startsTurn(resource)) return this.#current;
    this.#lingering = false;
    return undefined;
  }

  /**
   * V8 gives no hook for what was awaited before the hooks were there. Such code runs in the microtasks right after
   * the callback that it waited for: that callback's mark stays until the next one, at the latest until the loop's
   * check phase, which is before it can sleep.
   */
  #after(outer: LiveStep | undefined): void {
    const step = this.#current;
    const awaited = step === this.#resuming || !isPromise();
    // Within another's code, it is that code which goes on.
    if (outer || !step || !awaited || !this.#unhooked.has(step)) {
      this.mark(outer);
      return;
    }
    this.#lingering = true;
    this.#close();
  }

  /** Ends the mark of what runs now before the loop can sleep. */
  #close(): void {
    if (this.#closing) return;
    this.#closing = true;
    // In nobody's scope: its own before hook is the mark.
    scopes.exit(() => setImmediate(this.#closed));
  }

  readonly #closed = () => {
    this.#closing = this.#lingering = false;
    this.#resuming = undefined;
    // Its own after hook must not bring back what it has just ended.
    this.#nested.fill(undefined);
  };

  /** A wait of this step has ended: what runs next is its code. */
  resume(step: LiveStep): void {
    if (!this.on) return;
    if (this.#unhooked.has(step)) this.#resuming = step;
    this.mark(step);
  }

  /** From now on this step's code runs; undefined: none's. */
  mark(step: LiveStep | undefined): void {
    const running = step && step.endedAt === 0 ? step : undefined;
    if (!this.on || running === this.#current) return;
    const at = monotonicMicros();
    const before = this.#before;
    if (this.#current === undefined && running === before.step && at - before.left < SAME_BURST) {
      // Between two callbacks of one burst: take the gap back, unless it has been sent.
      if (this.#pending.length >= 2) {
        this.#pending.length -= 2;
        this.#past.pop();
        this.#current = running;
        return;
      }
    }
    this.#before = { step: this.#current, left: at };
    this.#push(at, running);
  }

  /** Whose code ran at an instant; undefined: none's; `unknown`: it was not marked. */
  ownerAt(at: Micros): LiveStep | undefined | 'unknown' {
    for (let i = this.#past.length - 1; i >= 0; i--) {
      const mark = this.#past[i];
      if (mark && mark.at <= at) return mark.step;
    }
    return 'unknown';
  }

  /** What has not been sent, as frames. */
  drain(thread: number): ClientFrame[] {
    const frames: ClientFrame[] = [];
    for (let i = 0; i < this.#pending.length; i += 2 * PAIRS) {
      frames.push({ type: 'run', thread, marks: this.#pending.slice(i, i + 2 * PAIRS) });
    }
    if (frames.length > 0) this.#pending = [];
    return frames;
  }

  /** The session is over: marks that nobody will read. */
  clear(): void {
    this.#pending = [];
  }

  #push(at: Micros, step: LiveStep | undefined): void {
    this.#current = step;
    // Whole nanoseconds, to keep lines short.
    this.#pending.push(Math.round(at * 1e3) / 1e3, step?.id ?? '');
    this.#past.push({ at, step });
    if (this.#past.length > 2 * KEPT) this.#past.splice(0, KEPT);
    this.#changed();
  }
}
