import { currentKhz, type FrequencyPolicy, frequencyPolicies, policyPath } from '../kernel/cpufreq.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Availability, Effect, Guard, Judgement, Target, WindowRequest } from './guard.ts';
import { policiesOf, policyOf } from './policy-target.ts';
import { probed } from './probed.ts';

const FILE = 'energy_performance_preference';
const WANTED = 'performance';
/** From the most eager to the laziest. A number is the raw preference, 0 the most eager. */
const ORDER = ['performance', 'balance_performance', 'default', 'balance_power', 'power'];

/** What hardware-managed frequencies (HWP, amd-pstate active) should prefer: they raise it by themselves, sooner. */
export class FrequencyPreferenceGuard implements Guard {
  readonly id = 'frequency.preference';
  readonly #kernel: Kernel;
  #policies: FrequencyPolicy[] | undefined;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  probe(): Availability {
    this.#policies = undefined;
    const policies = this.#known();
    const first = policies[0];
    const busy = policies.find((policy) => policy.governor === 'performance');
    const reason = !first
      ? 'no driver takes an energy-performance preference (HWP or amd-pstate in active mode do)'
      : busy
        ? `policy ${busy.policy} is under the performance governor, which refuses it (EBUSY)`
        : this.#kernel.denied(policyPath(first.policy, FILE));
    return probed(this.id, reason, `${FILE} on ${policies.length} policies (${first?.driver})`);
  }

  targets(window: WindowRequest): Target[] {
    return policiesOf(this.#known(), window);
  }

  wanted(): string {
    return WANTED;
  }

  strictest(_target: Target, wanted: readonly string[], original: string): string {
    return [original, ...wanted].reduce((most, value) => (eagerness(value) < eagerness(most) ? value : most));
  }

  read(target: Target): string {
    return this.#kernel.files.read(policyPath(policyOf(target), FILE));
  }

  write(target: Target, value: string): void {
    this.#kernel.files.write(policyPath(policyOf(target), FILE), value);
  }

  kick(): void {}

  isOurs(_target: Target, written: string, readBackThen: string | undefined, readNow: string): boolean {
    return readNow === written || readNow === readBackThen;
  }

  /** A preference costs where there is load only: half of a floor. */
  weight(target: Target): number {
    const number = policyOf(target);
    return (this.#known().find((policy) => policy.policy === number)?.cpus.length ?? 0) / 4;
  }

  effect(target: Target): Effect {
    const khz = currentKhz(this.#kernel.files, policyOf(target));
    return khz === undefined ? {} : { khz };
  }

  /** What a preference does to an idle CPU's frequency is the hardware's secret. */
  judge(_target: Target, _value: string, before: Effect, after: Effect): Judgement {
    return {
      works: undefined,
      seen: `ran at ${before.khz ?? 'unknown'} kHz, then at ${after.khz ?? 'unknown'}`,
    };
  }

  #known(): FrequencyPolicy[] {
    this.#policies ??= frequencyPolicies(this.#kernel.files).filter(
      (policy) =>
        policy.preferences.includes(WANTED) && this.#kernel.files.exists(policyPath(policy.policy, FILE)),
    );
    return this.#policies;
  }
}

function eagerness(value: string): number {
  const place = ORDER.indexOf(value);
  if (place >= 0) return place * 64;
  const raw = Number(value);
  return Number.isFinite(raw) ? raw : ORDER.length * 64;
}
