import { idleDriver, idleStates, trustedLatency } from '../kernel/cpuidle.ts';
import { cpuCapacities, onlineCpus } from '../kernel/cpus.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Availability, Effect, Guard, Judgement, Target, WindowRequest } from './guard.ts';
import { deepestLatency, idleEffect, idleLimit, idleUnlimited, judgeIdle } from './idle-limit.ts';
import { probed } from './probed.ts';

/** `n/a` is 0 µs: poll. `0` is no constraint. Any other number is the limit in microseconds. */
const POLL = 'n/a';
const NONE = '0';

/** The resume-latency limit of one CPU: the default guard. One value a CPU, shared by all of user space. */
export class IdleCpuGuard implements Guard {
  readonly id = 'idle.cpu';
  readonly #kernel: Kernel;
  readonly #limits = new Map<string, string>();
  #capacities: Map<number, number> | undefined;
  readonly #deepest = new Map<number, number>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  probe(): Availability {
    const { files } = this.#kernel;
    this.#limits.clear();
    this.#capacities = undefined;
    this.#deepest.clear();
    const cpus = onlineCpus(files);
    const without = cpus.find((cpu) => !files.exists(control(cpu)));
    const reason =
      cpus.length === 0
        ? 'no online CPU is listed in sysfs'
        : without !== undefined
          ? `cpu ${without} has no pm_qos_resume_latency_us`
          : (idleUnlimited(files, cpus) ?? this.#kernel.denied(control(cpus[0] as number)));
    return probed(
      this.id,
      reason,
      `pm_qos_resume_latency_us on ${cpus.length} CPUs, ${idleDriver(files)?.driver} idle driver`,
    );
  }

  targets(window: WindowRequest): Target[] {
    return window.cpus.map((cpu) => ({ type: 'cpu', cpu }));
  }

  wanted(target: Target, window: WindowRequest): string {
    const cpu = cpuOf(target);
    const key = `${cpu}:${window.latencyUs}`;
    let value = this.#limits.get(key);
    if (value === undefined) {
      const limit = idleLimit(this.#kernel.files, cpu, window.latencyUs);
      value = limit === 0 ? POLL : String(limit);
      if (this.#limits.size > 1000) this.#limits.clear();
      this.#limits.set(key, value);
    }
    return value;
  }

  strictest(_target: Target, wanted: readonly string[], original: string): string {
    let least = original;
    for (const value of wanted) if (micros(value) < micros(least)) least = value;
    return least;
  }

  read(target: Target): string {
    return this.#kernel.files.read(control(cpuOf(target)));
  }

  write(target: Target, value: string): void {
    this.#kernel.files.write(control(cpuOf(target)), value);
  }

  /** The kernel does not tell a sleeping CPU about its new limit. */
  kick(target: Target): void {
    if (this.#kernel.root === '/') this.#kernel.kicker.kick(cpuOf(target));
  }

  isOurs(_target: Target, written: string, _readBackThen: string | undefined, readNow: string): boolean {
    return readNow === written;
  }

  /** A limit that lets the CPU into its deepest state costs nothing. */
  weight(target: Target, wanted: string): number {
    const { files } = this.#kernel;
    const cpu = cpuOf(target);
    this.#capacities ??= cpuCapacities(files, onlineCpus(files));
    let deepest = this.#deepest.get(cpu);
    if (deepest === undefined) {
      deepest = deepestLatency(files, cpu);
      this.#deepest.set(cpu, deepest);
    }
    return micros(wanted) >= deepest ? 0 : (this.#capacities.get(cpu) ?? 1);
  }

  effect(target: Target): Effect {
    return idleEffect(this.#kernel.files, cpuOf(target));
  }

  judge(target: Target, value: string, before: Effect, after: Effect): Judgement {
    const { files } = this.#kernel;
    const driver = idleDriver(files)?.driver;
    const states = new Map(
      idleStates(files, cpuOf(target)).map((state) => [state.name, trustedLatency(driver, state)]),
    );
    return judgeIdle((name) => (states.get(name) ?? 0) <= micros(value), before, after);
  }
}

/** One string a CPU: a new one would have to be hashed with each look for its descriptor. */
const controls: string[] = [];

function control(cpu: number): string {
  controls[cpu] ??= `sys/devices/system/cpu/cpu${cpu}/power/pm_qos_resume_latency_us`;
  return controls[cpu];
}

function cpuOf(target: Target): number {
  if (target.type !== 'cpu') throw new TypeError(`idle.cpu has no target ${target.type}`);
  return target.cpu;
}

function micros(value: string): number {
  if (value === POLL) return 0;
  return value === NONE ? Number.POSITIVE_INFINITY : Number(value);
}
