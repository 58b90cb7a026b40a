/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is remembered for each tracked thread and each CPU, and the way out: the ring. */
#ifndef PREWAKE_STATE_H
#define PREWAKE_STATE_H

#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "record.h"

#define MAX_CPUS 1024
#define MAX_DEPTH 8 /* a power of two */
#define MAX_PLACES 4096 /* a power of two */
#define MAX_SOFTIRQS 16 /* a power of two */

struct wake {
	u64 at;
	u64 event_at;
	u64 name[2]; /* the waker's comm; or the work function and the origin */
	u64 throttled_mark;
	u64 throttled_queue;
	u64 ring_at; /* of what io_uring's thread has completed that woke it */
	s32 cause_id;
	u32 timer_late_ns;
	u32 work_queued_ns;
	s16 waker_cpu;
	u8 cause;
	u8 unknown; /* PW_UNK_TIMER, PW_UNK_WORK */
};

/* What a thread's own time on the CPU is charged to: the innermost that has been entered. */
enum pw_context { CTX_SELF = 0, CTX_FAULT = 1, CTX_VFS = 2, CTX_MAX = 4 };

struct frame {
	u64 entered_at;
	u32 kind; /* enum pw_context */
	u32 call; /* enum pw_event_kind: of which function */
};

/* What contexts have had, until a time of the thread's own clock, and how many of them it is in since. */
struct spent {
	u64 until;
	u64 ns[CTX_MAX];
	u32 depth;
};

struct account {
	u64 off_ns;     /* written by the switch */
	u64 irq_ns;     /* by hard interrupts */
	u64 softirq_ns; /* by soft ones, without the hard ones within them */
	u64 softirq_clock; /* the thread's own clock when the soft one began; 0: not in one that was seen to begin */
	struct frame stack[MAX_DEPTH];
	struct spent spent[2]; /* by faults and calls: the one whose turn it is not is being written */
	u32 turn;
	/* What slices have told, by the switch. */
	u64 told_irq_ns, told_softirq_ns, told_ns[CTX_MAX];
};

struct task_state {
	u32 root; /* tgid that was asked for; this thread is of it, or of a descendant that has none nearer */
	u64 on_at;
	u64 off_at;
	u64 tracked_at;
	u64 ready_at;
	struct account account;
	struct wake wake; /* the last; it may already be the next slice's while this one is on its way out */

	/* of the slice that is running */
	struct wake woken;
	u64 idle_exit_at;
	u64 block_ns;
	u64 throttled_ns;
	u64 min_flt, maj_flt;
	u32 khz, target_khz;
	u16 unknown;
	u8 begin;
	s8 idle_state;
	u16 cpu;
	u16 completion; /* the CPU whose event woke it last, + 1 */
	u8 end; /* how the one before ended */
	u8 vfork;
	u8 running; /* seen to get on a CPU, and not off it yet */

	/* counted since the last switch-out */
	u64 fault_inclusive_ns, vfs_inclusive_ns;
	u64 ring_at; /* when the first submitted of the io_uring requests was that it reaped; 0: none */
	u32 irqs, softirqs, vfs_calls, dentry_misses, block_requests, cache_hits, cache_misses, cache_adds;
	u32 cache_pending;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* the loader sets its own */
} ring SEC(".maps");

struct cpu_state {
	u64 idle_exit_at;
	u64 irq_at; /* 0: not in one */
	u64 softirq_at;
	u64 timer_at;
	u64 timer_expiry;
	s32 irq;
	u32 khz; /* last requested, 0: unknown; the loader fills in what it can at attach */
	u32 target_khz; /* of the policy that this CPU stands for */
	u32 policy_cpu; /* the one that stands for this CPU's policy */
	s8 idle_state; /* of the idle period that ended at idle_exit_at */
	u8 idle_seen;
	u8 softirq;
	u8 timer_unknown;
	/* IRQs as irq_code() has them, 0: none. */
	s32 softirq_irq; /* which raised the softirq that runs */
	s32 raised_by[MAX_SOFTIRQS]; /* which has raised one that is still to run */
} __attribute__((aligned(64))); /* two cache lines */

/* Mapped by the loader, at offset 0 of .bss: this stays the only global variable. */
struct shared {
	u64 lost;        /* records that did not fit, and what could not be remembered for one */
	u64 pressure;    /* the reader has been woken and has not read yet */
	u64 half_ring;   /* bytes */
	u64 detail;      /* bit set of pw_event_kind: which single events are written */
	u64 seed_tgid;   /* whom the iterator is to follow, or 0 */
	u64 seed_outer;  /* answer: the root that the process had before */
	u64 seed_among;  /* whose descendants get seed_tgid for a root where they are its as well, or 0 */
	u64 unseed_root; /* whose descendants it is to forget; ~0: everybody's */
	u64 unseed_heir; /* the root that has them from now on, or 0 */
	/* No room: they make the object's BTF carry the layouts, for the test that compares them. */
	struct pw_slice slice_layout[0];
	struct pw_fork fork_layout[0];
	struct pw_exit exit_layout[0];
	struct pw_event event_layout[0];
	u64 reserved[7];
	struct cpu_state cpus[MAX_CPUS];
	/* Where threads are, or last were, by the low bits of their tid: tid << 32 | (completion + 1) << 16 | (cpu + 1). */
	u64 places[MAX_PLACES];
} shared;

static __always_inline struct cpu_state *cpu_at(u32 id)
{
	if (id >= MAX_CPUS)
		return NULL;
	barrier_var(id); /* keeps the mask, from which the verifier knows the bound */
	return &shared.cpus[id & (MAX_CPUS - 1)];
}

static __always_inline struct cpu_state *this_cpu(u32 *id)
{
	*id = bpf_get_smp_processor_id();
	return cpu_at(*id);
}

static __always_inline struct task_state *state_of(struct task_struct *task)
{
	/* Most threads have no storage at all, and the call is dearer than the look. */
	if (bpf_core_field_exists(task->bpf_storage) && !task->bpf_storage)
		return NULL;
	return bpf_task_storage_get(&tasks, task, NULL, 0);
}

static __always_inline struct task_state *current_state(void)
{
	return state_of(bpf_get_current_task_btf());
}

/* Where there is no room for one, its end will tell nothing. */
static __always_inline void remember(void *map, const void *key, const void *value)
{
	if (bpf_map_update_elem(map, key, value, BPF_ANY))
		__sync_fetch_and_add(&shared.lost, 1);
}

static __always_inline void *reserve(u64 size)
{
	void *record = bpf_ringbuf_reserve(&ring, size, 0);

	if (!record)
		__sync_fetch_and_add(&shared.lost, 1);
	return record;
}

/* The reader sleeps until the ring is half full, and is woken once, not for each record beyond. */
static __always_inline void submit(void *record)
{
	u64 flags = BPF_RB_NO_WAKEUP;

	if (!shared.pressure && bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= shared.half_ring) {
		shared.pressure = 1;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(record, flags);
}

static __always_inline u32 saturate32(u64 value)
{
	return value > 0xffffffffULL ? 0xffffffffU : value;
}

static __always_inline u16 saturate16(u32 value)
{
	return value > 0xffff ? 0xffff : value;
}

#endif
