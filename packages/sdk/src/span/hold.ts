import type { Micros, ReportFrame, StepId } from '../protocol/index.ts';
import type { Failure, LiveStep } from '../step.ts';
import type { Figures } from './report-attributes.ts';

/** Spans that may be held at once; beyond it a span ends at once, as incomplete. */
const MAX_HELD = 4096;
/** After so many holds in a row that ran out, hostd is taken as stopped: nothing is held until it speaks again. */
const PATIENCE = 3;

export interface Ended {
  step: LiveStep;
  endedAt: Micros;
  failure: Failure | undefined;
  /** What this process measured, where hostd did not follow the step. */
  local: Figures | undefined;
}

/** Ends a span: with its report, or for the reason why there is none (empty where none was asked for). */
export type Finish = (ended: Ended, report: ReportFrame | undefined, why: string) => void;

/** Finished steps whose spans wait for hostd's report, each for at most the same time, in the order of their ends. */
export class SpanHold {
  /** Reports that came after their span had been ended. */
  late = 0;
  readonly #finish: Finish;
  readonly #holdMs: number;
  readonly #held = new Map<StepId, Ended & { until: number }>();
  #timer: NodeJS.Timeout | undefined;
  #expired = 0;

  constructor(holdMs: number, finish: Finish) {
    this.#holdMs = holdMs;
    this.#finish = finish;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Why a span can't be held now, if it can't. */
  get refusal(): string | undefined {
    if (this.#holdMs <= 0 || this.#expired >= PATIENCE) return 'held';
    return this.#held.size >= MAX_HELD ? 'overload' : undefined;
  }

  add(ended: Ended): void {
    this.#held.set(ended.step.id, { ...ended, until: performance.now() + this.#holdMs });
    this.#arm(this.#holdMs);
  }

  /** Holds a span without a report for two turns of the event loop: the collector's pauses are known that late. */
  addBriefly(ended: Ended): void {
    const { id } = ended.step;
    this.#held.set(id, { ...ended, until: Number.POSITIVE_INFINITY });
    setImmediate(() => setImmediate(() => this.#take(id)));
  }

  /** hostd has said something: it is alive. */
  alive(): void {
    this.#expired = 0;
  }

  report(report: ReportFrame): void {
    if (!this.#take(report.step, report)) this.late++;
  }

  #take(id: StepId, report?: ReportFrame): boolean {
    const held = this.#held.get(id);
    if (!held) return false;
    this.#held.delete(id);
    this.#finish(held, report, '');
    return true;
  }

  /** Ends all that is held at once, as incomplete. */
  release(why: string): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const all = [...this.#held.values()];
    this.#held.clear();
    for (const held of all) this.#finish(held, undefined, why);
  }

  #arm(ms: number): void {
    this.#timer ??= setTimeout(this.#expire, ms).unref();
  }

  readonly #expire = () => {
    this.#timer = undefined;
    const now = performance.now();
    for (const [id, held] of this.#held) {
      // A timer may fire a fraction of a millisecond early.
      if (held.until === Number.POSITIVE_INFINITY) continue;
      if (held.until > now + 1) return this.#arm(held.until - now);
      this.#held.delete(id);
      this.#expired++;
      this.#finish(held, undefined, 'held');
    }
  };
}
