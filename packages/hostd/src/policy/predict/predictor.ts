import type { Kind, Micros } from '@prewake/sdk/protocol';
import { Recents } from '../recents.ts';
import { blur } from './blur.ts';
import { type ClassStats, classRows, type KindStats, newClass, newKind } from './classes.ts';
import {
  CONTEXTS,
  type ContextKeys,
  contextKeys,
  correctionKeys,
  FIRST_WIDE,
  OWNER,
  VALUE,
} from './contexts.ts';
import { type CorrectionKeys, Corrections } from './corrections.ts';
import { dueAt } from './due.ts';
import { FEATURES, features } from './features.ts';
import { BINS, binOf, EDGES, WIDTHS } from './grid.ts';
import { type Density, invert, logHazards, newDensity, STEP, UNIFORM } from './histogram.ts';
import { OwnRegressions } from './own-regressions.ts';
import type { Rows } from './rows.ts';
import { SessionHistory } from './session-history.ts';
import { type Slot, SlotTable } from './slots.ts';

/** What older observations weigh after a new one. */
const DECAY = 0.997;
const SESSION_DECAY = 0.9;
/** Observations that what is backed off to is worth. */
const KIND_STRENGTH = 2;
const CLASS_STRENGTH = 8;
const CONTEXT_STRENGTH = 1.5;

/** From so many waits on, one in SAMPLED is compared with what was predicted. */
const WELL_KNOWN_KIND = 1000;
const WELL_KNOWN_CLASS = 200;
const SAMPLED = 4;

const SESSION_CONTEXT = CONTEXTS.indexOf('session');
const REGRESSION = CONTEXTS.length;
const BLUR = CONTEXTS.length + 1;
/** Contexts, regression and blur. */
export const EXPERTS: number = CONTEXTS.length + 2;
const MAX_KINDS = 256;
/** All for which context keys have room. */
const MAX_ID = OWNER - 1;
const MAX_SESSION_ID = VALUE - 1;

/** One wait as it was at its start: all that its prediction needs, and learns from when it ends. */
export interface Prediction {
  readonly kind: KindStats;
  readonly cls: ClassStats;
  readonly history: SessionHistory;
  readonly keys: ContextKeys;
  readonly corrections: CorrectionKeys;
  readonly features: readonly number[];
  readonly tokens: number;
  /** The class's mean length then, log2 of microseconds; NaN before its first wait. */
  readonly meanLog: number;
}

export interface PredictorLimits {
  maxClasses: number;
  maxSessions: number;
}

const NOTHING = new Float32Array(BINS + 1);
logHazards(newDensity(), NOTHING);

