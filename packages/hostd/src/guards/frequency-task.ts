import { frequencyPolicies } from '../kernel/cpufreq.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { schedGetAttr, schedSetUtilMin } from '../kernel/sched-attr.ts';
import type { Availability, Effect, Judgement, Target } from './guard.ts';
import { probed } from './probed.ts';
import { type GuardSettings, utilClamp } from './settings.ts';
import { type Heirs, TaskGuard } from './task-guard.ts';
import { liveTid } from './task-target.ts';

/** uclamp.min: a thread counts as at least this busy (0–1024) when schedutil picks a frequency. */
export class FrequencyTaskGuard extends TaskGuard {
  readonly id = 'frequency.task';
  readonly #settings: GuardSettings;

  constructor(kernel: Kernel, settings: GuardSettings) {
    super(kernel);
    this.#settings = settings;
  }

  probe(): Availability {
    const { files } = this.kernel;
    const policies = frequencyPolicies(files);
    const other = policies.find((policy) => policy.governor !== 'schedutil');
    const reason = !files.exists('proc/sys/kernel/sched_util_clamp_min')
      ? 'the kernel has no utilization clamping (CONFIG_UCLAMP_TASK)'
      : policies.length === 0
        ? 'no cpufreq policy'
        : other
          ? `governor ${other.governor} of policy ${other.policy} ignores it: only schedutil does not`
          : this.denied();
    return probed(
      this.id,
      reason,
      'uclamp.min under schedutil; acts from the wakeup on, and cannot warm the CPU of a sleeper',
    );
  }

  wanted(): string {
    return String(utilClamp(this.#settings));
  }

  strictest(_target: Target, wanted: readonly string[], original: string): string {
    return String(Math.max(Number(original), ...wanted.map(Number)));
  }

  /** A floor for one thread's bursts. */
  override weight(): number {
    return utilClamp(this.#settings) / 1024;
  }

  effect(target: Target): Effect {
    return { util_min: schedGetAttr(liveTid(this.kernel, target)).utilMin };
  }

  judge(_target: Target, value: string, _before: Effect, after: Effect): Judgement {
    return { works: after.util_min === Number(value), seen: `the kernel reads uclamp.min ${after.util_min}` };
  }

  protected readThread(tid: number): string {
    return String(schedGetAttr(tid).utilMin);
  }

  /** 0 is the default: giving the clamp back makes it follow the system's again. */
  protected writeThread(tid: number, value: string): void {
    schedSetUtilMin(this.kernel.writer, tid, value === '0' ? -1 : Number(value));
  }

  protected heirs(): Heirs {
    return 'anywhere';
  }
}
