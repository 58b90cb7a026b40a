/** What may change while the guards are there. */
export interface GuardSettings {
  /** Part of a CPU's highest frequency that frequency guards ask for, 0–1. */
  capacity: number;
}

/** The uclamp.min of `frequency.task`, 0–1024; odd, so that nobody else asks for the very same. */
export function utilClamp({ capacity }: GuardSettings): number {
  return Math.min(1023, Math.round(capacity * 512) * 2 + 1);
}
