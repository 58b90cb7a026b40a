/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the recorder writes to the ring. docs/recorder.md has the same layout for people, and
 * src/kernel/bpf/record-layout.ts for the decoder; a test compares all three with the object's BTF.
 *
 * Little-endian, every record a multiple of 8 bytes. Times are nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef PREWAKE_RECORD_H
#define PREWAKE_RECORD_H

enum pw_type { PW_SLICE = 1, PW_FORK = 2, PW_EXIT = 3, PW_EVENT = 4 };

enum pw_begin { PW_WOKEN = 0, PW_PREEMPTED = 1, PW_NEW = 2, PW_BEGIN_UNKNOWN = 3 };

enum pw_end { PW_SLEEP = 0, PW_UNINTERRUPTIBLE = 1, PW_OFF_PREEMPTED = 2, PW_OFF_EXIT = 3 };

enum pw_cause {
	PW_CAUSE_NONE = 0,
	PW_CAUSE_HARDIRQ = 1,
	PW_CAUSE_SOFTIRQ = 2,
	PW_CAUSE_TIMER = 3,
	PW_CAUSE_KWORKER = 4,
	PW_CAUSE_TASK = 5,
	PW_CAUSE_UNKNOWN = 6,
};

/* Interrupts without a number of their own. */
enum pw_irq { PW_IRQ_UNKNOWN = -1, PW_IRQ_TICK = -2, PW_IRQ_CALL = -3 };

/* Where a thread was in the kernel. */
enum pw_container { PW_IN_FAULT = 1, PW_IN_VFS = 2, PW_IN_BLOCK = 4, PW_IN_IO_URING = 8 };

/* Groups of fields that this slice could not fill in although the programs for them are attached. */
enum pw_unknown {
	PW_UNK_WAKEUP = 1 << 0,
	PW_UNK_IDLE = 1 << 1,
	PW_UNK_TIMER = 1 << 4,
	PW_UNK_WORK = 1 << 5,
	PW_UNK_FAULT_COUNT = 1 << 6,
	PW_UNK_BLOCK = 1 << 10,
	PW_UNK_THROTTLED = 1 << 12,
	PW_UNK_FREQUENCY = 1 << 13,
};

/* 192 bytes. u32 durations and counts saturate. */
struct pw_slice {
	u8 type;
	u8 begin;
	u8 end;
	u8 cause;
	u16 cpu;
	u8 off_inside;
	s8 idle_state;
	u32 tgid;
	u32 tid;
	s32 cause_id;
	s16 waker_cpu;
	u16 unknown;
	union {
		char cause_comm[16]; /* of a task */
		struct {
			u64 cause_func; /* of a kworker */
			s32 origin_id;
			u8 origin; /* enum pw_cause: the IRQ behind a softirq; where a kworker's work was queued */
		};
	};
	u64 on_at;
	u64 off_at;
	u64 waking_at;
	u64 event_at;
	u64 idle_exit_at;
	u64 ready_at;
	u64 block_ns;
	u64 throttled_ns;
	u64 io_uring_ns;
	u64 fault_inclusive_ns;
	u64 vfs_inclusive_ns;
	u32 timer_late_ns;
	u32 work_queued_ns;
	u32 irq_ns;
	u32 softirq_ns;
	u32 fault_ns;
	u32 vfs_ns;
	u32 minor_faults;
	u32 major_faults;
	u32 cache_hits;
	u32 cache_misses;
	u16 irqs;
	u16 softirqs;
	u16 vfs_calls;
	u16 dentry_misses;
	u16 block_requests;
	u16 reserved;
	u32 khz;
	u32 target_khz;
};

struct pw_fork {
	u8 type;
	u8 pad[3];
	u32 parent_tgid;
	u32 parent_tid;
	u32 child_tgid;
	u32 child_tid;
	u32 clone_flags;
	u64 at;
};

struct pw_exit {
	u8 type;
	u8 pad[3];
	u32 tgid;
	u32 tid;
	u32 pad2;
	u64 at;
};

/* One call or request with its own duration, where a histogram of single events is asked for. */
enum pw_event_kind {
	PW_EV_BLOCK = 0,
	PW_EV_IO_URING = 1,
	PW_EV_WORK = 2,
	PW_EV_FAULT = 3,
	PW_EV_OPEN = 4,
	PW_EV_STAT = 5,
	PW_EV_READDIR = 6,
	PW_EV_LOOKUP = 7,
};

struct pw_event {
	u8 type;
	u8 kind;
	u16 cpu;
	u32 tgid;
	u32 tid;
	u32 extra;    /* block: bytes; work: queued to run, ns */
	u64 at;       /* end */
	u64 duration; /* ns */
	u64 id;       /* io_uring: user_data; work: the function */
};

#endif
