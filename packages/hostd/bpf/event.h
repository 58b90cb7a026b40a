/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Single events with their durations, for histograms; each kind only where it is asked for. */
#ifndef PREWAKE_EVENT_H
#define PREWAKE_EVENT_H

#include "state.h"

static __always_inline void write_event(u32 kind, u32 tgid, u32 tid, u64 began, u64 now, u32 extra, u64 id)
{
	struct pw_event *record;

	if (!(shared.detail & (1ULL << kind)))
		return;
	record = reserve(sizeof(*record));
	if (!record)
		return;
	record->type = PW_EVENT;
	record->kind = kind;
	record->cpu = bpf_get_smp_processor_id();
	record->tgid = tgid;
	record->tid = tid;
	record->extra = extra;
	record->at = now;
	record->duration = now - began;
	record->id = id;
	submit(record);
}

#endif
