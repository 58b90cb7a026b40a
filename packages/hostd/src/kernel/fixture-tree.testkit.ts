import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** For tests: a root directory with controls as ordinary files. */
export interface FixtureTree {
  root: string;
  get(path: string): string;
  set(path: string, value: string): void;
  remove(path: string): void;
  [Symbol.dispose](): void;
}

export interface FixtureOptions {
  cpus?: number;
  /** Name and exit latency of each idle state. */
  idle?: readonly (readonly [name: string, latencyUs: number])[];
  idleDriver?: string;
  /** One policy for each group of CPUs. */
  policies?: readonly (readonly number[])[];
  policy?: Record<string, string>;
  files?: Record<string, string>;
}

const CPU = 'sys/devices/system/cpu';

/** A machine with two CPUs, three idle states and nothing else, unless told otherwise. */
export function fixtureTree(options: FixtureOptions = {}): FixtureTree {
  const { cpus = 2, idleDriver = 'acpi_idle', policies = [], policy = {} } = options;
  const idle =
    options.idle ??
    ([
      ['POLL', 0],
      ['C1', 2],
      ['C3', 400],
    ] as const);
  const root = mkdtempSync(join(tmpdir(), 'prewake-tree-'));
  const tree: FixtureTree = {
    root,
    get: (path) => readFileSync(join(root, path), 'latin1').trim(),
    set(path, value) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), `${value}\n`);
    },
    remove: (path) => rmSync(join(root, path), { recursive: true }),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
  tree.set(`${CPU}/online`, cpus === 1 ? '0' : `0-${cpus - 1}`);
  tree.set(`${CPU}/cpuidle/current_driver`, idleDriver);
  tree.set(`${CPU}/cpuidle/current_governor`, 'menu');
  for (let cpu = 0; cpu < cpus; cpu++) {
    tree.set(`${CPU}/cpu${cpu}/power/pm_qos_resume_latency_us`, '0');
    tree.set(`${CPU}/cpu${cpu}/topology/core_cpus_list`, String(cpu));
    idle.forEach(([name, latency], state) => {
      const dir = `${CPU}/cpu${cpu}/cpuidle/state${state}`;
      const values = { name, latency, disable: 0, usage: 0, time: 0 };
      for (const [file, value] of Object.entries(values)) tree.set(`${dir}/${file}`, String(value));
    });
  }
  for (const group of policies) {
    const dir = `${CPU}/cpufreq/policy${group[0]}`;
    const values = {
      affected_cpus: group.join(' '),
      related_cpus: group.join(' '),
      scaling_driver: 'acpi-cpufreq',
      scaling_governor: 'schedutil',
      scaling_min_freq: '1200000',
      scaling_max_freq: '3000000',
      scaling_cur_freq: '1200000',
      cpuinfo_min_freq: '1200000',
      cpuinfo_max_freq: '3000000',
      scaling_available_frequencies: '3000000 2400000 1800000 1200000',
      ...policy,
    };
    for (const [file, value] of Object.entries(values)) tree.set(`${dir}/${file}`, value);
  }
  tree.set('dev/cpu_dma_latency', '');
  for (const [path, value] of Object.entries(options.files ?? {})) tree.set(path, value);
  // Processes are real ones, unless a test brings its own.
  if (!existsSync(join(root, 'proc'))) symlinkSync('/proc', join(root, 'proc'));
  return tree;
}
