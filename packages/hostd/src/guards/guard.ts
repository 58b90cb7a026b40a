/**
 * A guard: one kernel control that hostd can hold for a window. Arming is always lease → arbitration → one
 * write: for each target the controller keeps all leases and writes the strictest; it never writes per session.
 */

/** What a control is set on. */
export type Target =
  | { type: 'host' }
  | { type: 'cpu'; cpu: number }
  | { type: 'idle_state'; cpu: number; state: number }
  | { type: 'policy'; policy: number }
  /** A task is its tid and start time (field 22 of /proc/PID/stat): tids are reused. */
  | { type: 'task'; tgid: number; tid: number; startTime: string };

export type GuardId =
  | 'idle.cpu' // cpuN/power/pm_qos_resume_latency_us
  | 'idle.global' // /dev/cpu_dma_latency
  | 'idle.state' // cpuidle/stateN/disable
  | 'frequency.task' // uclamp.min
  | 'frequency.policy' // scaling_min_freq
  | 'frequency.preference' // energy_performance_preference
  | 'scheduler.slice' // EEVDF slice, else nice
  | 'timer.slack' // /proc/PID/timerslack_ns
  | 'placement'; // CPU affinity hint

export interface Availability {
  guard: GuardId;
  available: boolean;
  /** Chosen for this machine. At most one idle and one frequency guard are. */
  chosen: boolean;
  /** Why it is (not) available or chosen, in a sentence. */
  reason: string;
  /** Why it is not chosen unless the configuration names it, although it is available. */
  discouraged?: string;
}

/**
 * One kind of control. Values are strings as the kernel reads and writes them. `write` is the only place that
 * changes the machine, and is called by the lease controller alone, after the journal has its intent.
 */
export interface Guard {
  readonly id: GuardId;
  probe(): Availability;
  /** The targets that must be held so that `cpu` (or the task) is guarded: a shared policy, core siblings. */
  targets(window: WindowRequest): Target[];
  /** The value wanted for this window on this target. */
  wanted(target: Target, window: WindowRequest): string;
  /**
   * The strictest of wanted values, given the value found before the first lease, and the one written since (the
   * original while there was nothing to write).
   */
  strictest(target: Target, wanted: readonly string[], original: string, written: string): string;
  /** What is in force, or will be as soon as the kernel has applied our last write: see {@link pending}. */
  read(target: Target): string;
  write(target: Target, value: string): void;
  /**
   * Whether the kernel has not applied our last write yet, as far as the last {@link read} could tell. Only controls
   * whose writes take effect after write(2) has returned have it.
   */
  pending?(target: Target): boolean;
  /** Makes a CPU that already sleeps see the new value. No-op where the kernel does it. */
  kick(target: Target): void;
  /**
   * Whether `readNow` is what our write of `written` may have become (rounding, clamping) rather than a foreign
   * writer's. `readBackThen` is undefined where the write's read-back was never recorded (a crash in between).
   */
  isOurs(target: Target, written: string, readBackThen: string | undefined, readNow: string): boolean;
  /**
   * Cost of one armed millisecond of `wanted` on this target: depth × capacity, 1 = one CPU held out of its deepest
   * state.
   */
  weight(target: Target, wanted: string): number;
  /**
   * Puts the original value back in what inherited ours from the target meanwhile (children of a task), but for
   * targets that are `claimed` themselves: they have an original of their own. Only task guards have it.
   */
  restoreHeirs?(target: Target, written: string, original: string, claimed: Iterable<Target>): number;
  /** What the control does on this target, by effect: counters and current values, not the control itself. */
  effect?(target: Target): Effect;
  /** Whether the effect of `value` shows between two looks, and what was seen, in a sentence. */
  judge?(target: Target, value: string, before: Effect, after: Effect): Judgement;
  close?(): void;
}

/** Named counters and values of one target at one instant (`POLL.usage`, `khz`). */
export type Effect = Readonly<Record<string, number>>;

export interface Judgement {
  /** Undefined: nothing happened that would show it. */
  works: boolean | undefined;
  /** In a sentence. */
  seen: string;
}

/** What a latency window asks for. */
export interface WindowRequest {
  /** Session id: the owner of every lease taken. */
  owner: string;
  /** A word and the wait: `predicted s1/42`. Shown in /v1/leases. */
  reason: string;
  cpus: readonly number[];
  tasks: readonly { tgid: number; tid: number; startTime: string }[];
  /** The deepest exit latency wanted, microseconds. */
  latencyUs: number;
  /** A CPU on which one of the tasks runs just now: it looks at its limit when it goes to sleep, and need not be told. */
  awake?: number | undefined;
  /** CLOCK_MONOTONIC microseconds. A lease without expiry can't exist. */
  expiresAt: number;
}

export interface LeaseInfo {
  id: number;
  owner: string;
  reason: string;
  guard: GuardId;
  target: Target;
  wanted: string;
  since: number;
  expiresAt: number;
}

/** Taken leases of one window. */
export interface Hold {
  readonly id: number;
  /** Sum over targets of weight: tokens for each armed millisecond. */
  readonly weight: number;
  /** The CPUs that are armed because of it, in the order in which they were asked for. */
  readonly cpus: readonly number[];
}

/** The lease controller. docs/guards.md describes what it promises. */
export interface GuardController {
  readonly availability: readonly Availability[];
  /** Tokens for each armed millisecond that `arm` would cost. */
  price(window: WindowRequest): number;
  /** What it holds of what was asked for: {@link holds} says whether that is anything. */
  arm(window: WindowRequest): Hold;
  /** Whether anything is held because of it, still: its lease may have run out, or have been voided. */
  holds(hold: Hold): boolean;
  extend(hold: Hold, expiresAt: number): void;
  release(hold: Hold): void;
  releaseOwner(owner: string): void;
  releaseAll(): void;
  leases(): LeaseInfo[];
  onEvent: ((event: GuardEvent) => void) | undefined;
  close(): void;
}

export type GuardEvent =
  | { type: 'armed' | 'released'; guard: GuardId; target: Target; value: string; at: number }
  | { type: 'foreign_writer'; guard: GuardId; target: Target; found: string; ours: string; at: number }
  | { type: 'expired'; owner: string; reason: string; at: number }
  /**
   * All leases were dropped at once: the guardian or `prewake restore` restored, a suspend, hotplug or driver change, a
   * guardian that does not listen.
   */
  | {
      type: 'void';
      reason: 'restored' | 'suspend' | 'machine' | 'guardian';
      at: number;
      /** By when they had been let go: `at`, or sooner where a hostd that did not answer learns of it afterwards. */
      by: number;
    }
  /** The guardian died and is being started again (`down`), or is there (`ready`). Nothing is armed without it. */
  | { type: 'guardian'; state: 'ready' | 'down'; at: number }
  | { type: 'failed'; guard: GuardId; target: Target; code: string; message: string; at: number };
