import type { Micros } from '@prewake/sdk/protocol';
import type { PlannedWindow } from '../facts.ts';
import { BINS, edge } from '../predict/grid.ts';

export interface WindowLimits {
  /** Windows open this long before the time that they are meant for, microseconds. */
  leadUs: Micros;
  maxWindows: number;
}

/**
 * The stretches in which a wakeup's hazard is above the price. Armed time is paid only while the wait lasts, so
 * each stretch is worth it or not by its hazard alone, and a wait may have several windows.
 *
 * @param logHazards log of wakeups per microsecond in each bin, given that the wait has lasted so long
 * @param logPrice log of the wakeups that an armed microsecond must promise
 */
export function planWindows(
  logHazards: Float64Array,
  logPrice: number,
  limits: WindowLimits,
): PlannedWindow[] {
  const windows: PlannedWindow[] = [];
  for (let bin = 0; bin < BINS; bin++) {
    if (!((logHazards[bin] as number) > logPrice)) continue;
    const first = bin;
    while (bin + 1 < BINS && (logHazards[bin + 1] as number) > logPrice) bin++;
    const arm = Math.max(0, edge(first) - limits.leadUs);
    const last = windows.at(-1);
    // Two windows closer than the lead are one.
    if (last && arm <= last.disarm) last.disarm = edge(bin + 1);
    else windows.push({ arm, disarm: edge(bin + 1) });
  }
  while (windows.length > limits.maxWindows) mergeClosest(windows);
  return windows;
}

/**
 * Cuts windows to what is left to spend: at any time armed time is at most `credit` plus `share` of the time that
 * the wait has lasted. The earlier comes first. Cuts what it is given: nobody else may have it.
 */
export function cutToCredit(windows: PlannedWindow[], credit: Micros, share: number): PlannedWindow[] {
  if (share >= 1) return windows;
  let spent = 0;
  let kept = 0;
  for (const window of windows) {
    const { arm, disarm } = window;
    const longest = (credit + share * arm - spent) / (1 - share);
    // A sliver covers nothing and costs two writes.
    if (!(longest >= Math.min(1000, disarm - arm))) continue;
    window.disarm = Math.min(disarm, arm + longest);
    spent += window.disarm - arm;
    windows[kept++] = window;
  }
  // Kept for as long as the wait lasts: without the room that push() leaves for sixteen more.
  return windows.slice(0, kept);
}

/** Later by `offset`, without what lies before `from`. */
export function shiftWindows(
  windows: readonly PlannedWindow[],
  offset: Micros,
  from: Micros,
): PlannedWindow[] {
  return windows
    .map(({ arm, disarm }) => ({ arm: Math.max(from, arm + offset), disarm: disarm + offset }))
    .filter(({ arm, disarm }) => disarm > arm);
}

/** How much of a wait's first `us` the windows arm. */
export function armedWithin(windows: readonly PlannedWindow[], us: Micros): Micros {
  let sum = 0;
  for (const { arm, disarm } of windows) sum += Math.max(0, Math.min(disarm, us) - arm);
  return sum;
}

/** A window is open at the wakeup, and has been for the lead time or since the wait began. */
export function isCovered(windows: readonly PlannedWindow[], waitUs: Micros, leadUs: Micros): boolean {
  return windows.some(({ arm, disarm }) => (arm === 0 || waitUs >= arm + leadUs) && waitUs < disarm);
}

function mergeClosest(windows: PlannedWindow[]): void {
  let best = 1;
  const gap = (i: number) => (windows[i] as PlannedWindow).arm - (windows[i - 1] as PlannedWindow).disarm;
  for (let i = 2; i < windows.length; i++) if (gap(i) < gap(best)) best = i;
  const [next] = windows.splice(best, 1);
  (windows[best - 1] as PlannedWindow).disarm = (next as PlannedWindow).disarm;
}
