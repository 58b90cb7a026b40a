import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel asks CPUs' frequencies to be, where its events do not tell: sysfs. */
export class FrequencyReader {
  readonly #root: string;

  constructor(root = '/') {
    this.#root = `${root}sys/devices/system/cpu/`;
  }

  /**
   * Calls back for each CPU with a cpufreq policy: the kHz that are asked for now, 0 unknown, the most that the policy
   * allows, and the CPU that stands for the policy.
   */
  read(each: (cpu: number, khz: number, targetKhz: number, policyCpu: number) => void): void {
    for (const directory of this.#policies()) {
      const cpus = text(`${directory}affected_cpus`)
        .split(/\s+/)
        .filter((cpu) => cpu !== '')
        .map(Number);
      const khz = asked(directory);
      const target = number(`${directory}scaling_max_freq`);
      for (const cpu of cpus) each(cpu, khz, target, cpus[0] as number);
    }
  }

  /** Why the kernel's events do not tell what CPUs' frequencies are asked to be; undefined where they do. */
  get refusal(): string | undefined {
    const policies = this.#policies();
    if (policies.length === 0) return 'this kernel has no cpufreq policy';
    const hardware = policies.find((directory) => this.#byHardware(directory));
    if (hardware === undefined) return undefined;
    return `${text(`${hardware}scaling_driver`)} leaves the frequency to the hardware, and tells of no change`;
  }

  /** Intel's drivers with HWP, and AMD's, write hints to a register of the CPU's; cpu_frequency is not among them. */
  #byHardware(directory: string): boolean {
    const driver = text(`${directory}scaling_driver`);
    if (/^amd[-_]pstate/.test(driver)) return true;
    if (driver !== 'intel_pstate' && driver !== 'intel_cpufreq') return false;
    const signs = [
      `${directory}energy_performance_preference`,
      `${this.#root}intel_pstate/hwp_dynamic_boost`,
    ];
    return signs.some((path) => text(path) !== '');
  }

  #policies(): string[] {
    return list(`${this.#root}cpufreq`).map((policy) => `${this.#root}cpufreq/${policy}/`);
  }
}

/**
 * Where the governor always asks for one end. Else only the next event tells: scaling_cur_freq may be what the hardware
 * was measured to do, and intel_pstate's own powersave is no such governor.
 */
function asked(directory: string): number {
  const governor = text(`${directory}scaling_governor`);
  if (governor === 'performance') return number(`${directory}scaling_max_freq`);
  if (governor !== 'powersave' || text(`${directory}scaling_driver`) === 'intel_pstate') return 0;
  return number(`${directory}scaling_min_freq`);
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
