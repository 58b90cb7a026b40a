import { guarded } from './guarded.ts';
import type { SignalDetail, Wait, WaitHint } from './options.ts';
import { type Micros, monotonicMicros } from './protocol/index.ts';
import type { LiveStep } from './step.ts';

/** Signals of one cadence that are closer than this say nothing new, and each costs a line. In microseconds. */
const CADENCE_GAP: Micros = 5_000;

/** A wait of a step that somebody follows: hostd, a recording span, or both. */
export class LiveWait implements Wait {
  readonly step: LiveStep;
  readonly hint: WaitHint;
  readonly at: Micros;
  /** Its id and the session in which it was announced; 0: it was not. */
  id = 0;
  session = 0;
  /** Since when the step's own code leaves the thread to others. */
  idleFrom: Micros;
  /** When the step's code ran again; 0 while it waits. */
  endedAt: Micros = 0;
  #cadenceAt: Micros = 0;

  constructor(step: LiveStep, hint: WaitHint) {
    this.step = step;
    this.hint = hint;
    this.at = this.idleFrom = monotonicMicros();
  }

  signal(name: string, detail?: SignalDetail): void {
    if (this.endedAt !== 0) return;
    if (name === 'token' || name === 'progress') {
      const now = monotonicMicros();
      if (now - this.#cadenceAt < CADENCE_GAP) return;
      this.#cadenceAt = now;
    }
    guarded(() => this.step.owner.waitSignal(this, name, detail?.afterMs));
  }

  end(outcome?: { cancelled?: boolean }): void {
    if (this.endedAt !== 0) return;
    this.endedAt = monotonicMicros();
    this.step.waitEnded(this, outcome?.cancelled === true);
  }
}
