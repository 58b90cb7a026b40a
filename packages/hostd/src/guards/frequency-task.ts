import { frequencyPolicies } from '../kernel/cpufreq.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { schedGetAttr, schedSetUtilMin } from '../kernel/sched-attr.ts';
import { schedulingDenied } from '../kernel/tasks.ts';
import type { GuardSettings } from './build-guards.ts';
import type { Availability, Effect, Guard, Judgement, Target, WindowRequest } from './guard.ts';
import { liveTid, possibleHeirs, restoreEach, type TaskTarget, taskTargets } from './task-target.ts';

/** uclamp.min: a thread counts as at least this busy (0–1024) when schedutil picks a frequency. */
export class FrequencyTaskGuard implements Guard {
  readonly id = 'frequency.task';
  readonly #kernel: Kernel;
  readonly #settings: GuardSettings;

  constructor(kernel: Kernel, settings: GuardSettings) {
    this.#kernel = kernel;
    this.#settings = settings;
  }

  probe(): Availability {
    const { files, dryRun } = this.#kernel;
    const policies = frequencyPolicies(files);
    const other = policies.find((policy) => policy.governor !== 'schedutil');
    const reason = !files.exists('proc/sys/kernel/sched_util_clamp_min')
      ? 'the kernel has no utilization clamping (CONFIG_UCLAMP_TASK)'
      : policies.length === 0
        ? 'no cpufreq policy'
        : other
          ? `governor ${other.governor} of policy ${other.policy} ignores it: only schedutil does not`
          : dryRun
            ? undefined
            : schedulingDenied(files);
    return {
      guard: this.id,
      available: reason === undefined,
      chosen: false,
      reason:
        reason ?? 'uclamp.min under schedutil; acts from the wakeup on, and cannot warm the CPU of a sleeper',
    };
  }

  targets(window: WindowRequest): Target[] {
    return taskTargets(window);
  }

  wanted(): string {
    return String(this.#clamp());
  }

  strictest(_target: Target, wanted: readonly string[], original: string): string {
    return String(Math.max(Number(original), ...wanted.map(Number)));
  }

  read(target: Target): string {
    return String(schedGetAttr(liveTid(this.#kernel, target)).utilMin);
  }

  write(target: Target, value: string): void {
    if (target.type === 'task') this.#write(target.tid, value);
  }

  kick(): void {}

  isOurs(_target: Target, written: string, _readBackThen: string | undefined, readNow: string): boolean {
    return readNow === written;
  }

  /** A floor for one thread's bursts. */
  weight(): number {
    return this.#clamp() / 1024;
  }

  restoreHeirs(target: Target, written: string, original: string): number {
    if (target.type !== 'task') return 0;
    return restoreEach(
      possibleHeirs(this.#kernel, target as TaskTarget, true),
      written,
      (tid) => String(schedGetAttr(tid).utilMin),
      (tid) => this.#write(tid, original),
    );
  }

  effect(target: Target): Effect {
    return { util_min: schedGetAttr(liveTid(this.#kernel, target)).utilMin };
  }

  judge(_target: Target, value: string, _before: Effect, after: Effect): Judgement {
    return { works: after.util_min === Number(value), seen: `the kernel reads uclamp.min ${after.util_min}` };
  }

  /** Odd, so that nobody else asks for the very same. */
  #clamp(): number {
    return Math.min(1023, Math.round(this.#settings.capacity * 512) * 2 + 1);
  }

  /** 0 is the default: giving the clamp back makes it follow the system's again. */
  #write(tid: number, value: string): void {
    const { writer } = this.#kernel;
    schedSetUtilMin(writer, tid, value === '0' ? -1 : Number(value));
  }
}
