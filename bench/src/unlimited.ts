const FULL = '{ refillPerSecond: 1000000, capacity: 1000000 }';

/** Configuration for what is measured beside the budget: one that never ends. */
export const UNLIMITED_BUDGET = `budget: { host: ${FULL}, user: ${FULL}, cgroup: ${FULL} }\n`;

/** The idle guard alone: no task controls, so that each window is one control. */
export const IDLE_GUARD_ONLY = 'guards: { scheduler: off, frequency: off, timer: off }\n';
