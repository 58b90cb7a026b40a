/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Kernel functions that a thread is inside of, and may sleep in: by fentry and fexit, else by kprobe and kretprobe. */
#ifndef PREWAKE_CONTAINER_H
#define PREWAKE_CONTAINER_H

#include "account.h"
#include "event.h"

static __always_inline int container_entered(u32 context, u32 call)
{
	struct task_state *ts = current_state();
	u64 now;

	if (!ts)
		return 0;
	/*
	 * One that does not nest and is still there has lost its return probe. Reading a directory of an overlay reads
	 * those below.
	 */
	if (call != PW_EV_READDIR)
		leave(ts, call, &now);
	if (context == CTX_VFS && !inside(ts, CTX_VFS))
		count(&ts->vfs_calls);
	enter(ts, context, call);
	return 0;
}

static __always_inline int container_left(u32 context, u32 call)
{
	struct task_state *ts = current_state();
	u64 now, entered_at, both;

	if (!ts)
		return 0;
	entered_at = leave(ts, call, &now);
	if (!entered_at)
		return 0;
	if (context == CTX_FAULT)
		add(&ts->fault_inclusive_ns, now - entered_at);
	else if (!inside(ts, context)) /* the outermost contains the others */
		add(&ts->vfs_inclusive_ns, now - entered_at);
	both = bpf_get_current_pid_tgid();
	write_event(call, both >> 32, both, entered_at, now, 0, 0);
	return 0;
}

#define CONTAINER(name, function, context, call) \
	SEC("fentry/" #function)                 \
	int BPF_PROG(pw_##name##_entry)          \
	{                                        \
		return container_entered(context, call); \
	}                                        \
	SEC("fexit/" #function)                  \
	int BPF_PROG(pw_##name##_exit)           \
	{                                        \
		return container_left(context, call); \
	}                                        \
	SEC("kprobe/" #function)                 \
	int pw_##name##_entry_k(void *ctx)       \
	{                                        \
		return container_entered(context, call); \
	}                                        \
	SEC("kretprobe/" #function)              \
	int pw_##name##_exit_k(void *ctx)        \
	{                                        \
		return container_left(context, call); \
	}

#endif
