import { onlineCpus } from '../kernel/cpus.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { GuardSet } from './build-guards.ts';
import { type Choice, chooseGuards, type GuardConfig } from './choose.ts';
import type { GuardId } from './guard.ts';
import type { GuardSettings } from './settings.ts';

/** Half of capacity. */
const DEFAULT_CAPACITY = 0.5;

/** The guards and CPUs that new windows arm: by machine and configuration, looked up again when either changes. */
export class Selection {
  readonly #kernel: Kernel;
  readonly #guards: GuardSet;
  readonly #settings: GuardSettings;
  #config: GuardConfig;
  #choice: Choice;
  #cpus: ReadonlySet<number>;

  constructor(kernel: Kernel, guards: GuardSet, settings: GuardSettings, config: GuardConfig) {
    this.#kernel = kernel;
    this.#guards = guards;
    this.#settings = settings;
    this.#config = config;
    settings.capacity = config.capacity ?? DEFAULT_CAPACITY;
    this.#choice = chooseGuards(guards, config);
    this.#cpus = this.#eligible();
  }

  get choice(): Choice {
    return this.#choice;
  }

  /** Whether a CPU is online and may be armed. */
  has(cpu: number): boolean {
    return this.#cpus.has(cpu);
  }

  /** The configured factor on a guard's weight. */
  factor(guard: GuardId): number {
    return this.#config.weights?.[guard] ?? 1;
  }

  /** Reads the machine again. */
  refresh(): void {
    this.configure(this.#config);
  }

  configure(config: GuardConfig): void {
    this.#config = config;
    this.#settings.capacity = config.capacity ?? DEFAULT_CAPACITY;
    this.#choice = chooseGuards(this.#guards, config);
    this.#cpus = this.#eligible();
  }

  #eligible(): ReadonlySet<number> {
    const online = new Set(onlineCpus(this.#kernel.files));
    const { cpus = 'all' } = this.#config;
    return cpus === 'all' ? online : new Set(cpus.filter((cpu) => online.has(cpu)));
  }
}
