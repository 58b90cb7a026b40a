import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PowerConditionsReader } from './power-conditions.ts';

let root: string;
const put = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), `${text}\n`);
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'prewake-power-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('PowerConditionsReader', () => {
  it('finds nothing on a machine that has nothing of it', async () => {
    expect(await new PowerConditionsReader(`${root}/`).read()).toEqual({
      thermal: [],
      battery: [],
      powerSaver: [],
    });
  });

  it('tells battery from mains, and a laptop from its mouse', async () => {
    const reader = new PowerConditionsReader(root);
    put('sys/class/power_supply/mouse/type', 'Battery');
    put('sys/class/power_supply/mouse/scope', 'Device');
    put('sys/class/power_supply/mouse/status', 'Discharging');
    expect((await reader.read()).battery).toEqual([]);
    put('sys/class/power_supply/BAT0/type', 'Battery');
    put('sys/class/power_supply/BAT0/status', 'Discharging');
    expect((await reader.read()).battery).toEqual(['BAT0 is discharging']);
    put('sys/class/power_supply/AC/type', 'Mains');
    put('sys/class/power_supply/AC/online', '1');
    expect((await reader.read()).battery).toEqual([]);
  });

  it('tells a passive trip from an unset one, and processor cooling from a fan', async () => {
    const reader = new PowerConditionsReader(root);
    put('sys/class/thermal/thermal_zone0/type', 'x86_pkg_temp');
    put('sys/class/thermal/thermal_zone0/temp', '71000');
    put('sys/class/thermal/thermal_zone0/trip_point_0_type', 'passive');
    put('sys/class/thermal/thermal_zone0/trip_point_0_temp', '0');
    put('sys/class/thermal/cooling_device0/type', 'Fan');
    put('sys/class/thermal/cooling_device0/cur_state', '3');
    expect((await reader.read()).thermal).toEqual([]);
    put('sys/class/thermal/thermal_zone0/trip_point_1_type', 'passive');
    put('sys/class/thermal/thermal_zone0/trip_point_1_temp', '70000');
    put('sys/class/thermal/cooling_device1/type', 'Processor');
    put('sys/class/thermal/cooling_device1/cur_state', '1');
    expect((await reader.read()).thermal).toEqual([
      'x86_pkg_temp is at 71 °C (passive trip)',
      'Processor cooling is at state 1',
    ]);
  });

  it('counts throttle events from the second reading on', async () => {
    const reader = new PowerConditionsReader(root);
    put('sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count', '5');
    expect((await reader.read()).thermal).toEqual([]);
    put('sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count', '7');
    expect((await reader.read()).thermal).toEqual(['2 core throttle events']);
    expect((await reader.read()).thermal).toEqual([]);
    // A package's count is shown by each of its CPUs.
    for (const count of ['10', '13']) {
      for (const cpu of [0, 1])
        put(`sys/devices/system/cpu/cpu${cpu}/thermal_throttle/package_throttle_count`, count);
      expect((await reader.read()).thermal).toEqual(count === '10' ? [] : ['3 package throttle events']);
    }
  });

  it('knows a power-saver profile', async () => {
    put('sys/firmware/acpi/platform_profile', 'low-power');
    expect((await new PowerConditionsReader(root).read()).powerSaver).toEqual([
      'platform profile is low-power',
    ]);
  });

  it('knows by the energy preference that power is to be saved', async () => {
    const reader = new PowerConditionsReader(root);
    const preference = 'sys/devices/system/cpu/cpufreq/policy0/energy_performance_preference';
    put(preference, 'performance');
    expect((await reader.read()).powerSaver).toEqual([]);
    put(preference, 'power');
    expect((await reader.read()).powerSaver).toEqual(['policy0 prefers power']);
  });
});
