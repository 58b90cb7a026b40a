import { currentKhz, type FrequencyPolicy, frequencyPolicies, policyPath } from '../kernel/cpufreq.ts';
import { cpuCapacities } from '../kernel/cpus.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Availability, Effect, Guard, Judgement, Target, WindowRequest } from './guard.ts';
import { LateWrites } from './late-writes.ts';
import { policiesOf, policyOf } from './policy-target.ts';
import { probed } from './probed.ts';
import type { GuardSettings } from './settings.ts';

/** Part of the way between two frequencies that a driver without a table may round a floor. */
const ROUNDING = 0.05;

/** A floor under a policy's frequency: `scaling_min_freq`, kHz. What it reads is the *effective* minimum. */
export class FrequencyPolicyGuard implements Guard {
  readonly id = 'frequency.policy';
  readonly #kernel: Kernel;
  readonly #settings: GuardSettings;
  readonly #late: LateWrites;
  #policies: FrequencyPolicy[] | undefined;

  constructor(kernel: Kernel, settings: GuardSettings, now: () => number) {
    this.#kernel = kernel;
    this.#settings = settings;
    this.#late = new LateWrites(now);
  }

  probe(): Availability {
    this.#policies = undefined;
    const policies = this.#known();
    const pinned = policies.find(
      (policy) => policy.governor === 'performance' && !policy.driver.startsWith('intel_pstate'),
    );
    const first = policies[0];
    const reason = !first
      ? 'no cpufreq policy'
      : pinned
        ? `policy ${pinned.policy} is at its highest frequency already (governor performance)`
        : policies.every((policy) => this.#floor(policy) <= policy.minKhz)
          ? 'the lowest frequency is high enough'
          : this.#kernel.denied(policyPath(first.policy, 'scaling_min_freq'));
    const floor = first && `${this.#floor(first)} kHz of ${first.maxKhz}`;
    return probed(
      this.id,
      reason,
      `scaling_min_freq on ${policies.length} policies (${first?.driver}, ${floor})`,
    );
  }

  targets(window: WindowRequest): Target[] {
    return policiesOf(this.#known(), window);
  }

  wanted(target: Target): string {
    const policy = this.#policy(target);
    return String(policy ? this.#floor(policy) : 0);
  }

  /**
   * Not cut to a lowered maximum: the kernel keeps minimum and maximum as two requests and obeys the maximum, so
   * the floor is there again when the maximum is lifted.
   */
  strictest(target: Target, wanted: readonly string[], original: string, written: string): string {
    const most = Math.max(...wanted.map(Number));
    if (most <= Number(original)) return original;
    // A minimum that a lowered maximum holds down may be anybody's higher request, which a write would lose.
    if (written === original && Number(original) >= this.#maximum(target)) return original;
    return String(most);
  }

  read(target: Target): string {
    const policy = policyOf(target);
    return this.#late.settled(policy, this.#kernel.files.read(policyPath(policy, 'scaling_min_freq')));
  }

  write(target: Target, value: string): void {
    const policy = policyOf(target);
    const path = policyPath(policy, 'scaling_min_freq');
    const found = this.#kernel.files.read(path);
    this.#kernel.files.write(path, value);
    this.#late.wrote(policy, value, found);
  }

  pending(target: Target): boolean {
    return this.#late.pending(policyOf(target));
  }

  kick(): void {}

  /** A lower reading under a lowered maximum is a clamp: our floor is still in force below it. */
  isOurs(target: Target, written: string, readBackThen: string | undefined, readNow: string): boolean {
    if (readNow === written) return true;
    const now = Number(readNow);
    if (now < Number(written) && now === this.#maximum(target)) return true;
    // What was read under a lowered maximum says nothing of what is read without it.
    const clamped = Number(readBackThen) < Number(written) * (1 - ROUNDING);
    if (readBackThen !== undefined && !clamped) return readNow === readBackThen;
    const table = this.#policy(target)?.available ?? [];
    if (table.length > 0) return now === table.find((khz) => khz >= Number(written));
    return Math.abs(now - Number(written)) <= Number(written) * ROUNDING;
  }

  /** Part of the frequency range that is kept up, for each CPU of the policy by its capacity. */
  weight(target: Target): number {
    const policy = this.#policy(target);
    if (!policy) return 0;
    const depth = (this.#floor(policy) - policy.minKhz) / Math.max(1, policy.maxKhz - policy.minKhz);
    const capacities = cpuCapacities(this.#kernel.files, policy.cpus);
    return Math.max(0, depth) * [...capacities.values()].reduce((sum, capacity) => sum + capacity, 0);
  }

  effect(target: Target): Effect {
    const khz = currentKhz(this.#kernel.files, policyOf(target));
    return khz === undefined ? {} : { khz };
  }

  judge(_target: Target, value: string, _before: Effect, after: Effect): Judgement {
    const { khz } = after;
    if (khz === undefined) return { works: undefined, seen: 'the driver does not say at what it runs' };
    return { works: khz >= Number(value) * (1 - ROUNDING), seen: `runs at ${khz} kHz` };
  }

  #known(): FrequencyPolicy[] {
    this.#policies ??= frequencyPolicies(this.#kernel.files);
    return this.#policies;
  }

  #policy(target: Target): FrequencyPolicy | undefined {
    const number = policyOf(target);
    return this.#known().find((policy) => policy.policy === number);
  }

  /** From the driver's table where it has one, so that what reads back is what was written. */
  #floor({ available, maxKhz }: FrequencyPolicy): number {
    const wanted = Math.ceil(maxKhz * this.#settings.capacity);
    return available.find((khz) => khz >= wanted) ?? wanted;
  }

  #maximum(target: Target): number {
    return (
      this.#kernel.files.peekNumber(policyPath(policyOf(target), 'scaling_max_freq')) ??
      Number.POSITIVE_INFINITY
    );
  }
}
