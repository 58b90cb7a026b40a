import type { Kind, Micros } from '@prewake/sdk/protocol';
import { Recents } from '../recents.ts';
import { type ClassStats, type KindStats, newClass, newKind } from './classes.ts';
import { CONTEXTS, type ContextKeys, contextKeys, kindWide } from './contexts.ts';
import { dueAt } from './due.ts';
import { FEATURES, features } from './features.ts';
import { BINS, binOf, EDGES, WIDTHS } from './grid.ts';
import { logHazards, UNIFORM } from './histogram.ts';
import { SessionHistory } from './session-history.ts';
import { type Slot, SlotTable } from './slots.ts';

/** What older observations weigh after a new one. */
const DECAY = 0.997;
const SESSION_DECAY = 0.9;
/** Observations that what is backed off to is worth. */
const KIND_STRENGTH = 2;
const CLASS_STRENGTH = 8;
const CONTEXT_STRENGTH = 2;

const SESSION_CONTEXT = CONTEXTS.indexOf('session');
const REGRESSION = CONTEXTS.length;
const EXPERTS = CONTEXTS.length + 1;
const MAX_KINDS = 256;
const MAX_ID = 2 ** 20 - 1;
const MAX_SESSION_ID = 2 ** 24 - 1;

/** One wait as it was at its start: all that its prediction needs, and learns from when it ends. */
export interface Prediction {
  readonly kind: KindStats;
  readonly cls: ClassStats;
  readonly history: SessionHistory;
  readonly keys: ContextKeys;
  readonly features: readonly number[];
  readonly tokens: number;
  /** The class's mean length then, log2 of microseconds; NaN before its first wait. */
  readonly meanLog: number;
}

export interface PredictorLimits {
  maxClasses: number;
  maxSessions: number;
}

const NOTHING = new Float64Array(BINS + 1);
logHazards(UNIFORM, NOTHING);

/** Predicts the waits of one user from the user's own past. */
export class Predictor {
  readonly kinds = new Recents<string, KindStats>(MAX_KINDS);
  readonly classes: Recents<string, ClassStats>;
  readonly slots: SlotTable;
  nextId = 1;
  #sessions: Recents<string, SessionHistory>;
  #sessionIds = 0;
  #classDensity = new Float64Array(BINS + 1);
  #regression = new Float64Array(BINS + 1);
  /** Log hazards of the experts of the last prediction; undefined: has nothing to say. */
  #experts: (Float32Array | undefined)[] = new Array(CONTEXTS.length).fill(undefined);
  #regressed = false;
  #hazards = new Float64Array(BINS + 1);

  constructor(limits: PredictorLimits) {
    this.classes = new Recents(limits.maxClasses);
    this.slots = new SlotTable(limits.maxClasses);
    this.#sessions = new Recents(limits.maxSessions);
  }

  /** Looks up all that a wait of this class in this session is predicted from. */
  start(session: string, kindName: Kind, key: string, inputTokens: number | undefined): Prediction {
    const kind = this.#kind(kindName);
    const cls = this.#class(kindName, key);
    const history = this.#history(session);
    const tokens =
      inputTokens !== undefined && inputTokens > 0 && inputTokens < 1e12 ? inputTokens : Number.NaN;
    const ids = { classId: cls.id, kindId: kind.id, family: cls.family, sessionId: history.id, tokens };
    const mean = Number.isNaN(cls.meanLog) ? 19 : cls.meanLog;
    return {
      kind,
      cls,
      history,
      keys: contextKeys(ids, history),
      features: features(history, ids, mean),
      tokens,
      meanLog: cls.meanLog,
    };
  }

  /** Writes log hazards: wakeups per microsecond in each bin, given that the wait has lasted so long. */
  predict(prediction: Prediction, out: Float64Array): void {
    const { kind, cls, keys } = prediction;
    const base = this.#base(prediction);
    const common = kind.weights.values;
    const own = cls.weights.values;
    this.#regressed = kind.regression.deviation(prediction.features, base, this.#regression);
    const ofRegression = this.#regressed ? (common[REGRESSION] as number) + (own[REGRESSION] as number) : 0;
    // What the weights leave over is the class's; written with the regression, then each expert is added.
    let left = 1;
    for (let e = 0; e < keys.length; e++) {
      const key = keys[e] as number;
      const slot = Number.isNaN(key) ? undefined : this.slots.use(key);
      if (slot?.pending) this.#writePending(slot, prediction, kindWide(key));
      const expert = slot && slot.histogram.events > 0 ? slot.logHazards : undefined;
      this.#experts[e] = expert;
      if (expert) left -= (common[e] as number) + (own[e] as number);
    }
    const regression = this.#regression;
    for (let b = 0; b < BINS; b++) {
      out[b] = left * (base[b] as number) + ofRegression * (regression[b] as number);
    }
    for (let e = 0; e < keys.length; e++) {
      const expert = this.#experts[e];
      if (expert) add(out, expert, (common[e] as number) + (own[e] as number));
    }
  }

  /** The wait has ended after `us`: learns from it. Writes what was predicted with today's knowledge to `out`. */
  learn(prediction: Prediction, us: Micros, out: Float64Array): void {
    const bin = binOf(us);
    this.predict(prediction, out);
    this.#learnWeights(prediction, us, bin, out);
    this.#learnContexts(prediction, bin);
    const { kind, cls } = prediction;
    const log = Math.log2(Math.max(1, us));
    kind.regression.learn(prediction.features, us);
    cls.meanLog = Number.isNaN(cls.meanLog)
      ? log
      : cls.meanLog + (log - cls.meanLog) * Math.max(0.01, 1 / (cls.histogram.events + 1));
  }

