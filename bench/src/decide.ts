import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createPolicy, defaultPolicyConfig, type LearningPolicy } from '@prewake/hostd/internal';
import { type Bench, figureOf } from './result.ts';
import { bootstrap, median, seeded } from './statistics.ts';

const USER = 1000;
const CLASSES = 10_000;
/** What some agents at work use. */
const IN_USE = 100;
const SESSIONS = 1000;
/** Waits that stay open while others begin and end. */
const OPEN = 20_000;
/** Waits that each class has seen before anything is measured. */
const LEARNED = 5;
/** A session is known by one string for as long as it lasts. */
const sessions = Array.from({ length: SESSIONS }, (_, i) => `s${i}`);
/** Its fields are in the order of a session's: with `user` first, V8 takes it for outdated (session.ts). */
const payer = { cgroup: '/bench', user: USER };

/** CPU time a hint, microseconds. */
export interface Cost {
  deciding: number;
  learning: number;
}

/** Waits of many classes, each with a median of its own and a spread around it, on a clock of their own. */
export class Waits {
  readonly #policy: LearningPolicy;
  readonly #random = seeded(7);
  #open: { wait: string; at: number }[] = [];
  #id = 0;
  #now = 1e9;

  constructor(policy: LearningPolicy) {
    this.#policy = policy;
  }

  /** One hint and the end of its wait. */
  one(number: number): void {
    this.#policy.waitStarted(this.#fact(number));
    this.end(0);
  }

  /** Ends the oldest until `left` are open. */
  end(left: number): void {
    for (const end of this.#open.splice(0, Math.max(0, this.#open.length - left)))
      this.#policy.waitEnded(end);
  }

  /** Hints of the first `classes` classes, drawn at random; then as many ends of the oldest waits. */
  measure(count: number, classes: number, left: number): Cost {
    const facts = Array.from({ length: count }, () => this.#fact(Math.floor(this.#random() * classes)));
    const ends = this.#open.splice(0, Math.max(0, this.#open.length - left));
    const deciding = cpuTime(() => {
      for (const fact of facts) this.#policy.waitStarted(fact);
    });
    const learning = cpuTime(() => {
      for (const end of ends) this.#policy.waitEnded(end);
    });
    return { deciding: deciding / count, learning: learning / Math.max(1, ends.length) };
  }

  #fact(number: number) {
    const session = sessions[this.#id % SESSIONS] as string;
    const wait = `${session}/${this.#id++}`;
    const at = this.#now;
    this.#now += 100;
    this.#open.push({ wait, at: at + 2 ** (10 + (number % 13)) * (0.8 + 0.4 * this.#random()) });
    return {
      wait,
      session,
      payer,
      kind: number % 4 === 0 ? 'llm' : 'tool',
      key: `class-${number}`,
      at,
      inputTokens: number % 4 === 0 ? 1000 + (number % 500) : undefined,
    };
  }
}

/** CPU time of this thread, microseconds: what else the machine does is not in it. */
function cpuTime(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return user + system;
}

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Memory in use after a collection, bytes. */
function memory(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

export const decide: Bench = {
  name: 'decide',
  title: 'what it costs to decide on a hint, and to learn from the end of its wait',
  seconds: 40,
  async run({ quick, progress }) {
    const before = memory();
    const policy = createPolicy(defaultPolicyConfig, { random: seeded(3) });
    const waits = new Waits(policy);
    progress(`teaching ${CLASSES} classes`);
    for (let i = 0; i < LEARNED * CLASSES; i++) waits.one(i % CLASSES);
    const bytes = (memory() - before) / CLASSES;
    // CPU time advances by the kernel's tick: a round is many of them.
    const hints = 20_000;
    const rounds = quick ? 2 : 40;
    const all: Cost[] = [];
    const some: Cost[] = [];
    waits.measure(OPEN, CLASSES, OPEN);
    for (let round = -2; round < rounds; round++) {
      const costs = [waits.measure(hints, CLASSES, OPEN), waits.measure(hints, IN_USE, OPEN)] as const;
      if (round < 0) continue; // The first compile.
      all.push(costs[0]);
      some.push(costs[1]);
    }
    waits.end(0);
    const known = `${policy.classes(USER).length} classes known, ${SESSIONS} sessions, ${OPEN} waits open`;
    const figure = (what: string, costs: Cost[], of: keyof Cost, limit?: number) =>
      figureOf(
        what,
        'µs of CPU a hint',
        bootstrap(
          costs.map((cost) => cost[of]),
          median,
        ),
        costs.length,
        limit === undefined ? undefined : { limit, direction: 'at most' },
      );
    return {
      name: decide.name,
      title: decide.title,
      figures: [
        figure(`deciding on a hint, ${known}, median of rounds`, all, 'deciding', 5),
        figure(`the same, ${IN_USE} of the classes in use`, some, 'deciding', 5),
        figure('learning from the end of its wait, all classes in use', all, 'learning'),
        figure(`the same, ${IN_USE} of the classes in use`, some, 'learning'),
        { what: 'memory of a class and its share of all else that is learned', unit: 'bytes', value: bytes },
      ],
      caveats: [
        'waitStarted() and waitEnded() in one process, one after the other: no socket, no JSON, no guard.',
        'Classes are drawn at random, so most are in none of the CPU’s caches, and contexts rarely come again.',
        `Memory is heap and array buffers in use after a collection, with ${LEARNED} waits learned for each class.`,
      ],
    };
  },
};
