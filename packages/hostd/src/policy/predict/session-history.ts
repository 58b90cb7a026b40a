import type { Micros } from '@prewake/sdk/protocol';

/** Classes that a session remembers the last durations of. */
const MAX_CLASSES = 64;
/** Contexts of its own that a session may leave in the table, so that its end removes them. */
const MAX_OWN = 256;

/** The last waits of one class in one session, as log2 of microseconds, newest first. */
export type Recent = number[];

/** One session's own recent waits. */
export class SessionHistory {
  readonly id: number;
  waits = 0;
  /** Class, family and kind of the last wait and the family before it; 0: none. */
  lastClass = 0;
  lastKind = 0;
  lastFamily = 0;
  familyBefore = 0;
  lastUs: Micros = 0;
  /** Its log2. */
  lastLog = 0;
  /** The last wait that named its input tokens. */
  lastTokens = Number.NaN;
  lastTokenWaitUs: Micros = 0;
  /** By kind: how much longer than their class's mean recent waits were, octaves. */
  readonly slowness = new Map<number, number>();
  readonly own = new Set<number>();
  #recent = new Map<number, Recent>();

  constructor(id: number) {
    this.id = id;
  }

  recent(classId: number): Recent | undefined {
    return this.#recent.get(classId);
  }

  /** A wait of the session has ended. */
  note(wait: {
    classId: number;
    kindId: number;
    family: number;
    us: Micros;
    tokens: number;
    octavesOff: number;
  }): void {
    const { classId, kindId, us } = wait;
    this.waits++;
    this.familyBefore = this.lastFamily;
    this.lastFamily = wait.family;
    this.lastClass = classId;
    this.lastKind = kindId;
    this.lastUs = us;
    this.lastLog = us > 0 ? Math.log2(us) : 0;
    if (!Number.isNaN(wait.tokens)) {
      this.lastTokens = wait.tokens;
      this.lastTokenWaitUs = us;
    }
    this.slowness.set(kindId, 0.8 * (this.slowness.get(kindId) ?? 0) + 0.2 * wait.octavesOff);
    if (this.slowness.size > MAX_CLASSES) dropFirst(this.slowness);
    const recent = this.#recent.get(classId) ?? [];
    recent.unshift(Math.log2(Math.max(1, us)));
    if (recent.length > 4) recent.pop();
    this.#recent.delete(classId);
    this.#recent.set(classId, recent);
    if (this.#recent.size > MAX_CLASSES) dropFirst(this.#recent);
  }

  /** Remembers a context that only this session has. Returns one to drop where there are too many. */
  claim(slot: number): number | undefined {
    if (this.own.has(slot)) return undefined;
    this.own.add(slot);
    if (this.own.size <= MAX_OWN) return undefined;
    const [oldest] = this.own;
    this.own.delete(oldest as number);
    return oldest;
  }
}

function dropFirst(map: Map<number, unknown>): void {
  map.delete(map.keys().next().value as number);
}
