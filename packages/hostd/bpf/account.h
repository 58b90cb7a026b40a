/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Exclusive time: a thread's time on CPU belongs to the innermost context that it has entered. Interrupts are
 * contexts like the others, since they come and go within one stay on the CPU; faults and VFS calls may sleep,
 * and stay on the stack until the thread comes back to them.
 */
#ifndef PREWAKE_ACCOUNT_H
#define PREWAKE_ACCOUNT_H

#include "state.h"

static __always_inline void charge(struct task_state *ts, u64 now)
{
	u32 depth = ts->depth;
	u64 kind = depth ? ts->stack[(depth - 1) & (MAX_DEPTH - 1)].kind : CTX_SELF;

	if (now > ts->last)
		ts->ns[kind & (CTX_MAX - 1)] += now - ts->last;
	ts->last = now;
}

static __always_inline void enter(struct task_state *ts, u64 kind, u64 now)
{
	u32 depth = ts->depth;

	charge(ts, now);
	/* Deeper than the stack: what is outermost is forgotten, what is on top stays right. */
	ts->stack[depth & (MAX_DEPTH - 1)].kind = kind;
	ts->stack[depth & (MAX_DEPTH - 1)].entered_at = now;
	ts->depth = depth + 1;
}

/*
 * Leaves the innermost frame of this kind. An exit whose entry was not seen (attached in between) changes nothing;
 * frames above it whose exits were missed go with it. Returns when it was entered, or 0.
 */
static __always_inline u64 leave(struct task_state *ts, u64 kind, u64 now)
{
	u32 depth = ts->depth;

	charge(ts, now);
#pragma unroll
	for (int up = 0; up < MAX_DEPTH; up++) {
		if (!depth)
			return 0;
		depth--;
		struct frame *frame = &ts->stack[depth & (MAX_DEPTH - 1)];

		if (frame->kind == kind) {
			ts->depth = depth;
			return frame->entered_at;
		}
	}
	return 0;
}

static __always_inline bool inside(struct task_state *ts, u64 kind)
{
	u32 depth = ts->depth;

#pragma unroll
	for (int up = 0; up < MAX_DEPTH; up++) {
		if (!depth)
			return false;
		depth--;
		if (ts->stack[depth & (MAX_DEPTH - 1)].kind == kind)
			return true;
	}
	return false;
}

#endif
