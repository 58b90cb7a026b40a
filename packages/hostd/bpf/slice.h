/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* sched_switch: a slice begins for the next thread, and ends, and is written, for the previous one. */
#ifndef PREWAKE_SLICE_H
#define PREWAKE_SLICE_H

#include "account.h"
#include "throttle.h"

static __always_inline u64 waited_throttled(struct task_state *ts, struct task_struct *task, u64 now)
{
	struct throttle_mark mark;

	read_throttle(task, &mark);
	if (mark.queue != ts->wake.throttled_queue) { /* it has moved to another runqueue, or there is no mark */
		ts->unknown |= PW_UNK_THROTTLED;
		return 0;
	}

	u64 throttled = mark.ns - ts->wake.throttled_mark;
	u64 waited = now > ts->ready_at ? now - ts->ready_at : 0;

	return throttled < waited ? throttled : waited;
}

/*
 * The CPU has left idle for this thread if it was idle until this switch, or if it left after the waking (and ran
 * something else first).
 */
static __always_inline void idle_exit(struct task_state *ts, struct cpu_state *cpu, bool was_idle)
{
	if (!cpu->idle_exit_at || !(was_idle || cpu->idle_exit_at >= ts->woken.at)) {
		if (was_idle && !cpu->idle_seen)
			ts->unknown |= PW_UNK_IDLE;
		return;
	}
	ts->idle_exit_at = cpu->idle_exit_at;
	ts->idle_state = cpu->idle_state;
	if (cpu->idle_state < 0)
		ts->unknown |= PW_UNK_IDLE;
}

static __always_inline void note_place(const struct task_state *ts, u32 tid)
{
	shared.places[tid & (MAX_PLACES - 1)] = (u64)tid << 32 | (u32)ts->completion << 16 | (u32)(ts->cpu + 1);
}

static __always_inline void begin_slice(struct task_state *ts, struct task_struct *task, struct cpu_state *cpu,
					u32 id, bool was_idle, u64 now)
{
	u64 previous_on = ts->on_at ? ts->on_at : ts->tracked_at;
	u64 off_at = ts->off_at;
	struct cpu_state *policy;

	if (ts->running) /* it has left a CPU unseen */
		__sync_fetch_and_add(&shared.lost, 1);
	ts->unknown = 0;
	ts->idle_exit_at = 0;
	ts->idle_state = -1;
	ts->woken.at = 0;
	ts->block_ns = 0;
	ts->throttled_ns = 0;

	/* A waking from before the last slice began is an old one. */
	bool woken = ts->wake.at > previous_on && (!off_at || ts->end != PW_OFF_PREEMPTED);

	if (ts->begin == PW_NEW && !off_at) {
		if (ts->ready_at == 0)
			ts->ready_at = ts->tracked_at;
	} else if (woken) {
		ts->begin = PW_WOKEN;
		ts->woken = ts->wake;
		ts->ring_at = ts->wake.ring_at;
		ts->completion = ts->wake.waker_cpu + 1;
		/* Another CPU may wake it while it is still on its way out. */
		ts->ready_at = ts->wake.at > off_at ? ts->wake.at : off_at;
		ts->unknown |= ts->wake.unknown;
		idle_exit(ts, cpu, was_idle);
		if (ts->end == PW_UNINTERRUPTIBLE && off_at)
			ts->block_ns = ts->ready_at - off_at;
		else if (ts->end == PW_UNINTERRUPTIBLE)
			ts->unknown |= PW_UNK_BLOCK;
	} else if (off_at && ts->end == PW_OFF_PREEMPTED) {
		ts->begin = PW_PREEMPTED;
		ts->ready_at = off_at;
	} else { /* followed since, or a sleeper whose waking was not traced: when that was is unknown */
		ts->begin = PW_BEGIN_UNKNOWN;
		ts->ready_at = 0;
		ts->unknown |= PW_UNK_WAKEUP | PW_UNK_BLOCK | PW_UNK_THROTTLED;
	}
	if (ts->ready_at)
		ts->throttled_ns = waited_throttled(ts, task, now);

	if (ts->end != PW_OFF_PREEMPTED) /* it may be preempted on its way to the wait */
		ts->vfork = 0;
	resume(ts, ts->running ? ts->on_at : off_at, now);
	ts->on_at = now;
	ts->cpu = id;
	note_place(ts, task->pid);
	policy = cpu_at(cpu->policy_cpu);
	ts->khz = cpu->khz;
	ts->target_khz = policy ? policy->target_khz : 0;
	if (!ts->khz || !ts->target_khz)
		ts->unknown |= PW_UNK_FREQUENCY;
	ts->min_flt = task->min_flt;
	ts->maj_flt = task->maj_flt;
}

