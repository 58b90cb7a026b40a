// A look at every control that Prewake may change, without using any of its code.
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { koffi } from './fork.ts';
import { CPU_DIR, read } from './machine.ts';

/** Path or name → value as the kernel reads. */
export type Controls = Record<string, string>;

/** All controls of the machine, and those of a task and its descendants where one is given. */
export function look(task?: number): Controls {
  const controls: Controls = { online: read(`${CPU_DIR}/online`), cpu_dma_latency: dmaLatency() };
  for (const cpu of readdirSync(CPU_DIR).filter((name) => /^cpu\d+$/.test(name))) {
    note(controls, `${cpu}/power/pm_qos_resume_latency_us`);
    const idle = join(CPU_DIR, cpu, 'cpuidle');
    for (const state of existsSync(idle) ? readdirSync(idle) : [])
      note(controls, `${cpu}/cpuidle/${state}/disable`);
  }
  for (const policy of existsSync(`${CPU_DIR}/cpufreq`) ? readdirSync(`${CPU_DIR}/cpufreq`) : []) {
    for (const file of [
      'scaling_min_freq',
      'scaling_max_freq',
      'scaling_governor',
      'energy_performance_preference',
    ]) {
      note(controls, `cpufreq/${policy}/${file}`);
    }
  }
  if (task !== undefined) {
    for (const [i, pid] of [task, ...descendants(task)].entries()) {
      const who = i === 0 ? 'task' : `descendant ${i}`;
      for (const [name, value] of Object.entries(taskControls(pid))) controls[`${who} ${name}`] = value;
    }
  }
  return controls;
}

/** The controls that differ, as `name: before → after`. */
export function differences(before: Controls, after: Controls): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name}: ${before[name]} → ${after[name]}`);
}

/**
 * Waits until every control reads as before. The kernel takes a moment itself: what is written to `scaling_min_freq`
 * is read back only once a worker has applied it.
 */
export async function asBefore(before: Controls, task?: number, why: () => string = () => ''): Promise<void> {
  await eventually(
    () => `${differences(before, look(task)).join('; ')} ${why()}`,
    () => differences(before, look(task)).length === 0,
    5_000,
  );
}

function note(controls: Controls, path: string): void {
  try {
    controls[path] = read(join(CPU_DIR, path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') controls[path] = String(code);
  }
}

/** Opening the device asks for nothing; what it reads is the least of all requests. */
function dmaLatency(): string {
  const fd = openSync('/dev/cpu_dma_latency', 'r');
  try {
    const value = Buffer.alloc(4);
    readSync(fd, value, 0, 4, 0);
    return String(value.readInt32LE());
  } finally {
    closeSync(fd);
  }
}

export function taskControls(pid: number): Controls {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    nice: fields[16] ?? '',
    policy: fields[38] ?? '',
    timerslack_ns: read(`/proc/${pid}/timerslack_ns`),
    cpus: /^Cpus_allowed_list:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '',
    sched_attr: schedAttr(pid),
  };
}

export function descendants(pid: number): number[] {
  let children: string;
  try {
    children = read(`/proc/${pid}/task/${pid}/children`);
  } catch {
    return []; // It has just ended.
  }
  return children
    .split(' ')
    .filter(Boolean)
    .map(Number)
    .flatMap((child) => [child, ...descendants(child)]);
}

const syscall = koffi.load(null).func('long syscall(long, ...)');
const SCHED_GETATTR = 315;

/** Policy, flags, nice, and for a fair task its slice in nanoseconds (0 on kernels that have none to give). */
function schedAttr(pid: number): string {
  const attr = Buffer.alloc(56);
  if (syscall(SCHED_GETATTR, 'int', pid, 'void *', attr, 'uint', attr.length, 'uint', 0) < 0)
    return 'unreadable';
  return `policy ${attr.readUInt32LE(4)} flags ${attr.readBigUInt64LE(8)} nice ${attr.readInt32LE(16)} slice ${attr.readBigUInt64LE(24)}`;
}
