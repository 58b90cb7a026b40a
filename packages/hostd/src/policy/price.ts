import { BINS, binOf, EDGES, WIDTHS } from './grid.ts';

/** Prices are kept on a log scale: levels of 5 % from 1e-12 to 1 wakeups per microsecond. */
const LEVELS = 567;
const LOG_FIRST = Math.log(1e-12);
const LOG_STEP = Math.log(1.05);

/** Wait time after which an observation weighs half: long against a wait, short against a change of load. */
const HALF_LIFE_US = 2 * 3600e6;

/**
 * Finds the price at which a given part of wait time is armed: it keeps how much time past waits spent at each
 * hazard, and corrects by what was armed really.
 */
export class Price {
  #share: number;
  #timeAt = new Float64Array(LEVELS);
  #waited = 0;
  #armed = 0;
  #scale = 1;
  #value: number;

  constructor(share: number) {
    this.#share = share;
    this.#value = share >= 1 ? 0 : 1e-6;
  }

  /** Wakeups that an armed microsecond must promise. */
  get value(): number {
    return this.#value;
  }

  /** A wait has ended: its hazards as predicted, its length and how much of it the plan had armed. */
  observe(hazards: Float64Array, us: number, armedUs: number): void {
    if (this.#share >= 1 || !(us > 0)) return;
    const last = Math.min(binOf(us), BINS - 1);
    for (let bin = 0; bin <= last; bin++) {
      const time = bin === last ? us - (EDGES[bin] as number) : (WIDTHS[bin] as number);
      const index = level(hazards[bin] as number);
      this.#timeAt[index] = (this.#timeAt[index] as number) + time * this.#scale;
    }
    this.#waited += us * this.#scale;
    this.#armed += Math.min(armedUs, us) * this.#scale;
    this.#scale *= 2 ** (us / HALF_LIFE_US);
    if (this.#scale > 1e100) this.#rescale();
    this.#value = this.#solve();
  }

  #solve(): number {
    const debt = this.#armed - this.#share * this.#waited;
    // Make good half of what was armed too much or too little within the remembered time.
    const budget = Math.max(0, this.#share * this.#waited - debt / 2);
    let sum = 0;
    for (let index = LEVELS - 1; index >= 0; index--) {
      sum += this.#timeAt[index] as number;
      if (sum > budget) return Math.exp(LOG_FIRST + LOG_STEP * (index + 1));
    }
    return 0;
  }

  #rescale(): void {
    const by = 1 / this.#scale;
    for (let index = 0; index < LEVELS; index++) this.#timeAt[index] = (this.#timeAt[index] as number) * by;
    this.#waited *= by;
    this.#armed *= by;
    this.#scale = 1;
  }
}

function level(hazard: number): number {
  if (!(hazard > 1e-12)) return 0;
  return Math.min(LEVELS - 1, Math.floor((Math.log(hazard) - LOG_FIRST) / LOG_STEP));
}
