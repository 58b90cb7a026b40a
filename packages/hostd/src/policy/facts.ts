import type { Kind, Micros, SignalName } from '@prewake/sdk/protocol';

/** Who pays: every bucket on the way from the host down to the session's cgroup. */
export interface Payer {
  /** uid. */
  user: number;
  /** cgroup path as in /proc/PID/cgroup, v2 where there is one. */
  cgroup: string;
}

/** What is known of a wait at its start. */
export interface WaitFact {
  /** Unique in this hostd: `<session>/<wait>`, or the trace's row. */
  wait: string;
  session: string;
  payer: Payer;
  kind: Kind;
  key: string;
  at: Micros;
  deadline?: Micros | undefined;
  inputTokens?: number | undefined;
  stream?: boolean | undefined;
}

export interface SignalFact {
  wait: string;
  signal: SignalName;
  at: Micros;
  deadline?: Micros | undefined;
}

export interface WaitEndFact {
  wait: string;
  at: Micros;
  cancelled?: boolean | undefined;
  /** A window of it was open then; absent: as planned. */
  armed?: boolean | undefined;
  /** How much of it was armed, where the budget refused a part of what was planned; absent: as planned. */
  heldUs?: Micros | undefined;
}

/** What a wakeup cost, for the planner's measured benefit. */
export interface WakeupCost {
  wait: string;
  /** Waking → first instruction, nanoseconds. */
  ns: number;
  /** Whether a guard was armed on the CPU on which it woke. */
  covered: boolean;
  cpu: number;
}

/** One interval in which guards shall be armed, in microseconds from the wait's start. */
export interface PlannedWindow {
  arm: Micros;
  /** Infinity: open until the wakeup. */
  disarm: Micros;
}

export type PlanReason =
  | 'predicted'
  | 'deadline'
  | 'stream'
  | 'dispersed' // too widely spread to be worth it at this price
  | 'no_benefit' // measured: indistinguishable from zero
  | 'holdout' // left unarmed at random, to keep the benefit honest
  | 'retry'; // tried again now and then

export interface Plan {
  wait: string;
  /** Ascending, disjoint. Empty: nothing is armed, and `reason` says why. */
  windows: readonly PlannedWindow[];
  reason: PlanReason;
}
