/**
 * Kinds of kernel time that a step can measure by itself: the categories that are the cause's own, and all that the
 * time is made of (the interrupt that ends a block wait is its innermost part).
 */
export const CLASSES = {
  block: { own: ['block'], all: ['block', 'softirq', 'irq'] },
  queue: {
    own: ['runqueue', 'wakeup.scheduling', 'wakeup.idle_exit'],
    all: ['runqueue', 'wakeup.scheduling', 'wakeup.idle_exit'],
  },
  throttled: { own: ['throttled'], all: ['throttled'] },
  timer: { own: ['timer'], all: ['timer', 'irq'] },
} as const;

export type CauseClass = keyof typeof CLASSES;

/**
 * Kinds of time that no step can measure by itself, with the causes that pay it: how long the code took that does is
 * known, and how often it did.
 */
export const PAYERS = {
  vfs: ['directory_walk', 'pool_walk'],
  page_fault: ['minor_faults', 'major_faults'],
} as const satisfies Record<string, readonly Cause[]>;

export type Paid = keyof typeof PAYERS;

/** Causes whose work libuv's thread pool does. */
export const POOLED: readonly Cause[] = ['pool_read', 'pool_walk', 'pool_zip', 'pool_hash'];

export type Cause =
  | 'cold_read'
  | 'major_faults'
  | 'minor_faults'
  | 'directory_walk'
  | 'beside_hog'
  | 'grandchild_beside_hog'
  | 'quota'
  | 'timer_slack'
  | 'pool_read'
  | 'pool_walk'
  | 'pool_zip'
  | 'pool_hash'
  | 'busy_loop'
  | 'idle';

/** What the agent is to do: one step for each cause, under a label that says nothing of it. */
export interface Plan {
  socket: string;
  /** Labels of the steps, in the order in which they are started; `causes[i]` is what step `labels[i]` does. */
  labels: string[];
  causes: Cause[];
  /** Two indices: each runs the other's code on purpose, and still claims its own. */
  swap?: [number, number];
  /** For each step a file of its own, out of the page cache. */
  files: string[];
  /** For each step that walks, folders and the names in them. */
  trees: Record<number, { folder: string; names: string[] }[]>;
  /** For each step with a quota, the control file that moves a process there, and its cpu.stat. */
  groups: Record<number, { tasks: string; stat: string }>;
  hogCpu: number;
}

/** What happened to a step by its own account, measured without Prewake. */
export interface Truth {
  label: string;
  cause: Cause;
  /** Nanoseconds by class; a class that is missing was not measured. */
  ns: Partial<Record<CauseClass, number>>;
  /** The most that it may have been, where `ns` is the least, or is not known. */
  most?: Partial<Record<CauseClass, number>>;
  /** Where others may have caused some of it, too: what no other may have. */
  alone?: Partial<Record<CauseClass, number>>;
  /**
   * When its code was in a system call or a fault that may sleep, or its requests to the pool were outstanding:
   * [from, to], nanoseconds of CLOCK_MONOTONIC.
   */
  sections?: [from: number, to: number][];
  /** The least number of its calls of the VFS: opens, stats, reads of folders. */
  vfsCalls?: number;
  minorFaults?: number;
  majorFaults?: number;
  /** How long its code was in what may pay that, by its own clock. */
  within?: Partial<Record<Paid, number>>;
  /** The least that it ran, and where that was measured the most. */
  cpuNs?: number;
  mostCpuNs?: number;
}

/** What Prewake put on a step's span. */
export interface SpanFigures {
  label: string;
  attributes: Record<string, unknown>;
}

export interface AgentResult {
  truths: Truth[];
  spans: SpanFigures[];
  /** Run-queue delay of the agent's own main thread meanwhile: whoever ran then has paid it, rightly. */
  mainQueueNs: number;
  /** The same for uninterruptible sleep of its own code outside of what was planted: locks, faults. By the witness. */
  mainBlockNs?: number;
}
