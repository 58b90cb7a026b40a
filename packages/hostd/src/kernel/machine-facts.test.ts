import { describe, expect, it } from 'vitest';
import { type FixtureOptions, fixtureTree } from './fixture-tree.testkit.ts';
import { openKernel } from './kernel.ts';
import { type MachineFact, machineFacts } from './machine-facts.ts';

function factsOf({ files, ...options }: FixtureOptions): Record<string, Omit<MachineFact, 'name'>> {
  using tree = fixtureTree(options);
  // A link to the real one, in place of which this machine has its own.
  tree.remove('proc');
  for (const [path, text] of Object.entries(files ?? {})) tree.set(path, text);
  const kernel = openKernel(tree.root);
  try {
    return Object.fromEntries(machineFacts(kernel.files).map(({ name, ...fact }) => [name, fact]));
  } finally {
    kernel.close();
  }
}

const laptop: FixtureOptions = {
  cpus: 4,
  policies: [[0, 1, 2, 3]],
  files: {
    'proc/cpuinfo': 'flags\t\t: fpu vme',
    'proc/self/status': 'CapEff:\t000001ffffffffff',
    'sys/kernel/btf/vmlinux': '',
    'sys/kernel/security/lockdown': 'none [integrity] confidentiality',
    'proc/sys/kernel/sched_util_clamp_min': '1024',
    'proc/pressure/cpu': 'some avg10=0.00',
    'proc/self/schedstat': '1 2 3',
    'proc/self/mounts': 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0',
    'proc/self/cgroup': '0::/user.slice',
  },
};

describe('machineFacts', () => {
  it('finds nothing to complain of on a machine that has it all', () => {
    const { libbpf: _, ...facts } = factsOf(laptop);
    for (const [name, { state }] of Object.entries(facts)) expect(state, name).toBe('ok');
    expect(facts.cpus?.found).toBe('4 online (0-3)');
    expect(facts.cpuidle?.found).toBe('acpi_idle, governor menu: POLL 0 µs, C1 2 µs, C3 400 µs');
    expect(facts.cgroups?.found).toBe('v2, this one is 0::/user.slice');
    expect(facts.lockdown?.found).toBe('integrity');
  });

  it('says what is missing on one that has next to nothing, and what would help', () => {
    const facts = factsOf({ idle: [], idleDriver: 'none' });
    for (const name of [
      'kernel BTF',
      'cpuidle',
      'cpufreq',
      'uclamp',
      'pressure (PSI)',
      'schedstat',
      'cgroups',
    ])
      expect(facts[name]?.state, name).toBe('missing');
    expect(facts['kernel BTF']?.needs).toContain('CONFIG_DEBUG_INFO_BTF');
    // Not readable is not the same as not there.
    expect(facts.privileges?.state).toBe('unknown');
  });

  it.each([
    ['cpus', { 'proc/cpuinfo': 'flags : fpu hypervisor lahf' }, 'virtual'],
    ['privileges', { 'proc/self/status': 'CapEff:\t0000000000000000' }, 'without CAP_SYS_ADMIN'],
    ['lockdown', { 'sys/kernel/security/lockdown': 'none integrity [confidentiality]' }, 'confidentiality'],
    ['cgroups', { 'proc/self/mounts': 'x /a cgroup rw\ny /b cgroup2 rw' }, 'v1 and v2'],
  ])('says what limits %s', (name, files, words) => {
    const fact = factsOf({ ...laptop, files: { ...laptop.files, ...files } as Record<string, string> })[name];
    expect(fact?.state).toBe('limited');
    expect(fact?.found).toContain(words);
  });
});
