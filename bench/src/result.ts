import type { Interval } from './statistics.ts';

/** One measured figure. */
export interface Figure {
  /** What was measured, in words that stand alone in a table. */
  what: string;
  unit: string;
  value: number;
  /** 95 % bootstrap interval, where the figure is a statistic of samples. */
  interval?: { low: number; high: number };
  samples?: number;
  /** What was aimed at; met unless the whole interval is worse. */
  aim?: Aim;
}

export interface Aim {
  /** The figure shall be at most, or at least, this. */
  limit: number;
  direction: 'at most' | 'at least';
}

export interface BenchResult {
  name: string;
  title: string;
  figures: Figure[];
  /** What the figures do not show. */
  caveats: string[];
}

/** Environment of a run: figures of different machines are not compared. */
export interface RunInfo {
  date: string;
  node: string;
  kernel: string;
  cpu: string;
  cpus: number;
  quick: boolean;
}

export interface BenchOptions {
  /** Fewer rounds: shows that a benchmark runs, and is no measurement. */
  quick: boolean;
  progress: (line: string) => void;
}

export interface Bench {
  name: string;
  title: string;
  /** About how long a full run takes, seconds. */
  seconds: number;
  run(options: BenchOptions): Promise<BenchResult>;
}

export type Verdict = 'met' | 'missed' | undefined;

/** An aim is missed when the whole interval is worse than its limit. */
export function verdict({ value, interval, aim }: Figure): Verdict {
  if (!aim) return undefined;
  if (!Number.isFinite(value)) return 'missed';
  const bound = aim.direction === 'at most' ? interval?.low : interval?.high;
  const best = bound !== undefined && Number.isFinite(bound) ? bound : value;
  return (aim.direction === 'at most' ? best <= aim.limit : best >= aim.limit) ? 'met' : 'missed';
}

/** A figure from a bootstrapped statistic. */
export function figureOf(what: string, unit: string, interval: Interval, samples: number, aim?: Aim): Figure {
  return {
    what,
    unit,
    value: interval.estimate,
    interval: { low: interval.low, high: interval.high },
    samples,
    ...(aim && { aim }),
  };
}
