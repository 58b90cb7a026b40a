import type { Kind, Micros } from '@prewake/sdk/protocol';
import { BINS, binOf, WIDTHS } from './grid.ts';

const DECAY = 0.99;

/** What a wait is predicted from. */
export interface WaitContext {
  user: number;
  session: string;
  kind: Kind;
  key: string;
}

/** Decayed counts of ended waits by bin. */
class Histogram {
  readonly counts = new Float32Array(BINS + 1);
  total = 0;

  add(bin: number): void {
    for (let b = 0; b <= BINS; b++) this.counts[b] = (this.counts[b] as number) * DECAY;
    this.counts[bin] = (this.counts[bin] as number) + 1;
    this.total = this.total * DECAY + 1;
  }
}

/** Hazards of a wait from its class, backed off to its kind. */
export class Predictor {
  #classes = new Map<string, Histogram>();
  #maxClasses: number;
  #density = new Float64Array(BINS + 1);

  constructor(maxClasses: number) {
    this.#maxClasses = maxClasses;
  }

  /** Fills `hazards` with wakeups per microsecond in each bin. */
  predict(context: WaitContext, hazards: Float64Array): void {
    const density = this.#density;
    for (let b = 0; b <= BINS; b++) density[b] = 1 / (BINS + 1);
    for (const name of names(context)) {
      const histogram = this.#classes.get(name);
      if (!histogram) continue;
      const own = histogram.total / (histogram.total + 4);
      const each = own / histogram.total;
      for (let b = 0; b <= BINS; b++) {
        density[b] = (density[b] as number) * (1 - own) + (histogram.counts[b] as number) * each;
      }
    }
    let alive = 1;
    for (let b = 0; b < BINS; b++) {
      const mass = density[b] as number;
      hazards[b] = alive > 1e-9 ? mass / alive / (WIDTHS[b] as number) : 0;
      alive -= mass;
    }
  }

  learn(context: WaitContext, us: Micros): void {
    const bin = binOf(us);
    for (const name of names(context)) {
      let histogram = this.#classes.get(name);
      if (histogram) this.#classes.delete(name);
      else histogram = new Histogram();
      this.#classes.set(name, histogram);
      histogram.add(bin);
    }
    while (this.#classes.size > this.#maxClasses) {
      this.#classes.delete(this.#classes.keys().next().value as string);
    }
  }
}

/** From the general to the particular. */
function names({ user, kind, key }: WaitContext): [string, string] {
  return [`${user}\0${kind}`, `${user}\0${kind}\0${key}`];
}
