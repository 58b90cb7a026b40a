/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* File names: open, stat, readdir and path look-up. Reading and writing is page cache and block. */
#ifndef PREWAKE_VFS_H
#define PREWAKE_VFS_H

#include "container.h"

CONTAINER(open, do_filp_open, CTX_VFS, PW_EV_OPEN)
CONTAINER(lookup, filename_lookup, CTX_VFS, PW_EV_LOOKUP)
CONTAINER(readdir, iterate_dir, CTX_VFS, PW_EV_READDIR)
CONTAINER(stat, vfs_statx, CTX_VFS, PW_EV_STAT)

/* A name that the dentry cache does not have is allocated before the file system is asked. */
static __always_inline int dentry_missed(void)
{
	struct task_state *ts = current_state();

	if (ts)
		count(&ts->dentry_misses);
	return 0;
}

SEC("fentry/d_alloc_parallel")
int BPF_PROG(pw_dentry)
{
	return dentry_missed();
}

SEC("kprobe/d_alloc_parallel")
int pw_dentry_k(void *ctx)
{
	return dentry_missed();
}

#endif
