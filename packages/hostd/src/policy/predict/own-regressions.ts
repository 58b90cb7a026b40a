import { Recents } from '../recents.ts';
import type { ClassStats, KindStats } from './classes.ts';
import { Regression } from './regression.ts';

/** Classes of one user with a regression of their own: it takes about 8 KB, several times what else is kept of a class. */
const MOST = 256;
/** Waits of a class before it gets one, and errors of it before it is asked. */
const FIRST_WAITS = 10;
const EVIDENCE = 30;
/** Where all are taken, one wait in so many of other classes puts one in place of what was not used of late. */
const ADMIT_EVERY = 64;

/**
 * Regressions of the classes that come often: services differ in how fast they read and write, and tools in what
 * their time depends on. Each starts from its kind's.
 */
export class OwnRegressions {
  readonly known: Recents<number, Regression> = new Recents(MOST);
  #refused = 0;

  /** The class's own where it knows enough, otherwise the kind's. */
  of({ id, histogram }: ClassStats, kind: KindStats): Regression {
    if (histogram.events < FIRST_WAITS + EVIDENCE) return kind.regression;
    const own = this.known.use(id);
    return own && own.errors.events >= EVIDENCE ? own : kind.regression;
  }

  /** @param always whether the kind learns also from a class with one of its own */
  learn(
    cls: ClassStats,
    kind: KindStats,
    wait: { features: readonly number[]; us: number; always: boolean },
  ): void {
    const own = cls.histogram.events > FIRST_WAITS ? this.known.peek(cls.id) : undefined;
    if (wait.always || !own) kind.regression.learn(wait.features, wait.us);
    (own ?? this.#admit(cls, kind))?.learn(wait.features, wait.us);
  }

  #admit({ id, histogram }: ClassStats, kind: KindStats): Regression | undefined {
    if (histogram.events <= FIRST_WAITS) return undefined;
    if (this.known.size >= MOST && ++this.#refused % ADMIT_EVERY !== 0) return undefined;
    const own = Regression.startingFrom(kind.regression);
    this.known.set(id, own);
    return own;
  }
}
