/** What may change while the guards are there. */
export interface GuardSettings {
  /** Part of a CPU's highest frequency that frequency guards ask for, 0–1. */
  capacity: number;
}