  /** The session's history takes the wait up. Apart from `learn`, as parts of a wait are learned too. */
  note({ kind, cls, history, tokens, meanLog }: Prediction, us: Micros): void {
    const octavesOff = Math.log2(Math.max(1, us)) - meanLog;
    history.note({
      classId: cls.id,
      kindId: kind.id,
      family: cls.family,
      us,
      tokens,
      octavesOff: Number.isNaN(octavesOff) ? 0 : octavesOff,
    });
  }

  endSession(session: string): void {
    const history = this.#sessions.peek(session);
    if (!history) return;
    for (const slot of history.own) this.slots.delete(slot);
    this.#sessions.delete(session);
  }

  #writePending(slot: Slot, { kind, cls }: Prediction, wide: boolean): void {
    slot.pending = false;
    contextHazards(slot, wide ? kind.density : classDensity(cls, kind.density, this.#classDensity));
  }

  #base({ kind, cls }: Prediction): Float32Array | Float64Array {
    if (cls.histogram.events > 0) return cls.logHazards;
    return kind.histogram.events > 0 ? kind.logHazards : NOTHING;
  }

  #learnWeights(prediction: Prediction, us: Micros, bin: number, predicted: Float64Array): void {
    const base = this.#base(prediction);
    const last = Math.min(bin, BINS - 1);
    // Expected wakeups in each bin that the wait went through, as predicted.
    const expected = this.#hazards;
    for (let b = 0; b <= last; b++) {
      const time = b === bin ? us - (EDGES[b] as number) : (WIDTHS[b] as number);
      expected[b] = Math.exp(predicted[b] as number) * time;
    }
    for (let e = 0; e < EXPERTS; e++) {
      const expert = this.#experts[e];
      if (e === REGRESSION ? !this.#regressed : !expert) continue;
      let gradient = 0;
      for (let b = 0; b <= last; b++) {
        const off = expert ? (expert[b] as number) - (base[b] as number) : (this.#regression[b] as number);
        gradient += ((b === bin ? 1 : 0) - (expected[b] as number)) * off;
      }
      prediction.kind.weights.learn(e, gradient);
      prediction.cls.weights.learn(e, gradient);
    }
  }

  #learnContexts({ kind, cls, keys, history }: Prediction, bin: number): void {
    kind.histogram.add(bin, DECAY);
    if (dueAt(kind.histogram.events)) refreshKind(kind);
    const ofKind = kind.density;
    cls.histogram.add(bin, DECAY);
    const ofClass = classDensity(cls, ofKind, this.#classDensity);
    logHazards(ofClass, cls.logHazards);
    for (let e = 0; e < keys.length; e++) {
      const key = keys[e] as number;
      if (Number.isNaN(key)) continue;
      const slot = this.slots.obtain(key);
      slot.histogram.add(bin, e === SESSION_CONTEXT ? SESSION_DECAY : DECAY);
      slot.pending = slot.histogram.events === 1;
      if (!slot.pending) contextHazards(slot, kindWide(key) ? ofKind : ofClass);
      if (e !== SESSION_CONTEXT) continue;
      const surplus = history.claim(key);
      if (surplus !== undefined) this.slots.delete(surplus);
    }
  }

  #kind(name: Kind): KindStats {
    const known = this.kinds.use(name);
    if (known) return known;
    const kind = newKind(this.#id(), name, EXPERTS, FEATURES);
    this.kinds.set(name, kind);
    return kind;
  }

  #class(kind: Kind, key: string): ClassStats {
    const name = `${kind}\0${key}`;
    const known = this.classes.use(name);
    if (known) return known;
    const cls = newClass(this.#id(), kind, key, EXPERTS);
    this.classes.set(name, cls);
    return cls;
  }

  #history(session: string): SessionHistory {
    const known = this.#sessions.use(session);
    if (known) return known;
    this.#sessionIds = (this.#sessionIds % MAX_SESSION_ID) + 1;
    const history = new SessionHistory(this.#sessionIds);
    const forgotten = this.#sessions.set(session, history);
    for (const slot of forgotten?.own ?? []) this.slots.delete(slot);
    return history;
  }

  /** Ids come round after a million classes: then an old context may be mistaken for a new one, and is unlearned. */
  #id(): number {
    const id = this.nextId;
    this.nextId = (id % MAX_ID) + 1;
    return id;
  }
}

/** Brings a kind's density and log hazards up to date, backed off to none. */
export function refreshKind(kind: KindStats): void {
  kind.histogram.density(UNIFORM, KIND_STRENGTH, kind.density);
  logHazards(kind.density, kind.logHazards);
}

/** A class's density, backed off to its kind's. */
export function classDensity(
  cls: ClassStats,
  ofKind: Float64Array | undefined,
  out: Float64Array,
): Float64Array {
  cls.histogram.density(ofKind ?? UNIFORM, CLASS_STRENGTH, out);
  return out;
}

function add(out: Float64Array, expert: Float32Array, weight: number): void {
  for (let b = 0; b < BINS; b++) out[b] = (out[b] as number) + weight * (expert[b] as number);
}

/** Brings a context's log hazards up to date, backed off to `parent`. */
export function contextHazards(slot: Slot, parent: Float64Array): void {
  slot.histogram.logHazards(parent, CONTEXT_STRENGTH, slot.logHazards);
}
