/** Configuration of prediction, planning and budgets: pure data, parsed from YAML elsewhere. */

/** How waits are predicted and windows planned. */
export interface PolicyConfig {
  /** A window opens this long before the time it is meant for: the measured cost of arming. Microseconds. */
  leadUs: number;
  /** Part of all wait time that may be spent armed, 0–1; the planner's price follows it. 1 arms every wait throughout. */
  armedShare: number;
  /** Armed time that a user may spend before any wait has ended, milliseconds. */
  startCreditMs: number;
  /** Windows planned for one wait, at most. */
  maxWindows: number;
  /** An armed wakeup must gain at least this much of what arming costs to count as benefit, nanoseconds. */
  minBenefitNs: number;
  /** Part of waits left unarmed at random, so that the measured benefit stays honest, 0–1. */
  holdout: number;
  /** Wakeups on each side, covered and not, before the measured benefit decides instead of the prior. */
  benefitSamples: number;
  /** One in so many waits of a class without benefit is armed all the same, to see whether that has changed. */
  retryEvery: number;
  /** Learned classes kept for each user; the least recently used is forgotten first. */
  maxClassesPerUser: number;
  /** Users whose classes are kept in memory; the least recently active is forgotten first. */
  maxUsers: number;
  /** Sessions of one user with a history of their own. */
  maxSessionsPerUser: number;
  /** Open waits of all sessions; the oldest is forgotten first. */
  maxOpenWaits: number;
}

export const defaultPolicyConfig: PolicyConfig = {
  leadUs: 1000,
  armedShare: 0.05,
  startCreditMs: 200,
  maxWindows: 4,
  minBenefitNs: 1000,
  holdout: 0.02,
  benefitSamples: 30,
  retryEvery: 100,
  maxClassesPerUser: 10_000,
  maxUsers: 32,
  maxSessionsPerUser: 2000,
  maxOpenWaits: 100_000,
};

/** A token bucket. Tokens are armed CPU-milliseconds weighted by the guard's depth and the CPU's capacity. */
export interface BucketLimit {
  /** Tokens gained each second: 50 is 5 % of one CPU. At least 0. */
  refillPerSecond: number;
  /** Tokens held at most: the longest burst. At least 0. */
  capacity: number;
  /** A bucket that ran dry refuses until it holds this part of its capacity again, 0–1. Default 0.25. */
  recovery?: number;
}

/** Nested token buckets: host → user → cgroup. A lease is charged to all of its way, or to none. */
export interface BudgetConfig {
  host: BucketLimit;
  /** Every user without a limit of its own. */
  user: BucketLimit;
  /** Limits by uid, as a decimal number. */
  users: Record<string, BucketLimit>;
  /** Every cgroup that no pattern matches. */
  cgroup: BucketLimit;
  /** The first pattern that matches a cgroup's path decides; `*` within a path segment, `**` across segments. */
  cgroups: { pattern: string; limit: BucketLimit }[];
  /** Factor on the weight of a guard, by its id (`idle.cpu`); 1 where absent. Applied where leases are priced. */
  weights: Record<string, number>;
  /** Parts to which all refill is cut, 0–1. The smallest that applies counts. */
  parts: {
    thermal: number;
    battery: number;
    powerSaver: number;
  };
  /** User and cgroup buckets in memory, at most, of each. Full ones go first; where none is full, a new payer is refused. */
  maxBuckets: number;
}

/**
 * The default budget of a host: at most 4 % of all CPU time in the long run and below 5 % in any minute, bursts
 * included. One user gets at most 80 % of it, one cgroup 60 %.
 *
 * @param cpus online CPUs, at least 1
 */
export function defaultBudgetConfig(cpus: number): BudgetConfig {
  const host = { refillPerSecond: 40 * cpus, capacity: 500 * cpus, recovery: 0.25 };
  const part = (of: number) => ({
    refillPerSecond: host.refillPerSecond * of,
    capacity: host.capacity * of,
    recovery: host.recovery,
  });
  return {
    host,
    user: part(0.8),
    users: {},
    cgroup: part(0.6),
    cgroups: [],
    weights: {},
    parts: { thermal: 0.25, battery: 0.5, powerSaver: 0 },
    maxBuckets: 10_000,
  };
}
