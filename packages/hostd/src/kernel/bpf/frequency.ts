import { readdirSync, readFileSync } from 'node:fs';

/** Where the CPUs' frequencies stand now: sysfs, for the time before the first cpu_frequency event. */
export class FrequencyReader {
  readonly #root: string;

  constructor(root = '/') {
    this.#root = `${root}sys/devices/system/cpu/`;
  }

  /** Calls back for each CPU with a cpufreq policy: kHz now, and the most that the policy allows. */
  read(each: (cpu: number, khz: number, targetKhz: number) => void): void {
    for (const policy of list(`${this.#root}cpufreq`)) {
      const directory = `${this.#root}cpufreq/${policy}/`;
      const khz = number(`${directory}scaling_cur_freq`);
      const target = number(`${directory}scaling_max_freq`);
      for (const cpu of text(`${directory}affected_cpus`).split(/\s+/)) {
        if (cpu !== '') each(Number(cpu), khz, target);
      }
    }
  }

  /** Whether any CPU can change its frequency under the kernel's control. */
  get present(): boolean {
    return list(`${this.#root}cpufreq`).length > 0;
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.startsWith('policy'));
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

/** 0 where it can't be read: unknown. */
function number(path: string): number {
  const value = Number(text(path));
  return Number.isFinite(value) ? value : 0;
}
