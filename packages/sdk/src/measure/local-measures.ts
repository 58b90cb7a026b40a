import { difference, type LocalSample, sum } from './local.ts';

/** What the process can tell of itself for one step: the stretches in which no child of the step was open. */
export class LocalMeasures {
  readonly #from: LocalSample;
  /** Steps open beside each other when this one began, it included, and steps begun by then. */
  readonly #leaves: number;
  readonly #begun: number;
  /** Steps that began within this one: they have figures of their own. */
  #descendants = 0;
  #openChildren = 0;
  #since: LocalSample;
  #own: LocalSample;

  constructor(from: LocalSample, leaves: number, begun: number) {
    this.#from = this.#since = from;
    this.#own = difference(from, from);
    this.#leaves = leaves;
    this.#begun = begun;
  }

  descendantBegan(): void {
    this.#descendants++;
  }

  childBegan(at: LocalSample): void {
    if (this.#openChildren++ === 0) this.#own = sum(this.#own, difference(this.#since, at));
  }

  childEnded(at: LocalSample): void {
    if (--this.#openChildren === 0) this.#since = at;
  }

  /** The step's own part until its end. */
  own(at: LocalSample): LocalSample {
    return this.#openChildren > 0 ? this.#own : sum(this.#own, difference(this.#since, at));
  }

  /** The host's pressure during all of the step. */
  pressure(at: LocalSample): LocalSample['psi'] {
    return difference(this.#from, at).psi;
  }

  /**
   * How many steps may have caused the own part, this one included.
   *
   * @param begun steps begun by now
   */
  candidates(begun: number): number {
    return this.#leaves + begun - this.#begun - this.#descendants;
  }
}
