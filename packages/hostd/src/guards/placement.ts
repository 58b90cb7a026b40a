import { allowedCpus, setAllowedCpus } from '../kernel/affinity.ts';
import { formatCpuList, parseCpuList } from '../kernel/cpus.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { schedulingDenied } from '../kernel/tasks.ts';
import type { Availability, Effect, Guard, Judgement, Target, WindowRequest } from './guard.ts';
import { liveTid, possibleHeirs, restoreEach, type TaskTarget, taskTargets } from './task-target.ts';

/** Keeps a thread on the CPUs that are armed for it. Off unless it is asked for. */
export class PlacementGuard implements Guard {
  readonly id = 'placement';
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  probe(): Availability {
    const reason = this.#kernel.dryRun ? undefined : schedulingDenied(this.#kernel.files);
    return {
      guard: this.id,
      available: reason === undefined,
      chosen: false,
      reason: reason ?? 'sched_setaffinity',
      discouraged: 'off by default: it takes the choice of a better CPU from the scheduler',
    };
  }

  targets(window: WindowRequest): Target[] {
    return window.cpus.length === 0 ? [] : taskTargets(window);
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

  read(target: Target): string {
    return formatCpuList(allowedCpus(liveTid(this.#kernel, target)));
  }

  write(target: Target, value: string): void {
    if (target.type === 'task') setAllowedCpus(this.#kernel.writer, target.tid, parseCpuList(value));
  }

  kick(): void {}

  isOurs(_target: Target, written: string, _readBackThen: string | undefined, readNow: string): boolean {
    return readNow === written;
  }

  weight(): number {
    return 0;
  }

  /** A child that asked for the very same CPUs itself can't be told from an heir, so only the thread's own are looked at. */
  restoreHeirs(target: Target, written: string, original: string): number {
    if (target.type !== 'task') return 0;
    return restoreEach(
      possibleHeirs(this.#kernel, target as TaskTarget, false),
      written,
      (tid) => formatCpuList(allowedCpus(tid)),
      (tid) => setAllowedCpus(this.#kernel.writer, tid, parseCpuList(original)),
    );
  }

  effect(target: Target): Effect {
    return { cpus: allowedCpus(liveTid(this.#kernel, target)).length };
  }

  judge(_target: Target, value: string, _before: Effect, after: Effect): Judgement {
    return {
      works: after.cpus === parseCpuList(value).length,
      seen: `the thread may run on ${after.cpus} CPUs`,
    };
  }
}
