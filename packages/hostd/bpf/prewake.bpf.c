// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The recorder: one record for each stretch that a tracked thread spends on a CPU. Everything that happens to the
 * thread is gathered in its task storage and written when it leaves the CPU. Threads that are not tracked cost one
 * look at whether they have any.
 *
 * The scheduler's events are the core. All others are groups of their own, which the loader leaves out where the
 * kernel has no such event, and attaches one by one: docs/recorder.md lists them.
 */
#include "state.h"
#include "account.h"
#include "throttle.h"
#include "memory.h"
#include "vfs.h"
#include "follow.h"
#include "interrupts.h"
#include "deferred.h"
#include "wakeup.h"
#include "idle.h"
#include "slice.h"
#include "io.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
