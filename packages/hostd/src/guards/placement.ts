import { allowedCpus, setAllowedCpus } from '../kernel/affinity.ts';
import { formatCpuList, parseCpuList } from '../kernel/cpus.ts';
import type { Availability, Effect, Judgement, Target, WindowRequest } from './guard.ts';
import { probed } from './probed.ts';
import { type Heirs, TaskGuard } from './task-guard.ts';
import { liveTid } from './task-target.ts';

/** Keeps a thread on the CPUs that are armed for it. Off unless it is asked for. */
export class PlacementGuard extends TaskGuard {
  readonly id = 'placement';

  probe(): Availability {
    const reason = this.denied();
    return {
      ...probed(this.id, reason, 'sched_setaffinity'),
      discouraged: 'off by default: it takes the choice of a better CPU from the scheduler',
    };
  }

  override targets(window: WindowRequest): Target[] {
    return window.cpus.length === 0 ? [] : super.targets(window);
  }

  wanted(_target: Target, window: WindowRequest): string {
    return formatCpuList(window.cpus);
  }

  /** The newest wish, as far as the thread may run there. */
  strictest(_target: Target, wanted: readonly string[], original: string): string {
    const may = parseCpuList(original);
    const both = parseCpuList(wanted.at(-1) ?? '').filter((cpu) => may.includes(cpu));
    return both.length === 0 ? original : formatCpuList(both);
  }

  effect(target: Target): Effect {
    return { cpus: allowedCpus(liveTid(this.kernel, target)).length };
  }

  judge(_target: Target, value: string, _before: Effect, after: Effect): Judgement {
    return {
      works: after.cpus === parseCpuList(value).length,
      seen: `the thread may run on ${after.cpus} CPUs`,
    };
  }

  protected readThread(tid: number): string {
    return formatCpuList(allowedCpus(tid));
  }

  protected writeThread(tid: number, value: string): void {
    setAllowedCpus(this.kernel.writer, tid, parseCpuList(value));
  }

  /** A child that asked for the very same CPUs itself can't be told from an heir, so only the thread's own are looked at. */
  protected heirs(): Heirs {
    return 'below';
  }
}
