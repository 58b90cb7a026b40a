/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Hard and soft interrupts: what they take from a tracked thread, and the context that a wakeup comes from. */
#ifndef PREWAKE_INTERRUPTS_H
#define PREWAKE_INTERRUPTS_H

#include "account.h"

static __always_inline int irq_begins(s32 irq)
{
	u32 id;
	u64 now = bpf_ktime_get_ns();
	struct cpu_state *cpu = this_cpu(&id);

	if (!cpu)
		return 0;
	cpu->irq = irq;
	cpu->irq_at = now;
	return 0;
}

static __always_inline int irq_ends(void)
{
	u32 id;
	struct cpu_state *cpu = this_cpu(&id);
	struct task_state *ts;
	u64 began;

	if (!cpu || !cpu->irq_at)
		return 0;
	began = cpu->irq_at;
	cpu->irq_at = 0;
	ts = current_state();
	if (ts)
		hard_interrupt(ts, began, bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(pw_irq_entry, int irq)
{
	return irq_begins(irq);
}

SEC("tp_btf/irq_handler_exit")
int BPF_PROG(pw_irq_exit)
{
	return irq_ends();
}

#if defined(__TARGET_ARCH_x86)
/*
 * On x86-64 these are no irq_handler's, and each has events of its own. Not the reschedule interrupt: it is over at once,
 * and comes with many a wakeup, which would then cost two more programs. Nor IRQ work, which tracing itself makes most.
 */
#define VECTOR(name, event, irq)           \
	SEC("tp_btf/" #event "_entry")     \
	int BPF_PROG(pw_##name##_entry)    \
	{                                  \
		return irq_begins(irq);    \
	}                                  \
	SEC("tp_btf/" #event "_exit")      \
	int BPF_PROG(pw_##name##_exit)     \
	{                                  \
		return irq_ends();         \
	}

VECTOR(tick, local_timer, PW_IRQ_TICK)
VECTOR(call_one, call_function_single, PW_IRQ_CALL)
VECTOR(call_many, call_function, PW_IRQ_CALL)
#endif

static __always_inline s32 irq_code(s32 irq)
{
	return irq < 0 ? irq : irq + 1;
}

static __always_inline s32 irq_of(s32 code)
{
	return code < 0 ? code : code - 1;
}

static __always_inline s32 *raised_by(struct cpu_state *cpu, u32 vector)
{
	barrier_var(vector);
	return &cpu->raised_by[vector & (MAX_SOFTIRQS - 1)];
}

/* By an interrupt, or else by nobody in particular. Who comes first is why it will run. */
SEC("tp_btf/softirq_raise")
int BPF_PROG(pw_softirq_raise, unsigned int vector)
{
	u32 id;
	struct cpu_state *cpu = this_cpu(&id);
	s32 *by;

	if (!cpu || !cpu->irq_at)
		return 0;
	by = raised_by(cpu, vector);
	if (!*by)
		*by = irq_code(cpu->irq);
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(pw_softirq_entry, unsigned int vector)
{
	u32 id;
	struct cpu_state *cpu = this_cpu(&id);
	struct task_state *ts = current_state();
	s32 *by;

	if (!cpu)
		return 0;
	by = raised_by(cpu, vector);
	cpu->softirq_irq = *by;
	*by = 0;
	cpu->softirq = vector;
	cpu->softirq_at = ts ? soft_interrupt(ts) : bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(pw_softirq_exit)
{
	u32 id;
	struct cpu_state *cpu = this_cpu(&id);
	struct task_state *ts = current_state();

	if (!cpu)
		return 0;
	cpu->softirq_at = 0;
	if (ts)
		soft_interrupt_ends(ts);
	return 0;
}

#endif
