import type { KernelCategory } from '@prewake/sdk/protocol';
import type { CategorySource } from '../../slowpath/recorder.ts';
import { Known } from '../../slowpath/slice.ts';

/** What must exist in the kernel's BTF for a program to load: a tracepoint or a function. */
export interface Program {
  name: string;
  tracepoint?: string;
  func?: string;
}

/** Programs that make sense only together. All of them are attached, or none. */
export interface ProgramGroup {
  name: string;
  tier: CategorySource['tier'];
  programs: readonly Program[];
  /** Bits of {@link Known} that it fills in. */
  known: number;
  categories: readonly KernelCategory[];
  /** Groups with the same alternative name are tiers of one thing, best first: the first that works is used. */
  alternative?: string;
}

/** The programs without which there are no slices. `pw_switch_old` replaces `pw_switch` before Linux 5.18. */
export const CORE_PROGRAMS: readonly Program[] = [
  { name: 'pw_newtask', tracepoint: 'task_newtask' },
  { name: 'pw_exit', tracepoint: 'sched_process_exit' },
  { name: 'pw_waking', tracepoint: 'sched_waking' },
  { name: 'pw_wakeup_new', tracepoint: 'sched_wakeup_new' },
  { name: 'pw_switch', tracepoint: 'sched_switch' },
];
export const OLD_SWITCH = 'pw_switch_old';
export const SEED = 'pw_seed';
export const CORE_KNOWN: number = Known.wakeup | Known.runqueue | Known.faultCount;
export const CORE_CATEGORIES: readonly KernelCategory[] = ['wakeup.scheduling', 'runqueue'];

const pair = (entry: string, exit: string, tracepoint: string): Program[] => [
  { name: entry, tracepoint: `${tracepoint}_entry` },
  { name: exit, tracepoint: `${tracepoint}_exit` },
];

export const PROGRAM_GROUPS: readonly ProgramGroup[] = [
  {
    name: 'idle',
    tier: 'tp_btf',
    programs: [{ name: 'pw_cpu_idle', tracepoint: 'cpu_idle' }],
    known: Known.idle,
    categories: ['wakeup.idle_exit'],
  },
  {
    name: 'irq',
    tier: 'tp_btf',
    programs: pair('pw_irq_entry', 'pw_irq_exit', 'irq_handler'),
    known: Known.irq,
    categories: ['irq'],
  },
  // On x86-64 the tick and cross-calls have events of their own, on arm64 all inter-processor interrupts share one.
  {
    name: 'irq.tick',
    tier: 'tp_btf',
    programs: pair('pw_tick_entry', 'pw_tick_exit', 'local_timer'),
    known: 0,
    categories: [],
  },
  {
    name: 'irq.call',
    tier: 'tp_btf',
    programs:
      process.arch === 'arm64'
        ? pair('pw_ipi_entry', 'pw_ipi_exit', 'ipi')
        : pair('pw_ipi_entry', 'pw_ipi_exit', 'call_function_single'),
    known: 0,
    categories: [],
  },
  {
    name: 'softirq',
    tier: 'tp_btf',
    programs: pair('pw_softirq_entry', 'pw_softirq_exit', 'softirq'),
    known: Known.softirq,
    categories: ['softirq'],
  },
  {
    name: 'timer',
    tier: 'tp_btf',
    programs: [
      ...pair('pw_hrtimer_entry', 'pw_hrtimer_exit', 'hrtimer_expire'),
      ...pair('pw_timer_entry', 'pw_timer_exit', 'timer_expire'),
    ],
    known: Known.timer,
    categories: ['timer'],
  },
  {
    name: 'work',
    tier: 'tp_btf',
    programs: [
      { name: 'pw_work_queued', tracepoint: 'workqueue_queue_work' },
      { name: 'pw_work_start', tracepoint: 'workqueue_execute_start' },
      { name: 'pw_work_end', tracepoint: 'workqueue_execute_end' },
    ],
    known: Known.work,
    categories: ['workqueue'],
  },
  {
    name: 'frequency',
    tier: 'tp_btf',
    programs: [{ name: 'pw_cpu_frequency', tracepoint: 'cpu_frequency' }],
    known: Known.frequency,
    categories: ['frequency'],
  },
];
