import type { ControlFiles } from './control-files.ts';

const CPU = 'sys/devices/system/cpu';

/** `0-2,5` → [0, 1, 2, 5]. Anything else in the list is left out. */
export function parseCpuList(list: string): number[] {
  const cpus: number[] = [];
  for (const part of list.split(',')) {
    const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    if (!match) continue;
    const last = Number(match[2] ?? match[1]);
    for (let cpu = Number(match[1]); cpu <= last; cpu++) cpus.push(cpu);
  }
  return cpus;
}

/** [0, 1, 2, 5] → `0-2,5`. */
export function formatCpuList(cpus: readonly number[]): string {
  const sorted = [...new Set(cpus)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let j = i;
    while (sorted[j + 1] === (sorted[j] as number) + 1) j++;
    parts.push(i === j ? `${sorted[i]}` : `${sorted[i]}-${sorted[j]}`);
    i = j + 1;
  }
  return parts.join(',');
}

/** The CPUs that can run tasks now. */
export function onlineCpus(files: ControlFiles): number[] {
  return parseCpuList(files.peek(`${CPU}/online`) ?? '');
}

/**
 * A CPU's capacity relative to the largest on the machine, (0, 1]: `cpu_capacity` where the kernel publishes it
 * (arm64, hybrid x86), else the ratio of maximum frequencies, else 1.
 */
export function cpuCapacities(files: ControlFiles, cpus: readonly number[]): Map<number, number> {
  const raw = new Map<number, number | undefined>();
  for (const file of ['cpu_capacity', 'cpufreq/cpuinfo_max_freq']) {
    for (const cpu of cpus) raw.set(cpu, files.peekNumber(`${CPU}/cpu${cpu}/${file}`));
    if ([...raw.values()].every((value) => value !== undefined && value > 0)) break;
  }
  const known = [...raw.values()].filter((value): value is number => value !== undefined && value > 0);
  const largest = Math.max(...known, 0);
  return new Map(cpus.map((cpu) => [cpu, largest > 0 ? (raw.get(cpu) || largest) / largest : 1]));
}
