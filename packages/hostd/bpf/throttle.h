/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * CFS bandwidth: how long the runqueue of the thread's cgroup was throttled while the thread was ready to run.
 * The scheduler keeps the sum itself; two readings give the time in between without a probe.
 */
#ifndef PREWAKE_THROTTLE_H
#define PREWAKE_THROTTLE_H

#include "state.h"

struct throttle_mark {
	u64 ns;
	u64 queue; /* identity of what was read; another one is not comparable */
};

static __always_inline void read_throttle(struct task_struct *task, struct throttle_mark *mark)
{
	mark->ns = 0;
	mark->queue = 0;
	if (!bpf_core_field_exists(task->se.cfs_rq))
		return;
	struct cfs_rq *queue = task->se.cfs_rq;

	if (!queue)
		return;
	if (bpf_core_field_exists(queue->throttled_clock_self_time)) {
		/* This CPU's part, with what its ancestors were throttled. */
		mark->ns = queue->throttled_clock_self_time;
		mark->queue = (u64)queue;
	} else if (bpf_core_field_exists(queue->tg->cfs_bandwidth.throttled_time)) {
		/* Of all CPUs, this level only: an upper bound that the caller cuts at the time it waited. */
		mark->ns = queue->tg->cfs_bandwidth.throttled_time;
		mark->queue = (u64)queue->tg;
	}
}

#endif
