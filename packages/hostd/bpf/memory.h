/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The page cache. A thread misses with each folio that it adds. It hits with each look-up that adds none: a batch of
 * a read, or a fault on a mapped file.
 */
#ifndef PREWAKE_MEMORY_H
#define PREWAKE_MEMORY_H

#include "container.h"

static __always_inline void settle_lookup(struct task_state *ts)
{
	if (ts->cache_pending)
		ts->cache_hits++;
	ts->cache_pending = 0;
}

SEC("tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(pw_cache_add)
{
	struct task_state *ts = current_state();

	if (!ts)
		return 0;
	ts->cache_misses++;
	ts->cache_adds++;
	ts->cache_pending = 0;
	return 0;
}

/* After the pages of a batch were found or added. */
SEC("tp_btf/mm_filemap_get_pages")
int BPF_PROG(pw_cache_get)
{
	struct task_state *ts = current_state();

	if (!ts)
		return 0;
	settle_lookup(ts);
	if (!ts->cache_adds)
		ts->cache_hits++;
	ts->cache_adds = 0;
	return 0;
}

/* Before the page is looked up: whether it is there shows later. */
SEC("tp_btf/mm_filemap_fault")
int BPF_PROG(pw_cache_fault)
{
	struct task_state *ts = current_state();

	if (!ts)
		return 0;
	settle_lookup(ts);
	ts->cache_adds = 0;
	ts->cache_pending = 1;
	return 0;
}

/* Where there is no such event: each access marks its folio. Those that were not added have been there. */
static __always_inline int folio_accessed(void)
{
	struct task_state *ts = current_state();

	if (!ts)
		return 0;
	if (ts->cache_adds)
		ts->cache_adds--;
	else
		count(&ts->cache_hits);
	return 0;
}

SEC("fentry/folio_mark_accessed")
int BPF_PROG(pw_accessed)
{
	return folio_accessed();
}

SEC("kprobe/folio_mark_accessed")
int pw_accessed_k(void *ctx)
{
	return folio_accessed();
}

CONTAINER(fault, handle_mm_fault, CTX_FAULT, PW_EV_FAULT)

#endif
