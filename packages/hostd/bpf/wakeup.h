/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who wakes a tracked thread. sched_waking runs in the waker's context; sched_wakeup may run on the target's CPU. */
#ifndef PREWAKE_WAKEUP_H
#define PREWAKE_WAKEUP_H

#include "state.h"
#include "throttle.h"
#include "deferred.h"
#include "interrupts.h"

/* What io_uring's own threads have completed was for the one that they wake. */
static __always_inline void take_completions(struct wake *wake, struct task_struct *waker)
{
	struct task_state *from;

	if (!(waker->flags & PF_IO_WORKER))
		return;
	from = state_of(waker);
	if (!from)
		return;
	wake->ring_at = from->ring_at;
	from->ring_at = 0;
}

static __always_inline void woken_by_task(struct wake *wake, struct task_struct *task, struct task_struct *waker)
{
	u32 tid = waker->pid;

	if (waker->flags & PF_WQ_WORKER) {
		struct running_work *work = bpf_map_lookup_elem(&running_works, &tid);

		wake->cause = PW_CAUSE_KWORKER;
		wake->cause_id = tid;
		if (!work) {
			wake->unknown |= PW_UNK_WORK;
			return;
		}
		work->woke_tgid = task->tgid;
		work->woke_tid = task->pid;
		wake->name[0] = work->func;
		wake->name[1] = work->origin;
		wake->event_at = work->queued_at ? work->queued_at : work->started_at;
		if (work->queued_at)
			wake->work_queued_ns = saturate32(work->started_at - work->queued_at);
		else
			wake->unknown |= PW_UNK_WORK;
		return;
	}
	if (!tid) { /* the idle task, outside of any interrupt that we can see */
		wake->cause = PW_CAUSE_UNKNOWN;
		return;
	}
	take_completions(wake, waker);
	wake->cause_id = tid;
	bpf_probe_read_kernel(wake->name, sizeof(wake->name), waker->comm);
}

static __always_inline void woken_by(struct wake *wake, struct task_struct *task, struct cpu_state *cpu)
{
	wake->cause_id = -1;
	wake->cause = context_of(cpu);
	switch (wake->cause) {
	case PW_CAUSE_TIMER:
		wake->event_at = cpu->timer_expiry;
		if (cpu->timer_at > cpu->timer_expiry)
			wake->timer_late_ns = saturate32(cpu->timer_at - cpu->timer_expiry);
		if (cpu->timer_unknown)
			wake->unknown |= PW_UNK_TIMER;
		break;
	case PW_CAUSE_HARDIRQ:
		wake->cause_id = cpu->irq;
		wake->event_at = cpu->irq_at;
		break;
	case PW_CAUSE_SOFTIRQ:
		wake->cause_id = cpu->softirq;
		wake->event_at = cpu->softirq_at;
		if (cpu->softirq_irq)
			wake->name[1] = origin(PW_CAUSE_HARDIRQ, irq_of(cpu->softirq_irq));
		break;
	default:
		woken_by_task(wake, task, bpf_get_current_task_btf());
	}
}

SEC("tp_btf/sched_waking")
int BPF_PROG(pw_waking, struct task_struct *task)
{
	struct task_state *ts = state_of(task);
	struct cpu_state *cpu;
	struct throttle_mark mark;
	u32 id;

	if (!ts)
		return 0;
	cpu = this_cpu(&id);
	if (!cpu)
		return 0;

	struct wake *wake = &ts->wake;

	__builtin_memset(wake, 0, sizeof(*wake));
	wake->at = bpf_ktime_get_ns();
	wake->waker_cpu = id;
	woken_by(wake, task, cpu);
	read_throttle(task, &mark);
	wake->throttled_mark = mark.ns;
	wake->throttled_queue = mark.queue;
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(pw_wakeup_new, struct task_struct *task)
{
	struct task_state *ts = state_of(task);
	struct throttle_mark mark;

	if (!ts)
		return 0;
	ts->ready_at = bpf_ktime_get_ns();
	read_throttle(task, &mark);
	ts->wake.throttled_mark = mark.ns;
	ts->wake.throttled_queue = mark.queue;
	return 0;
}

#endif
