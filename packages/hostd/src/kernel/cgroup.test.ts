import { expect, it } from 'vitest';
import { cgroupOf } from './cgroup.ts';
import { fixtureTree } from './fixture-tree.testkit.ts';

it.each([
  ['v2', '0::/user.slice/session-1.scope', 2, '/user.slice/session-1.scope'],
  ['v1, its cpu controller', '5:memory:/m\n4:cpu,cpuacct:/jobs/a:b\n1:name=systemd:/s\n0::/', 1, '/jobs/a:b'],
  ['v1 beside v2, cpu not among v1', '3:freezer:/f\n0::/unified', 2, '/unified'],
  ['v1 alone, without cpu', '7:memory:/m\n1:name=systemd:/s', 1, '/m'],
  ['nothing at all', '', 2, '/'],
])('takes %s', (_what, text, version, path) => {
  using tree = fixtureTree({ files: { 'proc/7/cgroup': text } });
  expect(cgroupOf(7, `${tree.root}/`)).toEqual({ version, path });
});

it('says so of a process that is gone', () => {
  using tree = fixtureTree({ files: { 'proc/7/cgroup': '0::/' } });
  expect(cgroupOf(8, `${tree.root}/`)).toBeUndefined();
});
