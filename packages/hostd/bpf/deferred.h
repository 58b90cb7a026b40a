/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Timers and workqueues: when what woke a thread had been asked for, and when it came. */
#ifndef PREWAKE_DEFERRED_H
#define PREWAKE_DEFERRED_H

#include "context.h"
#include "event.h"

SEC("tp_btf/hrtimer_expire_entry")
int BPF_PROG(pw_hrtimer_entry, struct hrtimer *timer)
{
	u32 id;
	u64 now = bpf_ktime_get_ns();
	struct cpu_state *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	/* The soft expiry is what was asked for; the hard one has the slack added, which is lateness as well. */
	u64 asked = timer->_softexpires;

	cpu->timer_at = now;
	if (timer->base->clockid == CLOCK_MONOTONIC) {
		cpu->timer_expiry = asked;
		cpu->timer_unknown = 0;
	} else {
		cpu->timer_expiry = now;
		cpu->timer_unknown = 1;
	}
	return 0;
}

static __always_inline int timer_ends(void)
{
	u32 id;
	struct cpu_state *cpu = this_cpu(&id);

	if (cpu)
		cpu->timer_at = 0;
	return 0;
}

SEC("tp_btf/hrtimer_expire_exit")
int BPF_PROG(pw_hrtimer_exit)
{
	return timer_ends();
}

/* The timer wheel counts jiffies: how late within one is not to be known. */
SEC("tp_btf/timer_expire_entry")
int BPF_PROG(pw_timer_entry)
{
	u32 id;
	u64 now = bpf_ktime_get_ns();
	struct cpu_state *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	cpu->timer_at = now;
	cpu->timer_expiry = now;
	cpu->timer_unknown = 1;
	return 0;
}

SEC("tp_btf/timer_expire_exit")
int BPF_PROG(pw_timer_exit)
{
	return timer_ends();
}

struct running_work {
	u64 func;
	u64 queued_at; /* 0: not seen */
	u64 origin;
	u64 started_at;
	u32 woke_tgid; /* 0: has woken no tracked thread */
	u32 woke_tid;
};

struct queued_work {
	u64 at;
	u64 origin;
};

/* Work items that wait, by address. LRU: an item whose start is never seen may not stay. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct queued_work);
} queued_works SEC(".maps");

/* What each kworker is at, by tid. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct running_work);
} running_works SEC(".maps");

SEC("tp_btf/workqueue_queue_work")
int BPF_PROG(pw_work_queued, int cpu, void *pool, struct work_struct *work)
{
	u64 key = (u64)work;
	struct queued_work queued = { .at = bpf_ktime_get_ns(), .origin = origin_here() };

	remember(&queued_works, &key, &queued);
	return 0;
}

SEC("tp_btf/workqueue_execute_start")
int BPF_PROG(pw_work_start, struct work_struct *work)
{
	u64 key = (u64)work;
	u32 tid = bpf_get_current_pid_tgid();
	struct queued_work *queued = bpf_map_lookup_elem(&queued_works, &key);
	struct running_work run = {
		.func = (u64)work->func,
		.queued_at = queued ? queued->at : 0,
		.origin = queued ? queued->origin : 0,
		.started_at = bpf_ktime_get_ns(),
	};

	if (queued)
		bpf_map_delete_elem(&queued_works, &key);
	remember(&running_works, &tid, &run);
	return 0;
}

SEC("tp_btf/workqueue_execute_end")
int BPF_PROG(pw_work_end)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct running_work *work = bpf_map_lookup_elem(&running_works, &tid);

	if (!work)
		return 0;
	if (work->woke_tgid)
		write_event(PW_EV_WORK, work->woke_tgid, work->woke_tid, work->started_at, bpf_ktime_get_ns(),
			    work->queued_at ? saturate32(work->started_at - work->queued_at) : 0, work->func);
	bpf_map_delete_elem(&running_works, &tid);
	return 0;
}

#endif
