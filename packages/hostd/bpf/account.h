/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Exclusive time: a thread's time on the CPU belongs to the innermost context that it has entered. Page faults and VFS
 * calls may sleep, and stay on a stack until the thread comes back to them. Interrupts come and go within one stay on
 * the CPU, and may come at any instruction of what is below: soft ones during a fault's or a call's bookkeeping, hard
 * ones also during a soft one's, and a switch during the former (fentry programs can be preempted).
 *
 * So each sum has one writer and is never set back: whoever reports takes the difference to what has been told before.
 * Faults and calls are timed by a clock of the thread's own, which stands while others have its CPU, and what they
 * have had is exchanged as a whole. Nothing that comes in between is lost or counted twice, here or later.
 */
#ifndef PREWAKE_ACCOUNT_H
#define PREWAKE_ACCOUNT_H

#include "state.h"

#define LOOK(value) (*(volatile typeof(value) *)&(value))

/* How long others have had its CPU since we began. */
static __always_inline u64 taken(struct task_state *ts)
{
	struct account *account = &ts->account;
	u64 ns = LOOK(account->off_ns) + LOOK(account->irq_ns) + LOOK(account->softirq_ns);

	/* It was seen to leave its CPU, and not to come back: no sooner than it was woken. */
	if (!ts->running && ts->off_at && ts->wake.at > ts->off_at)
		ns += ts->wake.at - ts->off_at;
	return ns;
}

/* The thread's own clock. No interrupt lies between the two looks that it is made of. */
static __always_inline u64 own_clock(struct task_state *ts, u64 *now)
{
	u64 before, after = taken(ts);

#pragma unroll
	for (int attempt = 0; attempt < 3; attempt++) {
		before = after;
		*now = bpf_ktime_get_ns();
		after = taken(ts);
		if (after == before)
			break;
	}
	return *now - after;
}

static __always_inline u64 innermost(struct account *account, struct spent *spent)
{
	return spent->depth ? account->stack[(spent->depth - 1) & (MAX_DEPTH - 1)].kind & (CTX_MAX - 1) : CTX_SELF;
}

static __always_inline struct spent *spent_so_far(struct account *account)
{
	return &account->spent[account->turn & 1];
}

/* Charges the innermost context up to now, and goes on with so many frames. */
static __always_inline void charge(struct account *account, u64 clock, u32 depth)
{
	struct spent *spent = spent_so_far(account), *next = &account->spent[(account->turn + 1) & 1];

	*next = *spent;
	if (clock > spent->until) {
		next->ns[innermost(account, spent)] += clock - spent->until;
		next->until = clock;
	}
	next->depth = depth;
	barrier();
	account->turn++;
}

static __always_inline void enter(struct task_state *ts, u32 kind, u32 call)
{
	struct account *account = &ts->account;
	u32 depth = spent_so_far(account)->depth;
	/* Deeper than the stack: what is outermost is forgotten, what is on top stays right. */
	struct frame *frame = &account->stack[depth & (MAX_DEPTH - 1)];
	u64 clock = own_clock(ts, &frame->entered_at);

	frame->kind = kind;
	frame->call = call;
	barrier();
	charge(account, clock, depth + 1);
}

/*
 * Leaves the innermost frame of this function. An exit whose entry was not seen (attached in between) changes nothing;
 * frames above it whose exits were missed go with it. Returns when it was entered, or 0.
 */
static __always_inline u64 leave(struct task_state *ts, u32 call, u64 *now)
{
	struct account *account = &ts->account;
	u32 depth = spent_so_far(account)->depth;
	u64 clock;

#pragma unroll
	for (int up = 0; up < MAX_DEPTH; up++) {
		if (!depth)
			return 0;
		depth--;
		struct frame *frame = &account->stack[depth & (MAX_DEPTH - 1)];

		if (frame->call == call) {
			clock = own_clock(ts, now);
			charge(account, clock, depth);
			return frame->entered_at;
		}
	}
	return 0;
}

static __always_inline bool inside(struct task_state *ts, u32 kind)
{
	struct account *account = &ts->account;
	u32 depth = spent_so_far(account)->depth;

#pragma unroll
	for (int up = 0; up < MAX_DEPTH; up++) {
		if (!depth)
			return false;
		depth--;
		if (account->stack[depth & (MAX_DEPTH - 1)].kind == kind)
			return true;
	}
	return false;
}

/* Of programs that a switch may interrupt, which reads what has been counted and sets it back. */
static __always_inline void add(u64 *sum, u64 ns)
{
	__sync_fetch_and_add(sum, ns);
}

static __always_inline void count(u32 *number)
{
	__sync_fetch_and_add(number, 1);
}

/* A hard interrupt ends. */
static __always_inline void hard_interrupt(struct task_state *ts, u64 began, u64 now)
{
	if (began < ts->tracked_at) /* followed since */
		return;
	ts->account.irq_ns += now - began;
	ts->irqs++;
}

/* A soft interrupt begins. Returns when. */
static __always_inline u64 soft_interrupt(struct task_state *ts)
{
	u64 now;

	ts->account.softirq_clock = own_clock(ts, &now);
	return now;
}

static __always_inline void soft_interrupt_ends(struct task_state *ts)
{
	struct account *account = &ts->account;
	u64 began = account->softirq_clock, now, clock;

	if (!began)
		return;
	clock = own_clock(ts, &now);
	account->softirq_clock = 0;
	barrier(); /* a hard one that comes from here on adds to what the clock stood for, as this does */
	if (clock > began)
		account->softirq_ns += clock - began;
	ts->softirqs++;
}

/* The thread gets on a CPU. */
static __always_inline void resume(struct task_state *ts, u64 left_at, u64 now)
{
	if (left_at && now > left_at)
		ts->account.off_ns += now - left_at;
	ts->account.softirq_clock = 0; /* none outlasts a stay */
	ts->running = 1;
}

struct share {
	u64 irq_ns, softirq_ns, fault_ns, vfs_ns;
};

static __always_inline u64 untold(u64 sum, u64 *told, u64 *left)
{
	u64 ns = sum > *told ? sum - *told : 0;

	*told += ns;
	if (ns > *left)
		ns = *left;
	*left -= ns;
	return ns;
}

/* What each has had of the stay that ends now. */
static __always_inline struct share settle(struct task_state *ts, u64 now)
{
	struct account *account = &ts->account;
	struct spent spent = *spent_so_far(account);
	u64 clock = now - taken(ts), left = now > ts->on_at ? now - ts->on_at : 0;
	struct share share;

	if (clock > spent.until)
		spent.ns[innermost(account, &spent)] += clock - spent.until;
	share.irq_ns = untold(account->irq_ns, &account->told_irq_ns, &left);
	share.softirq_ns = untold(account->softirq_ns, &account->told_softirq_ns, &left);
	share.fault_ns = untold(spent.ns[CTX_FAULT], &account->told_ns[CTX_FAULT], &left);
	share.vfs_ns = untold(spent.ns[CTX_VFS], &account->told_ns[CTX_VFS], &left);
	return share;
}

#endif
