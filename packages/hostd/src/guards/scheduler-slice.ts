import type { Kernel } from '../kernel/kernel.ts';
import { defaultSlice } from '../kernel/own-scheduling.ts';
import { isNormal, RESET_ON_FORK, schedGetAttr, schedSetAttr } from '../kernel/sched-attr.ts';
import type { Availability, Effect, Judgement, Target } from './guard.ts';
import { probed } from './probed.ts';
import { type GuardSettings, utilClamp } from './settings.ts';
import { type Heirs, TaskGuard } from './task-guard.ts';
import { liveTid } from './task-target.ts';

/** Nanoseconds. */
const SLICE_NS = 300_013;
const NICE = -5;

/**
 * A shorter EEVDF slice (6.12 and later) gives a thread an earlier deadline among runnable ones; before that,
 * nice. Never a real-time class. Values are `slice=300013` (nanoseconds), `slice=default` and `nice=-5`, with
 * `,reset` behind where children start afresh (SCHED_FLAG_RESET_ON_FORK).
 */
export class SchedulerSliceGuard extends TaskGuard {
  readonly id = 'scheduler.slice';
  readonly #settings: GuardSettings;
  #usual: number | undefined;

  constructor(kernel: Kernel, settings: GuardSettings) {
    super(kernel);
    this.#settings = settings;
  }

  probe(): Availability {
    const reason =
      this.denied() ??
      (isNormal(schedGetAttr(0)) ? undefined : 'hostd itself is not in the normal scheduling class');
    this.#usual = undefined;
    return probed(
      this.id,
      reason,
      this.#usualSlice() > 0 ? 'EEVDF slice through sched_setattr' : 'no EEVDF slice (6.12): nice instead',
    );
  }

  wanted(): string {
    return this.#usualSlice() > 0 ? `slice=${SLICE_NS}` : `nice=${NICE}`;
  }

  /**
   * What is wanted is the same for all; a thread that has it better, or is not a normal one, keeps what it has. So does
   * one that has something of its own: reset-on-fork would take that from its children, and without it they inherit
   * ours, and looking for them among all of its threads would hold up every session.
   */
  strictest(target: Target, wanted: readonly string[], original: string): string {
    const now = parse(original);
    const want = parse(wanted[0] ?? '');
    if (!now || !want || target.type !== 'task') return original;
    // hostd's own place is its own business.
    if (target.tgid === process.pid) return original;
    if (typeof now.slice === 'number' && typeof want.slice === 'number' && now.slice <= want.slice)
      return original;
    if (now.nice !== undefined && want.nice !== undefined && now.nice <= want.nice) return original;
    const { nice, utilMin, utilMax } = schedGetAttr(target.tid);
    const own =
      typeof now.slice === 'number' ||
      (want.nice === undefined ? nice < 0 : nice !== 0) ||
      (utilMin !== 0 && utilMin !== utilClamp(this.#settings)) ||
      (utilMax !== 0 && utilMax !== 1024);
    return own && !now.reset ? original : format({ ...want, reset: true });
  }

  effect(target: Target): Effect {
    const { runtime, nice } = schedGetAttr(liveTid(this.kernel, target));
    return { slice_ns: runtime, nice };
  }

  judge(_target: Target, _value: string, _before: Effect, after: Effect): Judgement {
    const works = this.#usualSlice() > 0 ? after.slice_ns === SLICE_NS : (after.nice ?? 0) <= NICE;
    return { works, seen: `the kernel reads slice ${after.slice_ns} ns, nice ${after.nice}` };
  }

  /** The slice of a thread that never asked for one; 0 where the kernel has none to ask for. */
  #usualSlice(): number {
    this.#usual ??= defaultSlice();
    return this.#usual;
  }

  protected readThread(tid: number): string {
    const attr = schedGetAttr(tid);
    if (!isNormal(attr)) return 'another class';
    const usual = this.#usualSlice();
    const reset = (attr.flags & RESET_ON_FORK) !== 0;
    if (usual === 0) return format({ nice: attr.nice, reset });
    return format({ slice: attr.runtime === usual ? 'default' : attr.runtime, reset });
  }

  /** What the value does not name stays as it is. */
  protected writeThread(tid: number, value: string): void {
    const parsed = parse(value);
    if (!parsed) return;
    const now = schedGetAttr(tid);
    const flags = parsed.reset ? RESET_ON_FORK : 0;
    const runtime = typeof parsed.slice === 'number' ? parsed.slice : 0;
    schedSetAttr(this.kernel.writer, tid, { ...now, flags, nice: parsed.nice ?? now.nice, runtime });
  }

  /** With reset-on-fork there are none. */
  protected heirs(): Heirs {
    return 'none';
  }
}

interface Value {
  slice?: number | 'default' | undefined;
  nice?: number | undefined;
  reset: boolean;
}

function format({ slice, nice, reset }: Value): string {
  return `${slice === undefined ? `nice=${nice}` : `slice=${slice}`}${reset ? ',reset' : ''}`;
}

function parse(text: string): Value | undefined {
  const match = /^(slice|nice)=(default|-?\d+)(,reset)?$/.exec(text);
  if (!match) return undefined;
  const number = match[2] === 'default' ? match[2] : Number(match[2]);
  const reset = match[3] !== undefined;
  return match[1] === 'slice' ? { slice: number, reset } : { nice: Number(number), reset };
}