static __always_inline u8 how_it_ends(struct task_state *ts, struct task_struct *task, bool preempt, u32 state)
{
	if (preempt || !state)
		return PW_OFF_PREEMPTED;
	if (state & EXIT_AND_DEAD)
		return PW_OFF_EXIT;
	/* A signal was pending: the sleep was called off. Since 6.12 a sleeper may stay on its runqueue for a while. */
	if (task->on_rq && !(bpf_core_field_exists(task->se.sched_delayed) && task->se.sched_delayed))
		return PW_OFF_PREEMPTED;
	/* Waiting for a vforked child is the program's wish, and idle kernel-thread-like waits are no blocking. */
	if ((state & TASK_UNINTERRUPTIBLE) && !(state & TASK_NOLOAD) && (!ts->vfork || BPF_CORE_READ_BITFIELD(task, in_iowait)))
		return PW_UNINTERRUPTIBLE;
	return PW_SLEEP;
}

/*
 * How long it has slept for requests that it then reaped: one that it made after the waking, or has back already, was
 * not waited for. What a thread of io_uring's own completes is not its own.
 */
static __always_inline u64 waited_for_ring(struct task_state *ts, struct task_struct *task)
{
	u64 from = ts->off_at ? ts->off_at : ts->tracked_at;

	if (!ts->ring_at || task->flags & PF_IO_WORKER)
		return 0;
	if (ts->ring_at > from)
		from = ts->ring_at;
	return ts->woken.at > from ? ts->woken.at - from : 0; /* woken.at is 0 where it was not woken */
}

static __always_inline void write_slice(struct task_state *ts, struct task_struct *task, u64 now)
{
	struct share share = settle(ts, now);
	struct pw_slice *r = reserve(sizeof(*r));

	if (!r)
		return;
	r->type = PW_SLICE;
	r->begin = ts->begin;
	r->end = ts->end;
	r->cpu = ts->cpu;
	r->off_inside = (inside(ts, CTX_FAULT) ? PW_IN_FAULT : 0) | (inside(ts, CTX_VFS) ? PW_IN_VFS : 0) |
			(ts->end == PW_UNINTERRUPTIBLE ? PW_IN_BLOCK : 0);
	r->idle_state = ts->idle_state;
	r->tgid = task->tgid;
	r->tid = task->pid;
	if (ts->begin == PW_WOKEN) {
		r->cause = ts->woken.cause;
		r->cause_id = ts->woken.cause_id;
		r->waker_cpu = ts->woken.waker_cpu;
		__builtin_memcpy(r->cause_comm, ts->woken.name, sizeof(r->cause_comm));
		r->event_at = ts->woken.event_at;
		r->timer_late_ns = ts->woken.timer_late_ns;
		r->work_queued_ns = ts->woken.work_queued_ns;
	} else {
		r->cause = PW_CAUSE_NONE;
		r->cause_id = -1;
		r->waker_cpu = -1;
		__builtin_memset(r->cause_comm, 0, sizeof(r->cause_comm));
		r->event_at = 0;
		r->timer_late_ns = 0;
		r->work_queued_ns = 0;
	}
	r->unknown = ts->unknown;
	r->on_at = ts->on_at;
	r->off_at = now;
	r->waking_at = ts->woken.at;
	r->idle_exit_at = ts->idle_exit_at;
	r->ready_at = ts->ready_at;
	r->block_ns = ts->block_ns;
	r->throttled_ns = ts->throttled_ns;
	r->io_uring_ns = waited_for_ring(ts, task);
	r->fault_inclusive_ns = ts->fault_inclusive_ns;
	r->vfs_inclusive_ns = ts->vfs_inclusive_ns;
	r->irq_ns = saturate32(share.irq_ns);
	r->softirq_ns = saturate32(share.softirq_ns);
	r->fault_ns = saturate32(share.fault_ns);
	r->vfs_ns = saturate32(share.vfs_ns);
	r->minor_faults = task->min_flt - ts->min_flt;
	r->major_faults = task->maj_flt - ts->maj_flt;
	r->cache_hits = ts->cache_hits;
	r->cache_misses = ts->cache_misses;
	r->irqs = saturate16(ts->irqs);
	r->softirqs = saturate16(ts->softirqs);
	r->vfs_calls = saturate16(ts->vfs_calls);
	r->dentry_misses = saturate16(ts->dentry_misses);
	r->block_requests = saturate16(ts->block_requests);
	r->reserved = 0;
	r->khz = ts->khz;
	r->target_khz = ts->target_khz;
	submit(r);
}

