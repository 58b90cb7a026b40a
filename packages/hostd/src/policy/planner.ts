import type { Micros } from '@prewake/sdk/protocol';
import type { PlannedWindow } from './facts.ts';
import { BINS, edge } from './grid.ts';

export interface WindowLimits {
  /** Windows open this long before the time that they are meant for, microseconds. */
  leadUs: Micros;
  maxWindows: number;
}

/**
 * The stretches in which a wakeup's hazard is above the price. Armed time is paid only while the wait lasts, so
 * each stretch is worth it or not by its hazard alone, and a wait may have several windows.
 *
 * @param hazards wakeups per microsecond in each bin, given that the wait has lasted so long
 * @param price wakeups that an armed microsecond must promise
 */
export function planWindows(hazards: Float64Array, price: number, limits: WindowLimits): PlannedWindow[] {
  const windows: PlannedWindow[] = [];
  for (let bin = 0; bin < BINS; bin++) {
    if (!((hazards[bin] as number) > price)) continue;
    const first = bin;
    while (bin + 1 < BINS && (hazards[bin + 1] as number) > price) bin++;
    const arm = Math.max(0, edge(first) - limits.leadUs);
    const last = windows.at(-1);
    // Two windows closer than the lead are one.
    if (last && arm <= last.disarm) last.disarm = edge(bin + 1);
    else windows.push({ arm, disarm: edge(bin + 1) });
  }
  while (windows.length > limits.maxWindows) mergeClosest(windows);
  return windows;
}

function mergeClosest(windows: PlannedWindow[]): void {
  let best = 1;
  const gap = (i: number) => (windows[i] as PlannedWindow).arm - (windows[i - 1] as PlannedWindow).disarm;
  for (let i = 2; i < windows.length; i++) if (gap(i) < gap(best)) best = i;
  const [next] = windows.splice(best, 1);
  (windows[best - 1] as PlannedWindow).disarm = (next as PlannedWindow).disarm;
}
