/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Whom to follow: threads of the tracked processes, and whatever they create. */
#ifndef PREWAKE_FOLLOW_H
#define PREWAKE_FOLLOW_H

#include "state.h"

#define GENERATIONS 16

static __always_inline bool descends(struct task_struct *task, u64 tgid)
{
	struct task_struct *ancestor = task->real_parent;

	for (int up = 0; up < GENERATIONS; up++) {
		if (!ancestor || ancestor->tgid <= 1)
			return false;
		if (ancestor->tgid == tgid)
			return true;
		ancestor = ancestor->real_parent;
	}
	return false;
}

/* Runs when the loader reads the iterator's fd: once for each thread of the host. */
SEC("iter/task")
int pw_seed(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_state *ts;

	if (!task)
		return 0;
	if (shared.unseed_root) {
		ts = bpf_task_storage_get(&tasks, task, NULL, 0);
		if (!ts || (shared.unseed_root != ~0ULL && ts->root != shared.unseed_root))
			return 0;
		if (shared.unseed_heir)
			ts->root = shared.unseed_heir;
		else
			bpf_task_storage_delete(&tasks, task);
		return 0;
	}
	if (shared.seed_among) {
		ts = bpf_task_storage_get(&tasks, task, NULL, 0);
		if (ts && ts->root == shared.seed_among && descends(task, shared.seed_tgid))
			ts->root = shared.seed_tgid;
		return 0;
	}
	if (!shared.seed_tgid || task->tgid != shared.seed_tgid)
		return 0;
	ts = bpf_task_storage_get(&tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!ts)
		return 0;
	if (ts->root) {
		if (ts->root != shared.seed_tgid)
			shared.seed_outer = ts->root;
		ts->root = shared.seed_tgid;
	} else {
		u64 now = bpf_ktime_get_ns();

		ts->root = shared.seed_tgid;
		ts->tracked_at = now;
		ts->begin = PW_BEGIN_UNKNOWN;
		ts->end = task->__state & TASK_UNINTERRUPTIBLE ? PW_UNINTERRUPTIBLE : PW_SLEEP;
		ts->min_flt = task->min_flt;
		ts->maj_flt = task->maj_flt;
		ts->idle_state = -1;
	}
	return 0;
}

/* Also sees what sched_process_fork does not: io_uring's workers, which are threads of the process. */
SEC("tp_btf/task_newtask")
int BPF_PROG(pw_newtask, struct task_struct *child, unsigned long clone_flags)
{
	struct task_struct *parent = bpf_get_current_task_btf();
	struct task_state *ts = state_of(parent);
	u64 now;

	if (!ts)
		return 0;
	now = bpf_ktime_get_ns();
	if (clone_flags & CLONE_VFORK)
		ts->vfork = 1;

	u32 root = ts->root;
	struct task_state *born = bpf_task_storage_get(&tasks, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (born) {
		born->root = root;
		born->tracked_at = now;
		born->ready_at = now;
		born->begin = PW_NEW;
		born->idle_state = -1;
	} else {
		__sync_fetch_and_add(&shared.lost, 1);
	}

	struct pw_fork *record = reserve(sizeof(*record));

	if (!record)
		return 0;
	__builtin_memset(record, 0, sizeof(*record));
	record->type = PW_FORK;
	record->at = now;
	record->parent_tgid = parent->tgid;
	record->parent_tid = parent->pid;
	record->child_tgid = child->tgid;
	record->child_tid = child->pid;
	record->clone_flags = clone_flags;
	submit(record);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(pw_exit, struct task_struct *task)
{
	struct pw_exit *record;

	if (!state_of(task))
		return 0;
	record = reserve(sizeof(*record));
	if (!record)
		return 0;
	__builtin_memset(record, 0, sizeof(*record));
	record->type = PW_EXIT;
	record->at = bpf_ktime_get_ns();
	record->tgid = task->tgid;
	record->tid = task->pid;
	submit(record);
	return 0;
}

#endif
