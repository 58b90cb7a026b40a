import type { KernelCategory } from '@prewake/sdk/protocol';
import type { CategorySource } from '../recorder.ts';
import { Known } from '../slice.ts';

/** What must exist in the kernel's BTF for a program to load: a tracepoint or a function. */
export interface Program {
  name: string;
  tracepoint?: string;
  func?: string;
}

/** Programs that make sense only together. All of them are attached, or none. */
export interface ProgramGroup {
  tier: CategorySource['tier'];
  programs: readonly Program[];
  /** Bits of {@link Known} that it fills in. */
  known: number;
  categories: readonly KernelCategory[];
  /** Groups of one name are tiers of one thing, best first: the first that works is used. */
  name: string;
  /** Functions that the kernel must have, where the group has no program of its own that attaches to them. */
  needs?: readonly string[];
  /** What its categories are without although it is attached, as {@link CategorySource.reason} has it. */
  lacks?: string;
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
/** Uninterruptible sleep is the scheduler's to tell. */
export const CORE_KNOWN: number = Known.wakeup | Known.runqueue | Known.faultCount | Known.block;
export const CORE_CATEGORIES: readonly KernelCategory[] = ['wakeup.scheduling', 'runqueue', 'block'];

const pair = (entry: string, exit: string, tracepoint: string): Program[] => [
  { name: entry, tracepoint: `${tracepoint}_entry` },
  { name: exit, tracepoint: `${tracepoint}_exit` },
];

const container = (name: string, func: string): Program[] => [
  { name: `pw_${name}_entry`, func },
  { name: `pw_${name}_exit`, func },
];

/** Programs on functions in their two tiers. */
function byProbe(
  name: string,
  categories: readonly KernelCategory[],
  known: number,
  programs: readonly Program[],
): ProgramGroup[] {
  const kprobes = programs.map((program) => ({ ...program, name: `${program.name}_k` }));
  return [
    { name, tier: 'fentry', programs, known, categories },
    { name, tier: 'kprobe', programs: kprobes, known, categories },
  ];
}

const X86_VECTORS = [
  ['tick', 'local_timer'],
  ['call_one', 'call_function_single'],
  ['call_many', 'call_function'],
] as const;

/** The same in every tier. */
const CACHE_LACKS = 'counts only: the wait for a missing page is in block';
const CACHE_ADD: Program = { name: 'pw_cache_add', tracepoint: 'mm_filemap_add_to_page_cache' };

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
  // On x86-64 the tick and cross-calls have events of their own; on arm64 they have handlers like all others.
  ...(process.arch === 'x64' ? X86_VECTORS : []).map(
    ([name, event]): ProgramGroup => ({
      name: `irq.${name}`,
      tier: 'tp_btf',
      programs: pair(`pw_${name}_entry`, `pw_${name}_exit`, event),
      known: 0,
      categories: [],
    }),
  ),
  {
    name: 'softirq',
    tier: 'tp_btf',
    programs: pair('pw_softirq_entry', 'pw_softirq_exit', 'softirq'),
    known: Known.softirq,
    categories: ['softirq'],
  },
  // Which interrupt is behind a softirq.
  {
    name: 'softirq.raise',
    tier: 'tp_btf',
    programs: [{ name: 'pw_softirq_raise', tracepoint: 'softirq_raise' }],
    known: 0,
    categories: [],
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
  {
    name: 'frequency limits',
    tier: 'tp_btf',
    programs: [{ name: 'pw_frequency_limits', tracepoint: 'cpu_frequency_limits' }],
    known: 0,
    categories: [],
  },
  // Counts of block requests, and their durations; the time that threads wait for them is the core's.
  {
    name: 'block requests',
    tier: 'tp_btf',
    programs: [
      { name: 'pw_block_getrq', tracepoint: 'block_getrq' },
      { name: 'pw_block_issue', tracepoint: 'block_rq_issue' },
      { name: 'pw_block_complete', tracepoint: 'block_rq_complete' },
    ],
    known: 0,
    categories: [],
  },
  ...['pw_ring_submit', 'pw_ring_submit_old'].map(
    (submit): ProgramGroup => ({
      name: 'io_uring',
      tier: 'tp_btf',
      programs: [
        {
          name: submit,
          tracepoint: submit === 'pw_ring_submit' ? 'io_uring_submit_req' : 'io_uring_submit_sqe',
        },
        { name: 'pw_ring_complete', tracepoint: 'io_uring_complete' },
      ],
      known: Known.ioUring,
      categories: ['io_uring'],
    }),
  ),
  {
    name: 'page cache',
    tier: 'tp_btf',
    programs: [
      CACHE_ADD,
      { name: 'pw_cache_get', tracepoint: 'mm_filemap_get_pages' },
      { name: 'pw_cache_fault', tracepoint: 'mm_filemap_fault' },
    ],
    known: Known.cache,
    categories: ['page_cache'],
    lacks: CACHE_LACKS,
  },
  ...byProbe('page cache', ['page_cache'], Known.cache, [
    { name: 'pw_accessed', func: 'folio_mark_accessed' },
  ]).map(
    (group): ProgramGroup => ({
      ...group,
      programs: [CACHE_ADD, ...group.programs],
      lacks: CACHE_LACKS,
    }),
  ),
  ...byProbe('fault', ['page_fault'], Known.faultTime, container('fault', 'handle_mm_fault')),
  // min_flt and maj_flt of the task, read at each switch.
  {
    name: 'fault',
    tier: 'counters',
    programs: [],
    known: 0,
    categories: ['page_fault'],
    lacks: 'counts only',
  },
  ...byProbe('vfs', ['vfs'], Known.vfs, [
    ...container('open', 'do_filp_open'),
    ...container('lookup', 'filename_lookup'),
    ...container('readdir', 'iterate_dir'),
  ]),
  // Static in the kernel, so that a compiler may have inlined it: its look-up is in vfs anyway.
  ...byProbe('vfs stat', [], 0, container('stat', 'vfs_statx')),
  ...byProbe('vfs dentry', [], 0, [{ name: 'pw_dentry', func: 'd_alloc_parallel' }]),
  // The runqueue's own sum of throttled time, read at each switch.
  {
    name: 'throttled',
    tier: 'counters',
    programs: [],
    needs: ['unthrottle_cfs_rq'],
    known: Known.throttled,
    categories: ['throttled'],
  },
];
