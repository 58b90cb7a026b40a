import type { ControlFiles } from './control-files.ts';
import { parseCpuList } from './cpus.ts';

const CPU = 'sys/devices/system/cpu';

/** One cpufreq policy: the CPUs that share a frequency. Frequencies in kHz. */
export interface FrequencyPolicy {
  policy: number;
  cpus: number[];
  driver: string;
  governor: string;
  minKhz: number;
  maxKhz: number;
  /** The frequencies that the hardware has, ascending; empty where the driver has no table. */
  available: number[];
  /** Energy-performance preferences that the driver takes; empty where it has none. */
  preferences: string[];
}

export function policyPath(policy: number, file: string): string {
  return `${CPU}/cpufreq/policy${policy}/${file}`;
}

/** All policies. One whose CPUs are all offline answers EBUSY to everything and is left out. */
export function frequencyPolicies(files: ControlFiles): FrequencyPolicy[] {
  const policies: FrequencyPolicy[] = [];
  for (const entry of files.list(`${CPU}/cpufreq`)) {
    const match = /^policy(\d+)$/.exec(entry);
    if (!match) continue;
    const policy = Number(match[1]);
    const peek = (file: string) => files.peek(policyPath(policy, file)) ?? '';
    const maxKhz = Number(peek('cpuinfo_max_freq'));
    const cpus = parseCpuList((peek('affected_cpus') || peek('related_cpus')).replaceAll(' ', ','));
    if (!(maxKhz > 0) || cpus.length === 0 || peek('scaling_min_freq') === '') continue;
    policies.push({
      policy,
      cpus,
      driver: peek('scaling_driver'),
      governor: peek('scaling_governor'),
      minKhz: Number(peek('cpuinfo_min_freq')),
      maxKhz,
      available: peek('scaling_available_frequencies')
        .split(/\s+/)
        .map(Number)
        .filter((khz) => khz > 0)
        .sort((a, b) => a - b),
      preferences: peek('energy_performance_available_preferences').split(/\s+/).filter(Boolean),
    });
  }
  return policies.sort((a, b) => a.policy - b.policy);
}

/** What the policy runs at now as far as the driver knows, kHz; undefined where it does not. */
export function currentKhz(files: ControlFiles, policy: number): number | undefined {
  return (
    files.peekNumber(policyPath(policy, 'cpuinfo_avg_freq')) ??
    files.peekNumber(policyPath(policy, 'scaling_cur_freq'))
  );
}
