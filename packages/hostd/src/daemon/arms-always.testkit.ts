/**
 * A configuration by which every wait is armed from its beginning to its end: for tests of what comes of arming, and
 * not of when it pays. No budget that a slow machine could run dry, no wait left out, no window to be late for.
 */
export const ARMS_ALWAYS = `
policy: {armedShare: 1, leadUs: 1000000, holdout: 0, benefitSamples: 1000000}
budget:
  host: {refillPerSecond: 100000, capacity: 100000}
  user: {refillPerSecond: 100000, capacity: 100000}
  cgroup: {refillPerSecond: 100000, capacity: 100000}
`;
