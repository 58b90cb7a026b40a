/** Byte offsets of the records in the ring: `bpf/record.h`. A test compares them with the object's BTF. */

export const RecordType = { slice: 1, fork: 2, exit: 3, event: 4 } as const;

export const SLICE_BYTES = 192;

export const SliceOffset = {
  type: 0,
  begin: 1,
  end: 2,
  cause: 3,
  cpu: 4,
  off_inside: 6,
  idle_state: 7,
  tgid: 8,
  tid: 12,
  cause_id: 16,
  waker_cpu: 20,
  unknown: 22,
  cause_comm: 24,
  origin_id: 32,
  origin: 36,
  on_at: 40,
  off_at: 48,
  waking_at: 56,
  event_at: 64,
  idle_exit_at: 72,
  ready_at: 80,
  block_ns: 88,
  throttled_ns: 96,
  io_uring_ns: 104,
  fault_inclusive_ns: 112,
  vfs_inclusive_ns: 120,
  timer_late_ns: 128,
  work_queued_ns: 132,
  irq_ns: 136,
  softirq_ns: 140,
  fault_ns: 144,
  vfs_ns: 148,
  minor_faults: 152,
  major_faults: 156,
  cache_hits: 160,
  cache_misses: 164,
  irqs: 168,
  softirqs: 170,
  vfs_calls: 172,
  dentry_misses: 174,
  block_requests: 176,
  reserved: 178,
  khz: 180,
  target_khz: 184,
} as const;

export const ForkOffset = {
  type: 0,
  parent_tgid: 4,
  parent_tid: 8,
  child_tgid: 12,
  child_tid: 16,
  clone_flags: 20,
  at: 24,
} as const;

export const ExitOffset = { type: 0, tgid: 4, tid: 8, at: 16 } as const;

export const EventOffset = {
  type: 0,
  kind: 1,
  cpu: 2,
  tgid: 4,
  tid: 8,
  extra: 12,
  at: 16,
  duration: 24,
  id: 32,
} as const;

/** `struct shared`, at the start of .bss. */
export const SharedOffset = {
  lost: 0,
  pressure: 8,
  half_ring: 16,
  detail: 24,
  seed_tgid: 32,
  seed_outer: 40,
  seed_among: 48,
  unseed_root: 56,
  unseed_heir: 64,
  cpus: 128,
  places: 131_200,
} as const;

/** `struct cpu_state`. */
export const CPU_STATE_BYTES = 128;
export const MAX_CPUS = 1024;
export const MAX_PLACES = 4096;
export const CpuStateOffset = { khz: 44, target_khz: 48, policy_cpu: 52 } as const;
