/* SPDX-License-Identifier: Apache-2.0 */
/* A thread whose wakeups are measured: it stays on its CPU, and its timers are not put off. */
#ifndef PREWAKE_BENCH_PIN_H
#define PREWAKE_BENCH_PIN_H

/* Whoever includes this defines _GNU_SOURCE first. */
#include <sched.h>
#include <sys/prctl.h>

static inline void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	prctl(PR_SET_TIMERSLACK, 1); /* the slack of 50 us is not what is measured */
}

#endif
