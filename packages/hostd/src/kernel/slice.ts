/**
 * A slice: one stretch of a tracked thread on a CPU, from switch-in to switch-out, with how it was woken and
 * what was taken from it. This is the decoded view of one BPF record (`bpf/prewake.bpf.c`, `struct pw_slice`).
 *
 * Times are nanoseconds of CLOCK_MONOTONIC in a double. 0 in a time means "did not happen or is not known",
 * and {@link Slice.known} tells which: what the kernel can't provide is unknown, never zero.
 *
 * A decoder may reuse one object for all records: copy what must outlive the callback.
 */
export interface Slice {
  readonly tgid: number;
  readonly tid: number;
  readonly cpu: number;
  /** Bit set of {@link Known}: which of the fields below this kernel could fill in. */
  readonly known: number;

  // -- how the slice began --
  readonly begin: SliceBegin;
  /** What woke the thread; for `preempted` and `new`, `WakeCause.none`. */
  readonly cause: WakeCause;
  /** IRQ number (negative: it has none), softirq vector, waker's tid: by `cause`. -1 unknown. */
  readonly causeId: number;
  /**
   * The waker's comm, the kworker's work function's address resolved through kallsyms (`blk_mq_run_work_fn`), or the
   * names of the IRQ's handlers.
   */
  readonly causeName: string;
  /**
   * What was before the cause: for a softirq the IRQ that raised it, for a kworker where its work was queued. `none`
   * where nothing is known to have been.
   */
  readonly originCause: WakeCause;
  /** As {@link causeId}. */
  readonly originId: number;
  /** Of an IRQ. */
  readonly originName: string;
  /** The CPU that woke it: `cpu` itself where its own interrupt did. -1 unknown. */
  readonly wakerCpu: number;
  /** sched_waking. */
  readonly wakingAt: number;
  /** When the event itself began: entry of the IRQ or softirq, the expiry that the timer was set for, the work's queueing. */
  readonly eventAt: number;
  /** For timers: expired later than asked, nanoseconds. */
  readonly timerLateNs: number;
  /** For kworkers: from queued to run, nanoseconds. */
  readonly workQueuedNs: number;
  /** The CPU left its idle state. Before `wakingAt` where the CPU's own interrupt did it. 0: it was not idle. */
  readonly idleExitAt: number;
  /** Idle state left, -1: was not idle. */
  readonly idleState: number;
  /** Runnable since: waking, or the preemption. */
  readonly readyAt: number;
  readonly onAt: number;

  // -- how it ended --
  readonly offAt: number;
  readonly end: SliceEnd;
  /** Where the thread was in the kernel when it left the CPU (innermost container): {@link Container} bits. */
  readonly offInside: number;

  // -- what was taken from it, exclusive nanoseconds within [onAt, offAt] --
  readonly irqNs: number;
  readonly softirqNs: number;
  /** Page-fault time on CPU, without what lies within it. */
  readonly faultNs: number;
  readonly vfsNs: number;
  /** Uninterruptible sleep and block-I/O wait between the previous slice of the thread and this one, by innermost container. */
  readonly blockNs: number;
  /** Of the sleep before `wakingAt`: how long an io_uring request was outstanding that this slice then reaped. */
  readonly ioUringNs: number;
  /** CFS-bandwidth throttling between the previous slice and this one. */
  readonly throttledNs: number;
  /** Containers' inclusive time, on and off CPU. */
  readonly faultInclusiveNs: number;
  readonly vfsInclusiveNs: number;

  // -- counts --
  readonly irqs: number;
  readonly softirqs: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly vfsCalls: number;
  readonly dentryMisses: number;
  readonly blockRequests: number;
  /** CPU frequency in kHz at switch-in and the target of the policy; 0 where unknown. */
  readonly khz: number;
  readonly targetKhz: number;
}

export const SliceBegin = { woken: 0, preempted: 1, new: 2, unknown: 3 } as const;
export type SliceBegin = (typeof SliceBegin)[keyof typeof SliceBegin];

export const SliceEnd = { sleep: 0, uninterruptible: 1, preempted: 2, exit: 3, open: 4 } as const;
export type SliceEnd = (typeof SliceEnd)[keyof typeof SliceEnd];

export const WakeCause = {
  none: 0,
  hardirq: 1,
  softirq: 2,
  timer: 3,
  kworker: 4,
  task: 5,
  unknown: 6,
} as const;
export type WakeCause = (typeof WakeCause)[keyof typeof WakeCause];

/** Kernel containers that a thread can be inside of when it leaves the CPU. */
export const Container = { fault: 1, vfs: 2, block: 4, ioUring: 8 } as const;

/** Which groups of fields the loaded programs fill in. */
export const Known = {
  wakeup: 1 << 0,
  idle: 1 << 1,
  irq: 1 << 2,
  softirq: 1 << 3,
  timer: 1 << 4,
  work: 1 << 5,
  faultCount: 1 << 6,
  faultTime: 1 << 7,
  cache: 1 << 8,
  vfs: 1 << 9,
  block: 1 << 10,
  ioUring: 1 << 11,
  throttled: 1 << 12,
  frequency: 1 << 13,
  /** Runnable but not running, also where the wakeups themselves are not seen (schedstat). */
  runqueue: 1 << 14,
} as const;

/** A tracked process has forked: the kernel's own record, so that children that exit at once are counted too. */
export interface ForkRecord {
  readonly at: number;
  readonly parentTgid: number;
  readonly parentTid: number;
  readonly childTgid: number;
  readonly childTid: number;
}

export interface ExitRecord {
  readonly at: number;
  readonly tgid: number;
  readonly tid: number;
}

/** What an {@link EventRecord} is about. */
export const EventKind = {
  block: 0,
  ioUring: 1,
  work: 2,
  fault: 3,
  open: 4,
  stat: 5,
  readdir: 6,
  lookup: 7,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

/** One request or call with its own duration: for histograms of single ones, which slices only sum up. */
export interface EventRecord {
  readonly kind: EventKind;
  readonly cpu: number;
  readonly tgid: number;
  readonly tid: number;
  /** Its end. */
  readonly at: number;
  readonly durationNs: number;
  /** `work`: from queued to run, nanoseconds; 0 unknown. */
  readonly queuedNs?: number;
  /** `work`: the work function; empty unknown. */
  readonly name?: string;
  /** `io_uring`: the upper half of the request's user_data, where a program may keep the upper half of its step's id. */
  readonly stepId?: number;
}
