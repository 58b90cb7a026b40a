import type { Micros } from '@prewake/sdk/protocol';
import type { PlannedWindow } from '../facts.ts';

/** Timers are late by about a thousandth of their length, and a poll by a little more. */
const LATE_PART = 0.002;
const LATE_US = 2000;

/** The window of a known end, or undefined where it is none: absent, not a number, or before the wait. */
export function deadlineWindow(
  at: Micros,
  deadline: Micros | undefined,
  leadUs: Micros,
): PlannedWindow | undefined {
  if (deadline === undefined || !Number.isFinite(deadline) || !(deadline >= at)) return undefined;
  const end = deadline - at;
  return { arm: Math.max(0, end - leadUs), disarm: end + LATE_US + end * LATE_PART };
}
