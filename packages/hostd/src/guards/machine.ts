import type { ControlFiles } from '../kernel/control-files.ts';

const CPU = 'sys/devices/system/cpu';

/**
 * What must not change while a lease is held: the CPUs online, the idle driver, the frequency drivers and their
 * modes. A driver that changes its mode resets all its settings.
 */
export function machineSignature(files: ControlFiles): string {
  const facts = [
    'online',
    'cpuidle/current_driver',
    'cpuidle/current_governor',
    'intel_pstate/status',
    'amd_pstate/status',
    'cpufreq/policy0/scaling_driver',
    'cpufreq/policy0/scaling_governor',
  ];
  return facts.map((fact) => files.peek(`${CPU}/${fact}`) ?? '').join('\n');
}
