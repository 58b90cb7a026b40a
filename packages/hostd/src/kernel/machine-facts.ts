import { arch, release } from 'node:os';
import koffi from 'koffi';
import type { ControlFiles } from './control-files.ts';
import { idleDriver, idleStates } from './cpuidle.ts';
import { formatCpuList, onlineCpus } from './cpus.ts';

/** One thing that Prewake uses, as this machine has it. */
export interface MachineFact {
  name: string;
  /** `ok`: as good as it gets. `limited`: works, with less. `missing`: not there. `unknown`: could not be found out. */
  state: 'ok' | 'limited' | 'missing' | 'unknown';
  found: string;
  /** What would make it `ok`, where something would. */
  needs?: string;
}

const CPU = 'sys/devices/system/cpu';

/** What this machine has of the things that Prewake uses. Reads only, and never fails. */
export function machineFacts(files: ControlFiles): MachineFact[] {
  return [
    { name: 'kernel', state: 'ok', found: `Linux ${release()} on ${arch()}` },
    cpus(files),
    privileges(files),
    btf(files),
    libbpf(),
    lockdown(files),
    idle(files),
    frequency(files),
    clamps(files),
    pressure(files),
    schedstats(files),
    cgroups(files),
  ];
}

function cpus(files: ControlFiles): MachineFact {
  const online = onlineCpus(files);
  if (online.length === 0) return { name: 'cpus', state: 'unknown', found: 'sysfs lists none' };
  const virtual = /^flags\s*:.*\bhypervisor\b/m.test(files.peek('proc/cpuinfo') ?? '');
  const found = `${online.length} online (${formatCpuList(online)})`;
  if (!virtual) return { name: 'cpus', state: 'ok', found };
  const limit = "virtual: the host's own idle states and frequencies are out of reach";
  return { name: 'cpus', state: 'limited', found: `${found}, ${limit}` };
}

/** Bits of CapEff (linux/capability.h) that arming and recording need. */
const CAPABILITIES = { CAP_SYS_ADMIN: 21n, CAP_SYS_NICE: 23n, CAP_PERFMON: 38n, CAP_BPF: 39n };

function privileges(files: ControlFiles): MachineFact {
  const name = 'privileges';
  const mask = /^CapEff:\s*([\da-f]+)$/m.exec(files.peek('proc/self/status') ?? '')?.[1];
  if (mask === undefined) return { name, state: 'unknown', found: '/proc/self/status cannot be read' };
  const missing = Object.entries(CAPABILITIES).filter(([, bit]) => !((BigInt(`0x${mask}`) >> bit) & 1n));
  const user = process.getuid?.() === 0 ? 'root' : `uid ${process.getuid?.()}`;
  if (missing.length === 0) return { name, state: 'ok', found: `${user}, all that is needed` };
  const names = missing.map(([capability]) => capability).join(', ');
  return {
    name,
    state: 'limited',
    found: `${user}, without ${names}`,
    needs: 'root, to arm guards and load BPF',
  };
}

function btf(files: ControlFiles): MachineFact {
  const name = 'kernel BTF';
  if (files.exists('sys/kernel/btf/vmlinux')) return { name, state: 'ok', found: '/sys/kernel/btf/vmlinux' };
  const needs = 'a kernel with CONFIG_DEBUG_INFO_BTF; without it slowpaths come from schedstat';
  return { name, state: 'missing', found: 'none', needs };
}

function libbpf(): MachineFact {
  try {
    koffi.load('libbpf.so.1');
    return { name: 'libbpf', state: 'ok', found: 'libbpf.so.1' };
  } catch {
    return {
      name: 'libbpf',
      state: 'missing',
      found: 'none',
      needs: 'libbpf 1.x (Debian: apt-get install libbpf1)',
    };
  }
}

function lockdown(files: ControlFiles): MachineFact {
  const name = 'lockdown';
  const mode = /\[(\w+)\]/.exec(files.peek('sys/kernel/security/lockdown') ?? '')?.[1];
  if (mode === undefined) return { name, state: 'ok', found: 'not in this kernel, or not shown' };
  if (mode !== 'confidentiality') return { name, state: 'ok', found: mode };
  return {
    name,
    state: 'limited',
    found: mode,
    needs: 'lockdown=integrity or none: BPF may not read the kernel',
  };
}

function idle(files: ControlFiles): MachineFact {
  const name = 'cpuidle';
  const driver = idleDriver(files);
  const [cpu] = onlineCpus(files);
  if (!driver || cpu === undefined)
    return { name, state: 'missing', found: 'no driver: the idle guards do nothing' };
  const states = idleStates(files, cpu).map((state) => `${state.name} ${state.latencyUs} µs`);
  return { name, state: 'ok', found: `${driver.driver}, governor ${driver.governor}: ${states.join(', ')}` };
}

function frequency(files: ControlFiles): MachineFact {
  const name = 'cpufreq';
  const policies = files.list(`${CPU}/cpufreq`).filter((entry) => entry.startsWith('policy'));
  const [first] = policies;
  if (first === undefined)
    return { name, state: 'missing', found: 'no policy: the frequency guards do nothing' };
  const dir = `${CPU}/cpufreq/${first}`;
  const value = (file: string) => files.peek(`${dir}/${file}`);
  const preference = value('energy_performance_preference');
  const parts = [
    `${policies.length} policies, ${value('scaling_driver') ?? 'unknown driver'}`,
    `governor ${value('scaling_governor') ?? 'unknown'}`,
    `${value('cpuinfo_min_freq') ?? '?'}–${value('cpuinfo_max_freq') ?? '?'} kHz`,
    ...(preference === undefined ? [] : [`preference ${preference}`]),
  ];
  return { name, state: 'ok', found: parts.join(', ') };
}

function clamps(files: ControlFiles): MachineFact {
  const name = 'uclamp';
  if (files.exists('proc/sys/kernel/sched_util_clamp_min'))
    return { name, state: 'ok', found: 'CONFIG_UCLAMP_TASK' };
  return {
    name,
    state: 'missing',
    found: 'none',
    needs: 'a kernel with CONFIG_UCLAMP_TASK, for frequency.task only',
  };
}

function pressure(files: ControlFiles): MachineFact {
  const name = 'pressure (PSI)';
  if (files.peek('proc/pressure/cpu') !== undefined) return { name, state: 'ok', found: '/proc/pressure' };
  return { name, state: 'missing', found: 'off', needs: 'psi=1 on the kernel command line' };
}

function schedstats(files: ControlFiles): MachineFact {
  const name = 'schedstat';
  const present = files.peek('proc/self/schedstat') !== undefined;
  if (present) return { name, state: 'ok', found: 'run-queue delay by thread' };
  return { name, state: 'missing', found: 'none', needs: 'a kernel with CONFIG_SCHED_INFO' };
}

function cgroups(files: ControlFiles): MachineFact {
  const name = 'cgroups';
  const mounts = files.peek('proc/self/mounts') ?? '';
  const v2 = / cgroup2 /.test(mounts);
  const v1 = / cgroup /.test(mounts);
  const path = files.peek('proc/self/cgroup')?.split('\n').at(-1) ?? 'unknown';
  if (!v1 && !v2) return { name, state: 'missing', found: 'not mounted; one budget for all' };
  return {
    name,
    state: v1 ? 'limited' : 'ok',
    found: `${v1 && v2 ? 'v1 and v2' : v2 ? 'v2' : 'v1'}, this one is ${path}`,
  };
}
