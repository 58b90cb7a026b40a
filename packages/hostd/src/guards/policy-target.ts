import type { FrequencyPolicy } from '../kernel/cpufreq.ts';
import type { Target, WindowRequest } from './guard.ts';

/** The policies of a window's CPUs: CPUs that share a frequency are widened to it. */
export function policiesOf(policies: readonly FrequencyPolicy[], window: WindowRequest): Target[] {
  return policies
    .filter((policy) => policy.cpus.some((cpu) => window.cpus.includes(cpu)))
    .map(({ policy }) => ({ type: 'policy', policy }));
}

export function policyOf(target: Target): number {
  if (target.type !== 'policy') throw new TypeError(`a frequency guard has no target ${target.type}`);
  return target.policy;
}