/** Predicts the waits of one user from the user's own past. */
export class Predictor {
  readonly kinds = new Recents<string, KindStats>(MAX_KINDS);
  readonly classes: Recents<string, ClassStats>;
  readonly slots: SlotTable;
  readonly regressions = new OwnRegressions();
  readonly corrections = new Corrections();
  readonly rows: Rows = classRows(EXPERTS);
  nextId = 1;
  #random = 1;
  #sessions: Recents<string, SessionHistory>;
  #sessionIds = 0;
  #classDensity = newDensity();
  #regression = new Float64Array(BINS + 1);
  /** The experts of the last prediction; undefined: has nothing to say. */
  #experts: (Slot | undefined)[] = new Array(CONTEXTS.length).fill(undefined);
  #regressed = false;
  #blur = new Float64Array(BINS + 1);
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
    const recent = history.recent(cls.id);
    return {
      kind,
      cls,
      history,
      keys: contextKeys(ids, history, recent),
      corrections: correctionKeys(ids, history),
      features: features(history, recent, ids, mean),
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
    const regression = this.regressions.of(cls, kind);
    this.#regressed = regression.deviation(prediction.features, base, this.#regression);
    const ofRegression = this.#regressed ? (common[REGRESSION] as number) + (own[REGRESSION] as number) : 0;
    // What a context of the kind says is said of the kind: with it comes how the kind differs from the class.
    let ofKind = 0;
    for (let e = 0; e < keys.length; e++) {
      const key = keys[e] as number;
      const slot = Number.isNaN(key) ? undefined : (this.slots.use(key) ?? this.#again(prediction, e, key));
      this.#experts[e] = slot;
      if (slot && e >= FIRST_WIDE) ofKind += (common[e] as number) + (own[e] as number);
    }
    blend(base, kind.logHazards, ofKind, this.#regression, ofRegression, out);
    for (let e = 0; e < keys.length; e++) {
      const slot = this.#experts[e];
      if (slot) add(out, slot, ((common[e] as number) + (own[e] as number)) * STEP);
    }
    blur(out, (common[BLUR] as number) + (own[BLUR] as number), this.#blur);
    this.corrections.apply(prediction.corrections, out);
  }

  /**
   * The wait has ended after `us`: learns from it. Returns for how many such waits it was compared with what is
   * predicted, having written that to `out` with today's knowledge; 0: it was not.
   */
  learn(prediction: Prediction, us: Micros, out: Float64Array): number {
    const bin = binOf(us);
    const times = this.#sample(prediction);
    if (times > 0) {
      this.predict(prediction, out);
      this.#learnWeights(prediction, us, bin, out);
    }
    this.#learnContexts(prediction, bin);
    const { kind, cls } = prediction;
    const log = Math.log2(Math.max(1, us));
    this.regressions.learn(cls, kind, { features: prediction.features, us, always: times > 0 });
    cls.meanLog = Number.isNaN(cls.meanLog)
      ? log
      : cls.meanLog + (log - cls.meanLog) * Math.max(0.01, 1 / (cls.histogram.events + 1));
    return times;
  }

  /**
   * How waits compare with predictions changes slowly, and comparing costs more than all else: where much is known,
   * a few at random stand for all. Of a generator of its own, so that a replay learns alike.
   */
  #sample({ kind, cls }: Prediction): number {
    if (kind.histogram.events < WELL_KNOWN_KIND || cls.histogram.events < WELL_KNOWN_CLASS) return 1;
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    return this.#random < 2 ** 32 / SAMPLED ? SAMPLED : 0;
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

  /** A context that came once is asked for again: from now on it has a slot. */
  #again(prediction: Prediction, expert: number, key: number): Slot | undefined {
    const slot = this.#second(prediction.history, expert, key);
    if (!slot) return undefined;
    const { kind, cls } = prediction;
    const wide = expert >= FIRST_WIDE;
    contextDeviation(slot, wide ? kind.density : classDensity(cls, kind.density, this.#classDensity));
    return slot;
  }

  #second(history: SessionHistory, expert: number, key: number): Slot | undefined {
    const slot = this.slots.second(key, decayOf(expert));
    if (!slot || expert !== SESSION_CONTEXT) return slot;
    const surplus = history.claim(key);
    if (surplus !== undefined) this.slots.delete(surplus);
    return slot;
  }

  #base({ kind, cls }: Prediction): Float32Array {
    if (cls.histogram.events > 0) return cls.logHazards;
    return kind.histogram.events > 0 ? kind.logHazards : NOTHING;
  }

  #learnWeights(prediction: Prediction, us: Micros, bin: number, predicted: Float64Array): void {
    const last = Math.min(bin, BINS - 1);
    // Expected wakeups in each bin that the wait went through, as predicted.
    const expected = this.#hazards;
    for (let b = 0; b <= last; b++) {
      const time = b === bin ? us - (EDGES[b] as number) : (WIDTHS[b] as number);
      expected[b] = Math.exp(predicted[b] as number) * time;
    }
    this.corrections.learn(prediction.corrections, expected, last, bin);
    const base = this.#base(prediction);
    const ofKind = prediction.kind.logHazards;
    let wide = bin < BINS ? (ofKind[bin] as number) - (base[bin] as number) : 0;
    for (let b = 0; b <= last; b++)
      wide -= (expected[b] as number) * ((ofKind[b] as number) - (base[b] as number));
    for (let e = 0; e < EXPERTS; e++) {
      let gradient = e < REGRESSION ? this.#gradientOf(this.#experts[e], bin) : this.#gradientOfAll(e, bin);
      if (gradient === undefined) continue;
      if (e >= FIRST_WIDE && e < REGRESSION) gradient += wide;
      prediction.kind.weights.learn(e, gradient);
      prediction.cls.weights.learn(e, gradient);
    }
  }

  /** Of the log likelihood, by a context's weight: its deviation at the wakeup, less what it was expected to be. */
  #gradientOf(slot: Slot | undefined, bin: number): number | undefined {
    if (!slot) return undefined;
    const { deviation } = slot;
    const { end } = slot.histogram;
    const expected = this.#hazards;
    const last = Math.min(bin + 1, end, BINS);
    let sum = bin < end && bin < BINS ? (deviation[bin] as number) : 0;
    for (let b = 0; b < last; b++) sum -= (expected[b] as number) * (deviation[b] as number);
    return sum * STEP;
  }

