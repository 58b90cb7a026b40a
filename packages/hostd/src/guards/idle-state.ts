import { type IdleState, idleDriver, idleStates, trustedLatency } from '../kernel/cpuidle.ts';
import { cpuCapacities, onlineCpus } from '../kernel/cpus.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Availability, Effect, Guard, Judgement, Target, WindowRequest } from './guard.ts';
import { idleEffect, idleUnlimited, judgeIdle } from './idle-limit.ts';
import { probed } from './probed.ts';

/** Switches single idle states of a CPU off: for machines where no latency limit works. */
export class IdleStateGuard implements Guard {
  readonly id = 'idle.state';
  readonly #kernel: Kernel;
  readonly #states = new Map<number, IdleState[]>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  probe(): Availability {
    this.#states.clear();
    const { files } = this.#kernel;
    const cpus = onlineCpus(files);
    const first = cpus[0] ?? 0;
    const last = this.#sleeping(first).at(-1);
    const reason =
      idleUnlimited(files, cpus) ??
      (idleDriver(files)?.governor === 'haltpoll'
        ? 'the haltpoll governor takes the value and ignores it'
        : last === undefined
          ? 'no idle state can be switched off'
          : this.#kernel.denied(control(first, last.index)));
    return probed(this.id, reason, `cpuidle/stateN/disable, ${idleDriver(files)?.driver} idle driver`);
  }

  /** Every state that takes longer to leave than wanted. */
  targets(window: WindowRequest): Target[] {
    const driver = idleDriver(this.#kernel.files)?.driver;
    return window.cpus.flatMap((cpu) =>
      this.#sleeping(cpu)
        .filter((state) => trustedLatency(driver, state) > window.latencyUs)
        .map(({ index }): Target => ({ type: 'idle_state', cpu, state: index })),
    );
  }

  wanted(): string {
    return '1';
  }

  strictest(_target: Target, wanted: readonly string[], original: string): string {
    return wanted.includes('1') ? '1' : original;
  }

  read(target: Target): string {
    const { cpu, state } = stateOf(target);
    return this.#kernel.files.read(control(cpu, state));
  }

  write(target: Target, value: string): void {
    const { cpu, state } = stateOf(target);
    this.#kernel.files.write(control(cpu, state), value);
  }

  /** The kernel does not tell a sleeping CPU that its state was switched off. */
  kick(target: Target): void {
    if (this.#kernel.root === '/') this.#kernel.kicker.kick(stateOf(target).cpu);
  }

  isOurs(_target: Target, written: string, _readBackThen: string | undefined, readNow: string): boolean {
    return readNow === written;
  }

  /** The deepest state stands for the CPU: to keep a CPU out of several is no more than out of the deepest. */
  weight(target: Target): number {
    const { cpu, state } = stateOf(target);
    if (state !== this.#sleeping(cpu).at(-1)?.index) return 0;
    return cpuCapacities(this.#kernel.files, onlineCpus(this.#kernel.files)).get(cpu) ?? 1;
  }

  effect(target: Target): Effect {
    return idleEffect(this.#kernel.files, stateOf(target).cpu);
  }

  judge(target: Target, _value: string, before: Effect, after: Effect): Judgement {
    const states = idleStates(this.#kernel.files, stateOf(target).cpu);
    const off = new Set(states.filter((state) => state.disabled).map((state) => state.name));
    return judgeIdle((name) => !off.has(name), before, after);
  }

  #sleeping(cpu: number): IdleState[] {
    let states = this.#states.get(cpu);
    if (!states) {
      states = idleStates(this.#kernel.files, cpu).filter((state) => !state.polls);
      this.#states.set(cpu, states);
    }
    return states;
  }
}

function control(cpu: number, state: number): string {
  return `sys/devices/system/cpu/cpu${cpu}/cpuidle/state${state}/disable`;
}

function stateOf(target: Target): { cpu: number; state: number } {
  if (target.type !== 'idle_state') throw new TypeError(`idle.state has no target ${target.type}`);
  return target;
}
