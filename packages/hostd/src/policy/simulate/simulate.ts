import { type Baseline, baselines } from './baselines.ts';
import { CoverageTally } from './coverage.ts';
import { type ReplayOptions, replay } from './replay.ts';
import type { TraceRow } from './trace.ts';

export interface Simulation {
  trace: { waits: number; sessions: number; waitMs: number };
  /** What was asked for. */
  armedShare: number;
  leadMs: number;
  /** Prewake first. */
  policies: Baseline[];
}

/** Replays a trace. `onWindow` gets each window as it is decided: the wait's row from 0, milliseconds from its start. */
export function simulate(
  rows: readonly TraceRow[],
  options: ReplayOptions,
  onWindow?: (wait: number, armMs: number, disarmMs: number) => void,
): Simulation {
  const tally = new CoverageTally(options.leadUs);
  let wait = 0;
  for (const { row, windows } of replay(rows, options)) {
    for (const { arm, disarm } of windows) onWindow?.(wait, arm / 1000, disarm / 1000);
    tally.add(row, windows);
    wait++;
  }
  const prewake = {
    name: 'prewake',
    about: 'learned online, its price adapted online',
    summary: tally.summary(),
  };
  return {
    trace: {
      waits: rows.length,
      sessions: new Set(rows.map(({ session }) => session)).size,
      waitMs: rows.reduce((sum, { waitMs }) => sum + waitMs, 0),
    },
    armedShare: options.armedShare,
    leadMs: options.leadUs / 1000,
    policies: [prewake, ...baselines(rows, options.armedShare, options.leadUs)],
  };
}
