import type { Availability, Effect, Judgement, Target } from './guard.ts';
import { probed } from './probed.ts';
import { type Heirs, TaskGuard } from './task-guard.ts';

/** Nanoseconds; the odd end tells it from what anybody else would ask for. */
const SLACK_NS = '1013';

/** How late the kernel may fire a thread's timers so as to join them; 50 µs unless the thread asked for another. */
export class TimerSlackGuard extends TaskGuard {
  readonly id = 'timer.slack';

  probe(): Availability {
    const reason = this.kernel.files.exists('proc/self/timerslack_ns')
      ? this.denied()
      : 'no /proc/PID/timerslack_ns';
    return {
      ...probed(this.id, reason, '/proc/PID/timerslack_ns'),
      discouraged:
        'only sleeps below 50 ms gain, epoll has a slack of its own, and children born meanwhile keep it as their default',
    };
  }

  wanted(): string {
    return SLACK_NS;
  }

  strictest(_target: Target, wanted: readonly string[], original: string): string {
    // A real-time thread reads 0: it has no slack.
    return String(Math.min(Number(original), ...wanted.map(Number)));
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

  protected readThread(tid: number): string {
    return this.kernel.files.readOnce(`proc/${tid}/timerslack_ns`);
  }

  protected writeThread(tid: number, value: string): void {
    this.kernel.files.writeOnce('proc', `proc/${tid}/timerslack_ns`, value);
  }

  protected heirs(written: string): Heirs {
    return written === SLACK_NS ? 'anywhere' : 'none';
  }
}
