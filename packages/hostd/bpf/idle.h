/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Idle states and requested frequencies, by CPU. */
#ifndef PREWAKE_IDLE_H
#define PREWAKE_IDLE_H

#include "state.h"

#define PWR_EVENT_EXIT 0xffffffffU

SEC("tp_btf/cpu_idle")
int BPF_PROG(pw_cpu_idle, unsigned int state, unsigned int id)
{
	struct cpu_state *cpu = cpu_at(id);

	if (!cpu)
		return 0;
	if (state == PWR_EVENT_EXIT) {
		/* Without the entry (attached in between) which state it was is unknown, that it left is not. */
		if (!cpu->idle_seen)
			cpu->idle_state = -1;
		cpu->idle_exit_at = bpf_ktime_get_ns();
	} else {
		cpu->idle_state = state;
		cpu->idle_exit_at = 0;
	}
	cpu->idle_seen = 1;
	return 0;
}

/* A request: whether and when the hardware follows is not known. */
SEC("tp_btf/cpu_frequency")
int BPF_PROG(pw_cpu_frequency, unsigned int khz, unsigned int id)
{
	struct cpu_state *cpu = cpu_at(id);

	if (cpu)
		cpu->khz = khz;
	return 0;
}

/* Also told where only the minimum has changed: what guards do. */
SEC("tp_btf/cpu_frequency_limits")
int BPF_PROG(pw_frequency_limits, struct cpufreq_policy *policy)
{
	struct cpu_state *cpu = cpu_at(policy->cpu);

	if (cpu)
		cpu->target_khz = policy->max;
	return 0;
}

#endif