/*
 * It was on its CPU when we began to follow it, or the switch to it was not traced (some kernels leave out a few).
 * When it came is unknown: no sooner than it could.
 */
static __always_inline void begin_unseen(struct task_state *ts, u32 id)
{
	u64 earliest = ts->off_at ? ts->off_at : ts->tracked_at;

	if (ts->wake.at > earliest)
		earliest = ts->wake.at;
	ts->begin = PW_BEGIN_UNKNOWN;
	resume(ts, ts->off_at, earliest);
	ts->on_at = earliest;
	ts->ready_at = 0;
	ts->woken.at = 0;
	ts->idle_exit_at = 0;
	ts->idle_state = -1;
	ts->block_ns = 0;
	ts->throttled_ns = 0;
	ts->cpu = id;
	ts->unknown = PW_UNK_WAKEUP | PW_UNK_IDLE | PW_UNK_BLOCK | PW_UNK_THROTTLED | PW_UNK_FREQUENCY;
}

static __always_inline void end_slice(struct task_state *ts, struct task_struct *task, u32 id, bool preempt, u32 state,
				      u64 now)
{
	struct throttle_mark mark;

	if (!ts->running) {
		begin_unseen(ts, id);
		note_place(ts, task->pid);
	}
	ts->end = how_it_ends(ts, task, preempt, state);
	if (ts->end == PW_SLEEP && ts->cache_pending) { /* the fault is over, and has added no page */
		ts->cache_pending = 0;
		ts->cache_hits++;
	}
	write_slice(ts, task, now);

	ts->running = 0;
	ts->off_at = now;
	ts->min_flt = task->min_flt;
	ts->maj_flt = task->maj_flt;
	ts->fault_inclusive_ns = 0;
	ts->vfs_inclusive_ns = 0;
	ts->ring_at = 0;
	ts->irqs = 0;
	ts->softirqs = 0;
	ts->vfs_calls = 0;
	ts->dentry_misses = 0;
	ts->block_requests = 0;
	ts->cache_hits = 0;
	ts->cache_misses = 0;
	if (ts->end == PW_OFF_PREEMPTED) { /* ready from now on; a sleeper is from its waking */
		read_throttle(task, &mark);
		ts->wake.throttled_mark = mark.ns;
		ts->wake.throttled_queue = mark.queue;
	}
}

static __always_inline int switched(bool preempt, struct task_struct *prev, struct task_struct *next, u32 state)
{
	bool from_idle = !prev->pid, to_idle = !next->pid;
	struct task_state *ts;
	struct cpu_state *cpu;
	u64 now = 0;
	u32 id;

	cpu = this_cpu(&id);
	if (!cpu)
		return 0;
	if (!from_idle) {
		ts = state_of(prev);
		if (ts) {
			now = bpf_ktime_get_ns();
			end_slice(ts, prev, id, preempt, state, now);
		}
	}
	if (to_idle) {
		cpu->idle_exit_at = 0;
		return 0;
	}
	ts = state_of(next);
	if (ts)
		begin_slice(ts, next, cpu, id, from_idle, now ? now : bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(pw_switch, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int state)
{
	return switched(preempt, prev, next, state);
}

/* Before 5.18 the event does not carry the state, and a racing waker may have changed it: TASK_WAKING is a sleep. */
SEC("tp_btf/sched_switch")
int BPF_PROG(pw_switch_old, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return switched(preempt, prev, next, prev->__state);
}

#endif
