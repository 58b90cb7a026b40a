import { describe, expect, it } from 'vitest';
import { fixtureTree } from '../fixture-tree.testkit.ts';
import { FrequencyReader } from './frequency.ts';

function reader(policy: Record<string, string>, files: Record<string, string> = {}) {
  const tree = fixtureTree({ policies: [[0, 1]], policy, files });
  return {
    tree,
    frequencies: new FrequencyReader(`${tree.root}/`),
    [Symbol.dispose]: () => tree[Symbol.dispose](),
  };
}

function read(frequencies: FrequencyReader): number[][] {
  const found: number[][] = [];
  frequencies.read((...one) => found.push(one));
  return found;
}

describe('FrequencyReader', () => {
  it('knows what is asked for where the governor always asks for the same', () => {
    const limits = { scaling_min_freq: '1000', scaling_max_freq: '3000', scaling_cur_freq: '2000' };
    for (const [scaling_governor, scaling_driver, khz] of [
      ['performance', 'acpi-cpufreq', 3000],
      ['powersave', 'acpi-cpufreq', 1000],
      ['powersave', 'intel_pstate', 0],
      ['schedutil', 'acpi-cpufreq', 0],
    ] as const) {
      using it = reader({ ...limits, scaling_governor, scaling_driver });
      expect(read(it.frequencies)).toEqual([
        [0, khz, 3000, 0],
        [1, khz, 3000, 0],
      ]);
    }
  });

  it('says 0, which is unknown, where a limit cannot be read', () => {
    using it = reader({ scaling_governor: 'performance', scaling_max_freq: '' });
    expect(read(it.frequencies)).toEqual([
      [0, 0, 0, 0],
      [1, 0, 0, 0],
    ]);
  });

  it.each([
    [{ scaling_driver: 'acpi-cpufreq' }, {}, undefined],
    [{ scaling_driver: 'intel_pstate' }, {}, undefined],
    [
      { scaling_driver: 'intel_pstate', energy_performance_preference: 'balance_power' },
      {},
      /^intel_pstate /,
    ],
    [{ scaling_driver: 'intel_cpufreq', energy_performance_preference: '128' }, {}, /^intel_cpufreq /],
    [
      { scaling_driver: 'intel_pstate' },
      { 'sys/devices/system/cpu/intel_pstate/hwp_dynamic_boost': '0' },
      /^intel_pstate leaves the frequency to the hardware/,
    ],
    [{ scaling_driver: 'amd-pstate-epp' }, {}, /^amd-pstate-epp /],
    [{ scaling_driver: 'amd-pstate' }, {}, /^amd-pstate /],
  ])('%o %o: %s', (policy, files, refusal) => {
    using it = reader(policy, files);
    if (refusal) expect(it.frequencies.refusal).toMatch(refusal);
    else expect(it.frequencies.refusal).toBeUndefined();
  });

  it('says so where there is no policy', () => {
    using tree = fixtureTree({});
    expect(new FrequencyReader(`${tree.root}/`).refusal).toBe('this kernel has no cpufreq policy');
  });
});
