import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cpuCapacities, formatCpuList, onlineCpus, parseCpuList } from './cpus.ts';
import { fixtureTree } from './fixture-tree.testkit.ts';
import { openKernel } from './kernel.ts';

test.each([
  ['0', [0]],
  ['0-2,5', [0, 1, 2, 5]],
  ['', []],
  ['0-1,x,3', [0, 1, 3]],
])('the CPU list %j', (text, cpus) => expect(parseCpuList(text)).toEqual(cpus));

test('a list survives being written and read', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(200)), (cpus) => {
      expect(parseCpuList(formatCpuList(cpus))).toEqual([...cpus].sort((a, b) => a - b));
    }),
  );
  expect(formatCpuList([3, 0, 1, 2, 7])).toBe('0-3,7');
});

test('capacity: as published, else by the highest frequency, else equal', () => {
  using tree = fixtureTree({ cpus: 2 });
  const { files } = openKernel(tree.root);
  const capacities = () => [...cpuCapacities(files, onlineCpus(files)).values()];
  expect(capacities()).toEqual([1, 1]);
  tree.set('sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq', '4000000');
  tree.set('sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq', '3000000');
  expect(capacities()).toEqual([1, 0.75]);
  tree.set('sys/devices/system/cpu/cpu0/cpu_capacity', '1024');
  tree.set('sys/devices/system/cpu/cpu1/cpu_capacity', '256');
  expect(capacities()).toEqual([1, 0.25]);
});
