/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Requests that tracked threads make of block devices and of io_uring: counted, and timed one by one. */
#ifndef PREWAKE_IO_H
#define PREWAKE_IO_H

#include "event.h"

struct owner {
	u32 tgid;
	u32 tid;
	u64 at;
};

/* LRU: a request whose end is never seen may not stay. The loader makes them larger where there are many CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64); /* struct bio, until its request is issued */
	__type(value, struct owner);
} bios SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64); /* struct request */
	__type(value, struct owner);
} requests SEC(".maps");

struct ring_request {
	struct owner owner;
	u64 user_data;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64); /* struct io_kiocb */
	__type(value, struct ring_request);
} ring_requests SEC(".maps");

static __always_inline struct owner by_current(void)
{
	u64 both = bpf_get_current_pid_tgid();
	struct owner owner = { .tgid = both >> 32, .tid = both, .at = bpf_ktime_get_ns() };

	return owner;
}

/* Always in the context of whoever asks; a request may be issued by a kworker later. */
SEC("tp_btf/block_getrq")
int BPF_PROG(pw_block_getrq, struct bio *bio)
{
	struct task_state *ts = current_state();
	u64 key = (u64)bio;
	struct owner owner;

	if (!ts)
		return 0;
	ts->block_requests++;
	owner = by_current();
	remember(&bios, &key, &owner);
	return 0;
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(pw_block_issue, struct request *request)
{
	u64 bio = (u64)request->bio, key = (u64)request;
	struct owner *asked = bpf_map_lookup_elem(&bios, &bio);
	struct owner owner;

	if (!asked)
		return 0;
	owner = *asked;
	owner.at = bpf_ktime_get_ns();
	bpf_map_delete_elem(&bios, &bio);
	remember(&requests, &key, &owner);
	return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(pw_block_complete, struct request *request, int error, unsigned int bytes)
{
	u64 key = (u64)request;
	struct owner *owner = bpf_map_lookup_elem(&requests, &key);

	if (!owner)
		return 0;
	write_event(PW_EV_BLOCK, owner->tgid, owner->tid, owner->at, bpf_ktime_get_ns(), bytes, 0);
	bpf_map_delete_elem(&requests, &key);
	return 0;
}

static __always_inline int ring_submits(struct io_kiocb *request)
{
	u64 key = (u64)request;
	struct ring_request asked;

	if (!current_state())
		return 0;
	asked.owner = by_current();
	/* Read as what it is: a kernel whose event begins with something else (before 6.0) refuses the program. */
	asked.user_data = request->cqe.user_data;
	remember(&ring_requests, &key, &asked);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(pw_ring_submit, struct io_kiocb *request)
{
	return ring_submits(request);
}

/* Its name before 6.3. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(pw_ring_submit_old, struct io_kiocb *request)
{
	return ring_submits(request);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(pw_ring_complete, void *ring_context, struct io_kiocb *request)
{
	u64 key = (u64)request;
	struct ring_request *asked = bpf_map_lookup_elem(&ring_requests, &key);
	struct task_struct *current = bpf_get_current_task_btf();
	struct task_state *ts;
	struct owner owner;

	if (!asked)
		return 0;
	owner = asked->owner;
	ts = state_of(current);
	/* Whom io_uring's own threads wake gets it from them: wakeup.h. An interrupt's completion is nobody's slice's. */
	if (ts && (current->pid == owner.tid || current->flags & PF_IO_WORKER) &&
	    (!ts->ring_at || owner.at < ts->ring_at))
		ts->ring_at = owner.at;
	write_event(PW_EV_IO_URING, owner.tgid, owner.tid, owner.at, bpf_ktime_get_ns(), 0, asked->user_data);
	bpf_map_delete_elem(&ring_requests, &key);
	return 0;
}

#endif