  /** The same of an expert that has something to say of every bin. */
  #gradientOfAll(expert: number, bin: number): number | undefined {
    if (expert === REGRESSION && !this.#regressed) return undefined;
    const expected = this.#hazards;
    const deviation = expert === REGRESSION ? this.#regression : this.#blur;
    const last = Math.min(bin + 1, BINS);
    let sum = bin < BINS ? (deviation[bin] as number) : 0;
    for (let b = 0; b < last; b++) sum -= (expected[b] as number) * (deviation[b] as number);
    return sum;
  }

  #learnContexts({ kind, cls, keys, history }: Prediction, bin: number): void {
    kind.histogram.add(bin, DECAY);
    if (dueAt(kind.histogram.events)) refreshKind(kind);
    const ofKind = kind.density;
    cls.histogram.add(bin, DECAY);
    const ofClass = classDensity(cls, ofKind, this.#classDensity);
    if (dueAt(cls.histogram.events)) logHazards(ofClass, cls.logHazards);
    for (let e = 0; e < keys.length; e++) {
      const key = keys[e] as number;
      if (Number.isNaN(key)) continue;
      const slot = this.slots.use(key) ?? this.#second(history, e, key);
      if (!slot) {
        this.slots.first(key, bin);
        continue;
      }
      slot.histogram.add(bin, decayOf(e));
      contextDeviation(slot, e >= FIRST_WIDE ? ofKind : ofClass);
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
    const cls = newClass(this.#id(), kind, key, EXPERTS, this.rows);
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
export function refreshKind({ histogram, density, logHazards: out }: KindStats): void {
  histogram.density(UNIFORM, KIND_STRENGTH, density.density);
  invert(density);
  logHazards(density, out);
}

/** A class's density, backed off to its kind's. */
export function classDensity(cls: ClassStats, ofKind: Density | undefined, out: Density): Density {
  cls.histogram.density(ofKind?.density ?? UNIFORM, CLASS_STRENGTH, out.density);
  invert(out);
  return out;
}

function decayOf(expert: number): number {
  return expert === SESSION_CONTEXT ? SESSION_DECAY : DECAY;
}

/** Writes what lies between two, `part` of the way to the second, and of a third so much on top. */
function blend(
  one: Float32Array,
  other: Float32Array,
  part: number,
  third: Float64Array,
  weight: number,
  out: Float64Array,
): void {
  const rest = 1 - part;
  for (let b = 0; b < BINS; b++)
    out[b] = rest * (one[b] as number) + part * (other[b] as number) + weight * (third[b] as number);
}

function add(out: Float64Array, { deviation, histogram }: Slot, weight: number): void {
  const end = Math.min(BINS, histogram.end);
  for (let b = 0; b < end; b++) out[b] = (out[b] as number) + weight * (deviation[b] as number);
}

/** Brings a context's deviation up to date, from what it is backed off to. */
export function contextDeviation(slot: Slot, parent: Density): void {
  slot.histogram.deviation(parent, CONTEXT_STRENGTH, slot.deviation);
}
