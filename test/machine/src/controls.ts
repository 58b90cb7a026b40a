import { existsSync, readdirSync, readFileSync } from 'node:fs';

const CPUS = '/sys/devices/system/cpu';

/** Every control that hostd may write on this machine, by path. */
export function readControls(): Record<string, string> {
  const controls: Record<string, string> = {};
  const note = (path: string) => {
    if (!existsSync(path)) return;
    try {
      controls[path] = readFileSync(path, 'utf8').trim();
    } catch (error) {
      controls[path] = String((error as NodeJS.ErrnoException).code);
    }
  };
  for (const cpu of readdirSync(CPUS).filter((name) => /^cpu\d+$/.test(name))) {
    note(`${CPUS}/${cpu}/power/pm_qos_resume_latency_us`);
    const idle = `${CPUS}/${cpu}/cpuidle`;
    for (const state of existsSync(idle) ? readdirSync(idle) : []) note(`${idle}/${state}/disable`);
    for (const file of ['scaling_min_freq', 'energy_performance_preference', 'scaling_governor'])
      note(`${CPUS}/${cpu}/cpufreq/${file}`);
  }
  return controls;
}

/** Those that differ, for a message that says which. */
export function changedControls(before: Record<string, string>): string[] {
  const now = readControls();
  return Object.keys(before)
    .filter((path) => now[path] !== before[path])
    .map((path) => `${path}: ${before[path]} → ${now[path]}`);
}
