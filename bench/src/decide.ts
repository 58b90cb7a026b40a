import { createPolicy, defaultPolicyConfig, type LearningPolicy } from '@prewake/hostd/internal';
import { type Bench, figureOf } from './result.ts';
import { bootstrap, median, quantile, seeded } from './statistics.ts';

const USER = 1000;
const CLASSES = 10_000;
/** What some agents at work use. */
const IN_USE = 100;
const SESSIONS = 100;
/** Waits that each class has seen before anything is measured. */
const LEARNED = 5;
const payer = { user: USER, cgroup: '/bench' };

/** Waits of many classes, each with a median of its own and a spread around it, on a clock of their own. */
export class Waits {
  readonly #policy: LearningPolicy;
  readonly #random = seeded(7);
  #id = 0;
  #now = 1e9;

  constructor(policy: LearningPolicy) {
    this.#policy = policy;
  }

  /** One hint and the end of its wait. */
  one(number: number): void {
    const wait = `s${this.#id % SESSIONS}/${this.#id}`;
    const session = `s${this.#id % SESSIONS}`;
    this.#id++;
    const at = this.#now;
    this.#now += 200;
    this.#policy.waitStarted({
      wait,
      session,
      payer,
      kind: number % 4 === 0 ? 'llm' : 'tool',
      key: `class-${number}`,
      at,
      inputTokens: number % 4 === 0 ? 1000 + (number % 500) : undefined,
    });
    this.#policy.waitEnded({ wait, at: at + 2 ** (10 + (number % 13)) * (0.8 + 0.4 * this.#random()) });
  }

  /** `count` hints of the first `classes` classes, drawn at random; microseconds a hint. */
  measure(count: number, classes: number): number {
    const drawn = Uint32Array.from({ length: count }, () => Math.floor(this.#random() * classes));
    const began = process.hrtime.bigint();
    for (const number of drawn) this.one(number);
    return Number(process.hrtime.bigint() - began) / 1000 / count;
  }
}

export const decide: Bench = {
  name: 'decide',
  title: 'what it costs to decide on a hint and to learn from its end',
  seconds: 30,
  async run({ quick, progress }) {
    const random = seeded(3);
    const policy = createPolicy(defaultPolicyConfig, { random });
    const waits = new Waits(policy);
    progress(`teaching ${CLASSES} classes`);
    for (let i = 0; i < LEARNED * CLASSES; i++) waits.one(i % CLASSES);
    const rounds = quick ? 10 : 200;
    const hints = quick ? 1000 : 5000;
    const samples: number[] = [];
    const few: number[] = [];
    for (let round = -5; round < rounds; round++) {
      const all = waits.measure(hints, CLASSES);
      const some = waits.measure(hints, IN_USE);
      if (round < 0) continue; // The first compile.
      samples.push(all);
      few.push(some);
    }
    const classes = policy.classes(USER).length;
    return {
      name: decide.name,
      title: decide.title,
      figures: [
        figureOf(
          `a hint decided and its wait learned, ${classes} classes known, median of rounds`,
          'µs a hint',
          bootstrap(samples, median),
          samples.length,
          { limit: 5, direction: 'at most' },
        ),
        figureOf(
          'the same, 95th percentile of rounds',
          'µs a hint',
          bootstrap(samples, (all) => quantile(all, 0.95)),
          samples.length,
        ),
        figureOf(
          `as many classes known, ${IN_USE} of them in use, median of rounds`,
          'µs a hint',
          bootstrap(few, median),
          few.length,
        ),
      ],
      caveats: [
        'waitStarted() and waitEnded() in one process, one after the other: no socket, no JSON, no guard.',
        'Classes are drawn at random, so most are in none of the CPU’s caches; the last figure has the other case.',
      ],
    };
  },
};
