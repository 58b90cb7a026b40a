import type { Kernel } from '../kernel/kernel.ts';
import { schedulingDenied } from '../kernel/tasks.ts';
import type { Availability, Effect, Guard, Judgement, Target, WindowRequest } from './guard.ts';
import { liveTid, possibleHeirs, restoreEach, type TaskTarget, taskTargets } from './task-target.ts';

/** Nanoseconds; the odd end tells it from what anybody else would ask for. */
const SLACK_NS = '1013';

/** How late the kernel may fire a thread's timers so as to join them; 50 µs unless the thread asked for another. */
export class TimerSlackGuard implements Guard {
  readonly id = 'timer.slack';
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  probe(): Availability {
    const { files, dryRun } = this.#kernel;
    const reason = !files.exists('proc/self/timerslack_ns')
      ? 'no /proc/PID/timerslack_ns'
      : dryRun
        ? undefined
        : schedulingDenied(files);
    return {
      guard: this.id,
      available: reason === undefined,
      chosen: false,
      reason: reason ?? '/proc/PID/timerslack_ns',
      discouraged:
        'only sleeps below 50 ms gain, epoll has a slack of its own, and children born meanwhile keep it as their default',
    };
  }

  targets(window: WindowRequest): Target[] {
    return taskTargets(window);
  }

  wanted(): string {
    return SLACK_NS;
  }

  strictest(_target: Target, wanted: readonly string[], original: string): string {
    // A real-time thread reads 0: it has no slack.
    return String(Math.min(Number(original), ...wanted.map(Number)));
  }

  read(target: Target): string {
    return this.#read(liveTid(this.#kernel, target));
  }

  write(target: Target, value: string): void {
    if (target.type === 'task') this.#write(target.tid, value);
  }

  kick(): void {}

  isOurs(_target: Target, written: string, _readBackThen: string | undefined, readNow: string): boolean {
    return readNow === written;
  }

  weight(): number {
    return 0;
  }

  restoreHeirs(target: Target, written: string, original: string): number {
    if (target.type !== 'task' || written !== SLACK_NS) return 0;
    return restoreEach(
      possibleHeirs(this.#kernel, target as TaskTarget, true),
      written,
      (tid) => this.#read(tid),
      (tid) => this.#write(tid, original),
    );
  }

  effect(target: Target): Effect {
    return { slack_ns: Number(this.read(target)) };
  }

  judge(_target: Target, value: string, _before: Effect, after: Effect): Judgement {
    return {
      works: after.slack_ns === Number(value),
      seen: `the kernel reads a slack of ${after.slack_ns} ns`,
    };
  }

  #read(tid: number): string {
    return this.#kernel.files.readOnce(`proc/${tid}/timerslack_ns`);
  }

  #write(tid: number, value: string): void {
    this.#kernel.files.writeOnce('proc', `proc/${tid}/timerslack_ns`, value);
  }
}
