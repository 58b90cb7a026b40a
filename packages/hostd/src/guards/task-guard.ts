import type { Kernel } from '../kernel/kernel.ts';
import { schedulingDenied } from '../kernel/tasks.ts';
import type { Availability, Effect, Guard, GuardId, Judgement, Target, WindowRequest } from './guard.ts';
import { isLive, liveTid, possibleHeirs, restoreEach, taskTargets } from './task-target.ts';

/** Where threads that inherited a value may be: `below` the target's process, or on all of the machine once it is gone. */
export type Heirs = 'none' | 'below' | 'anywhere';

/** What all guards of threads share. A control of a thread outlives its setter, and children inherit it. */
export abstract class TaskGuard implements Guard {
  abstract readonly id: GuardId;
  protected readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  abstract probe(): Availability;
  abstract wanted(target: Target, window: WindowRequest): string;
  abstract strictest(target: Target, wanted: readonly string[], original: string): string;
  abstract effect(target: Target): Effect;
  abstract judge(target: Target, value: string, before: Effect, after: Effect): Judgement;
  protected abstract readThread(tid: number): string;
  protected abstract writeThread(tid: number, value: string): void;
  protected abstract heirs(written: string): Heirs;

  /** Why hostd may not change threads, where it is to. */
  protected denied(): string | undefined {
    return this.kernel.dryRun ? undefined : schedulingDenied(this.kernel.files);
  }

  targets(window: WindowRequest): Target[] {
    return taskTargets(window);
  }

  read(target: Target): string {
    return this.readThread(liveTid(this.kernel, target));
  }

  write(target: Target, value: string): void {
    if (target.type === 'task') this.writeThread(target.tid, value);
  }

  kick(): void {}

  isOurs(_target: Target, written: string, _readBackThen: string | undefined, readNow: string): boolean {
    return readNow === written;
  }

  /** Costs no energy of its own. */
  weight(): number {
    return 0;
  }

  restoreHeirs(target: Target, written: string, original: string, claimed: Iterable<Target>): number {
    const where = this.heirs(written);
    if (target.type !== 'task' || where === 'none') return 0;
    const claims = new Map<number, Target>();
    for (const other of claimed) if (other.type === 'task') claims.set(other.tid, other);
    return restoreEach(
      possibleHeirs(this.kernel, target, where === 'anywhere'),
      written,
      (tid) => this.readThread(tid),
      (tid) => isLive(this.kernel, claims.get(tid)),
      (tid) => this.writeThread(tid, original),
    );
  }
}
