import { decodeCounts, encodeCounts } from '../encoding.ts';
import { newClass, newKind } from './classes.ts';
import { isSessionKey, kindWide, OWNER, ownerOf } from './contexts.ts';
import { FEATURES } from './features.ts';
import { BINS } from './grid.ts';
import { type Density, type Histogram, logHazards, newDensity } from './histogram.ts';
import type { SavedWeights } from './mixture.ts';
import { classDensity, contextDeviation, EXPERTS, type Predictor, refreshKind } from './predictor.ts';
import { Regression, type SavedRegression } from './regression.ts';

/** A histogram: total, events, mean, variance, largest count, counts as text. */
export type SavedHistogram = [number, number, number, number, number, string];

export interface SavedPredictor {
  /** The grid that the counts lie on: another one is another format. */
  bins: number;
  experts: number;
  nextId: number;
  kinds: {
    id: number;
    name: string;
    histogram: SavedHistogram;
    weights: SavedWeights;
    regression: SavedRegression;
  }[];
  classes: {
    id: number;
    kind: string;
    key: string;
    histogram: SavedHistogram;
    weights: SavedWeights;
    meanLog: number | null;
  }[];
  /** Of classes that have one of their own, by id. */
  regressions: [number, SavedRegression][];
  corrections: [number, number[]][];
  contexts: [number, SavedHistogram][];
  /** Contexts that came once, and the bin of their wait. */
  once: [number, number][];
}

/** All that outlives sessions. */
export function savePredictor(predictor: Predictor): SavedPredictor {
  return {
    bins: BINS,
    experts: EXPERTS,
    nextId: predictor.nextId,
    kinds: [...predictor.kinds.values()].map(({ id, name, histogram, weights, regression }) => ({
      id,
      name,
      histogram: saveHistogram(histogram),
      weights: weights.save(),
      regression: saveRegression(regression),
    })),
    classes: [...predictor.classes.values()].map(({ id, kind, key, histogram, weights, meanLog }) => ({
      id,
      kind,
      key,
      histogram: saveHistogram(histogram),
      weights: weights.save(),
      meanLog: Number.isNaN(meanLog) ? null : meanLog,
    })),
    regressions: [...predictor.regressions.known.entries()].map(([id, own]) => [id, saveRegression(own)]),
    corrections: predictor.corrections.save(),
    contexts: [...predictor.slots.entries()]
      .filter(([key]) => !isSessionKey(key))
      .map(([key, slot]) => [key, saveHistogram(slot.histogram)]),
    once: [...predictor.slots.once()].filter(([key]) => !isSessionKey(key)),
  };
}

/**
 * Takes up what was saved into a new predictor.
 * @throws RangeError, TypeError where it is not what was saved
 */
export function restorePredictor(predictor: Predictor, saved: SavedPredictor): void {
  if (saved.bins !== BINS || saved.experts !== EXPERTS) throw new RangeError('another grid');
  predictor.nextId = id(saved.nextId);
  const kinds = new Map<number, Density>();
  const kindsByName = new Map<string, Density>();
  for (const entry of saved.kinds) {
    const kind = newKind(id(entry.id), text(entry.name), EXPERTS, FEATURES);
    restoreHistogram(kind.histogram, entry.histogram);
    kind.weights.restore(entry.weights);
    restoreRegression(kind.regression, entry.regression);
    refreshKind(kind);
    kinds.set(kind.id, kind.density);
    kindsByName.set(kind.name, kind.density);
    predictor.kinds.set(kind.name, kind);
  }
  const classes = new Map<number, Density>();
  for (const entry of saved.classes) {
    const cls = newClass(id(entry.id), text(entry.kind), text(entry.key), EXPERTS, predictor.rows);
    restoreHistogram(cls.histogram, entry.histogram);
    cls.weights.restore(entry.weights);
    cls.meanLog = entry.meanLog === null ? Number.NaN : finite(entry.meanLog);
    const density = classDensity(cls, kindsByName.get(cls.kind), newDensity());
    logHazards(density, cls.logHazards);
    classes.set(cls.id, density);
    predictor.classes.set(`${cls.kind}\0${cls.key}`, cls);
  }
  for (const [id, regression] of saved.regressions) {
    // Its class has been forgotten.
    if (!classes.has(integer(id))) continue;
    const own = new Regression(FEATURES);
    restoreRegression(own, regression);
    predictor.regressions.known.set(id, own);
  }
  predictor.corrections.restore(saved.corrections);
  for (const [key, histogram] of saved.contexts) {
    const parent = (kindWide(integer(key)) ? kinds : classes).get(ownerOf(key));
    // Its class has been forgotten: what differs from it means nothing.
    if (!parent) continue;
    const slot = predictor.slots.create();
    restoreHistogram(slot.histogram, histogram);
    contextDeviation(slot, parent);
    predictor.slots.set(key, slot);
  }
  for (const [key, bin] of saved.once) {
    if (integer(bin) > BINS) throw new RangeError(`no bin ${bin}`);
    predictor.slots.first(integer(key), bin);
  }
}

function saveHistogram(histogram: Histogram): SavedHistogram {
  const { max, data } = encodeCounts(histogram.counts);
  return [histogram.total, histogram.events, histogram.mean, histogram.variance, max, data];
}

function saveRegression(regression: Regression): SavedRegression {
  return { ...regression.save(), errors: saveHistogram(regression.errors) };
}

function restoreRegression(regression: Regression, saved: SavedRegression): void {
  restoreHistogram(regression.errors, saved.errors as SavedHistogram);
  regression.restore(saved);
}

function restoreHistogram(histogram: Histogram, saved: SavedHistogram): void {
  const [total, events, mean, variance, max, data] = saved;
  const numbers = [total, events, mean, variance, max].map(finite);
  if (numbers.some((number) => number < 0)) throw new RangeError('a count below zero');
  integer(events);
  histogram.restoreCounts(decodeCounts(max, text(data), BINS + 1));
  histogram.restore({ total, events, mean, variance });
}

export function finite(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new TypeError(`${value} is no number`);
  return value;
}

function integer(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new TypeError(`${value} is no id`);
  return value as number;
}

function id(value: unknown): number {
  if (integer(value) >= OWNER) throw new RangeError(`${value} is no id`);
  return value as number;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('no text');
  return value;
}
