import type { ControlFiles } from '../kernel/control-files.ts';

const CPU = 'sys/devices/system/cpu';

/**
 * What must not change while a lease is held: the CPUs online, the idle driver, the frequency drivers and their
 * modes. A driver that changes its mode resets all its settings.
 */
export function machineSignature(files: ControlFiles): string {
  const policies = files
    .list(`${CPU}/cpufreq`)
    .filter((entry) => entry.startsWith('policy'))
    .sort();
  const facts = [
    'online',
    'cpuidle/current_driver',
    'cpuidle/current_governor',
    'intel_pstate/status',
    'amd_pstate/status',
    // There is one frequency driver at a time, and a governor for each policy.
    `cpufreq/${policies[0] ?? 'policy0'}/scaling_driver`,
    ...policies.map((policy) => `cpufreq/${policy}/scaling_governor`),
  ];
  return facts.map((fact) => files.peek(`${CPU}/${fact}`) ?? '').join('\n');
}
