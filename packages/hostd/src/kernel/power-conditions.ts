import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Why a machine should spend less on latency now. Each list says what was found; empty: the condition is not there. */
export interface PowerConditions {
  /** Throttled or about to be: a passive trip point reached, a processor cooling device at work, throttle events. */
  thermal: string[];
  /** Running on battery. */
  battery: string[];
  /** A power-saver profile is chosen, or the CPUs are told to prefer power to speed. */
  powerSaver: string[];
}

/**
 * Reads thermal zones, cooling devices and throttle counters (Documentation/driver-api/thermal/sysfs-api.rst,
 * Documentation/admin-guide/thermal), power supplies (ABI/testing/sysfs-class-power) and the platform profile
 * (ABI/testing/sysfs-platform_profile) or the energy preference by which power-profiles-daemon, TLP and others save
 * power where there is none (admin-guide/pm/intel_pstate). Asynchronous: an ACPI thermal zone may take milliseconds to
 * answer.
 */
export class PowerConditionsReader {
  readonly #root: string;
  #throttles = new Map<string, number>();

  constructor(root = '/') {
    this.#root = root;
  }

  async read(): Promise<PowerConditions> {
    const [zones, cooling, throttles, battery, powerSaver] = await Promise.all([
      this.#hotZones(),
      this.#activeCooling(),
      this.#throttleEvents(),
      this.#battery(),
      this.#powerSaver(),
    ]);
    return { thermal: [...zones, ...cooling, ...throttles], battery, powerSaver };
  }

  async #hotZones(): Promise<string[]> {
    const hot: string[] = [];
    for (const zone of await this.#list('sys/class/thermal', 'thermal_zone')) {
      const temp = Number(await this.#text(join(zone, 'temp')));
      if (!Number.isFinite(temp)) continue;
      for (let trip = 0; trip < 16; trip++) {
        const type = await this.#text(join(zone, `trip_point_${trip}_type`));
        if (type === undefined) break;
        const limit = Number(await this.#text(join(zone, `trip_point_${trip}_temp`)));
        // A trip at or below zero is one that the firmware left unset.
        if ((type === 'passive' || type === 'hot' || type === 'critical') && limit > 0 && temp >= limit) {
          hot.push(
            `${(await this.#text(join(zone, 'type'))) ?? zone} is at ${temp / 1000} °C (${type} trip)`,
          );
          break;
        }
      }
    }
    return hot;
  }

  async #activeCooling(): Promise<string[]> {
    const active: string[] = [];
    for (const device of await this.#list('sys/class/thermal', 'cooling_device')) {
      const type = (await this.#text(join(device, 'type'))) ?? '';
      // Fans cool without slowing anything; these slow the CPU.
      if (!/^(processor|cpufreq|cpuidle|intel_powerclamp)/i.test(type)) continue;
      const state = Number(await this.#text(join(device, 'cur_state')));
      if (state > 0) active.push(`${type} cooling is at state ${state}`);
    }
    return active;
  }

  /** Throttle events since the last reading; the first reading only takes the count. */
  async #throttleEvents(): Promise<string[]> {
    const since = { core: 0, package: 0 };
    for (const cpu of await this.#list('sys/devices/system/cpu', 'cpu'))
      for (const of of ['core', 'package'] as const) {
        const path = join(cpu, `thermal_throttle/${of}_throttle_count`);
        const count = Number(await this.#text(path));
        if (!Number.isFinite(count)) continue;
        const more = count - (this.#throttles.get(path) ?? count);
        this.#throttles.set(path, count);
        // Every CPU shows its whole package's.
        since[of] = of === 'core' ? since.core + more : Math.max(since.package, more);
      }
    return Object.entries(since).flatMap(([of, events]) =>
      events > 0 ? [`${events} ${of} throttle events`] : [],
    );
  }

  async #battery(): Promise<string[]> {
    let discharging: string | undefined;
    for (const supply of await this.#list('sys/class/power_supply', '')) {
      const type = await this.#text(join(supply, 'type'));
      if (type === 'Mains' && (await this.#text(join(supply, 'online'))) === '1') return [];
      // A mouse's battery is a power supply as well, of scope Device.
      if (type === 'Battery' && (await this.#text(join(supply, 'scope'))) !== 'Device')
        if ((await this.#text(join(supply, 'status'))) === 'Discharging') discharging = supply;
    }
    return discharging ? [`${discharging.split('/').at(-1)} is discharging`] : [];
  }

  async #powerSaver(): Promise<string[]> {
    const platform = await this.#text('sys/firmware/acpi/platform_profile');
    if (platform === 'low-power' || platform === 'quiet') return [`platform profile is ${platform}`];
    const tuned = await this.#text('etc/tuned/active_profile');
    if (tuned?.includes('powersave')) return [`TuneD profile is ${tuned}`];
    // hostd's own guard only ever writes `performance` there.
    for (const policy of await this.#list('sys/devices/system/cpu/cpufreq', 'policy'))
      if ((await this.#text(join(policy, 'energy_performance_preference'))) === 'power')
        return [`${policy.split('/').at(-1)} prefers power`];
    return [];
  }

  async #list(dir: string, prefix: string): Promise<string[]> {
    try {
      const names = await readdir(join(this.#root, dir));
      return names
        .filter((name) => name.startsWith(prefix) && (prefix !== 'cpu' || /^cpu\d+$/.test(name)))
        .map((name) => join(dir, name));
    } catch {
      return [];
    }
  }

  async #text(path: string): Promise<string | undefined> {
    try {
      return (await readFile(join(this.#root, path), 'utf8')).trim();
    } catch {
      return undefined;
    }
  }
}
