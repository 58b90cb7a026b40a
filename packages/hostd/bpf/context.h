/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What this CPU is in the middle of. */
#ifndef PREWAKE_CONTEXT_H
#define PREWAKE_CONTEXT_H

#include "state.h"

/* Of timer, hard and soft interrupt the one that was entered last, for they nest; PW_CAUSE_TASK in none of them. */
static __always_inline u8 context_of(struct cpu_state *cpu)
{
	u64 irq_at = cpu->irq_at, softirq_at = cpu->softirq_at, timer_at = cpu->timer_at;

	if (timer_at && timer_at >= irq_at && timer_at >= softirq_at)
		return PW_CAUSE_TIMER;
	if (irq_at && irq_at >= softirq_at)
		return PW_CAUSE_HARDIRQ;
	return softirq_at ? PW_CAUSE_SOFTIRQ : PW_CAUSE_TASK;
}

/* What was before a softirq or a work item, in eight bytes: the IRQ that raised it, or where it was queued. */
static __always_inline u64 origin(u8 cause, s32 id)
{
	return (u64)cause << 32 | (u32)id;
}

/* Where we are, for a later one that is queued here. */
static __always_inline u64 origin_here(void)
{
	struct task_struct *task;
	struct cpu_state *cpu;
	u8 cause;
	u32 id;

	cpu = this_cpu(&id);
	if (!cpu)
		return 0;
	cause = context_of(cpu);
	if (cause == PW_CAUSE_HARDIRQ)
		return origin(cause, cpu->irq);
	if (cause == PW_CAUSE_SOFTIRQ)
		return origin(cause, cpu->softirq);
	if (cause == PW_CAUSE_TIMER)
		return origin(cause, -1);
	task = bpf_get_current_task_btf();
	if (!task->pid) /* the idle task, outside of any interrupt that we can see */
		return origin(PW_CAUSE_UNKNOWN, -1);
	return origin(task->flags & PF_WQ_WORKER ? PW_CAUSE_KWORKER : PW_CAUSE_TASK, task->pid);
}

#endif
