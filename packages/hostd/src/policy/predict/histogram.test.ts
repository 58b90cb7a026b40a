import { describe, expect, it } from 'vitest';
import { BINS, binOf, EDGES, WIDTHS } from './grid.ts';
import {
  Histogram,
  invert,
  logHazards,
  logOf,
  medianOf,
  newDensity,
  SHARP,
  SMOOTH,
  STEP,
  UNIFORM,
} from './histogram.ts';

function filled(us: number, times: number, bandwidth = SHARP): Histogram {
  const histogram = new Histogram(bandwidth);
  for (let i = 0; i < times; i++) histogram.add(binOf(us), 0.997);
  return histogram;
}

describe('grid', () => {
  it('puts every duration into the bin whose edges hold it', () => {
    for (const us of [0, 1, 1999, 2000, 2001, 20_000, 1e6, 60e6, 1e9]) {
      const bin = binOf(us);
      expect(us).toBeGreaterThanOrEqual(EDGES[bin] as number);
      if (bin < BINS) expect(us).toBeLessThan(EDGES[bin + 1] as number);
    }
    expect(binOf(Number.NaN)).toBe(0);
    expect(binOf(1e15)).toBe(BINS);
  });
});

describe('histogram', () => {
  it('has a density that adds up to 1', () => {
    const density = new Float64Array(BINS + 1);
    filled(50_000, 30).density(UNIFORM, 2, density);
    expect(density.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
  });

  it('sharpens with evidence, and a smooth one stays smoother', () => {
    const peak = (histogram: Histogram) => Math.max(...histogram.counts) / histogram.total;
    expect(peak(filled(50_000, 50))).toBeGreaterThan(1.5 * peak(filled(50_000, 1)));
    expect(peak(filled(50_000, 3))).toBeGreaterThan(peak(filled(50_000, 3, SMOOTH)));
  });

  it('knows its median, and none before the first wait', () => {
    expect(medianOf(new Histogram(SHARP))).toBeNaN();
    expect(medianOf(filled(50_000, 20)) / 50_000).toBeGreaterThan(0.8);
    expect(medianOf(filled(50_000, 20)) / 50_000).toBeLessThan(1.25);
  });

  it('forgets all when cleared', () => {
    const histogram = filled(50_000, 20);
    histogram.clear();
    expect(histogram).toEqual(new Histogram(SHARP));
  });

  it('turns a density into hazards that survive it alike', () => {
    const of = newDensity();
    const { density } = of;
    const logs = new Float64Array(BINS + 1);
    filled(300_000, 5).density(UNIFORM, 4, density);
    invert(of);
    logHazards(of, logs);
    let alive = 1;
    let survival = 1;
    for (let b = 0; b < BINS; b++) {
      alive -= density[b] as number;
      survival *= Math.exp(-Math.exp(logs[b] as number) * (WIDTHS[b] as number));
      if (b < binOf(300_000)) expect(survival).toBeCloseTo(alive, 1);
    }
  });

  it('deviates from what it is backed off to as its hazards do, to a step, and not at all beyond its end', () => {
    const parent = newDensity();
    filled(2e6, 20, SMOOTH).density(UNIFORM, 4, parent.density);
    invert(parent);
    const histogram = filled(300_000, 5);
    const own = newDensity();
    histogram.density(parent.density, 2, own.density);
    invert(own);
    const [logs, parentLogs] = [new Float64Array(BINS + 1), new Float64Array(BINS + 1)];
    logHazards(own, logs);
    logHazards(parent, parentLogs);
    const deviation = new Int8Array(BINS);
    histogram.deviation(parent, 2, deviation);
    expect(Math.max(...deviation)).toBeGreaterThan(10);
    for (let b = 0; b < BINS; b++) {
      const off = (logs[b] as number) - (parentLogs[b] as number);
      expect(Math.abs((deviation[b] as number) * STEP - off)).toBeLessThan(STEP);
    }
    expect(histogram.end).toBeLessThan(BINS);
  });

  it('weighs older observations less, however they are kept', () => {
    const histogram = new Histogram(SHARP);
    let total = 0;
    for (let i = 0; i < 500; i++) {
      histogram.add(binOf(i < 400 ? 50_000 : 5e6), 0.9);
      total = total * 0.9 + 1;
    }
    const counts = histogram.counts;
    expect(histogram.total).toBeCloseTo(total, 6);
    expect(counts.reduce((a, b) => a + b)).toBeCloseTo(total, 3);
    expect(counts[binOf(50_000)]).toBeLessThan(0.001);
    expect(medianOf(histogram) / 5e6).toBeGreaterThan(0.8);
  });

  it('takes logarithms to 1e-4', () => {
    for (let x = 1e-15; x < 1e6; x *= 1.37) expect(Math.abs(logOf(x) - Math.log(x))).toBeLessThan(1e-4);
  });
});
