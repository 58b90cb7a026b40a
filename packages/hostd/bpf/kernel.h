/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The few kernel types that the recorder reads. Only names and rough types matter: every access is relocated
 * against the running kernel's BTF (CO-RE), so members that are not listed, or have moved, do no harm.
 * The suffix ___x marks a variant of a type from another kernel version; libbpf ignores it when it matches names.
 */
#ifndef PREWAKE_KERNEL_H
#define PREWAKE_KERNEL_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef _Bool bool;
enum { false = 0, true = 1 };

/* include/uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_ANY = 0 };
enum { BPF_F_NO_PREALLOC = 1 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0 };

/* include/linux/sched.h and its uapi */
#define TASK_UNINTERRUPTIBLE 0x0002
#define EXIT_AND_DEAD 0x00f0 /* EXIT_DEAD, EXIT_ZOMBIE, TASK_PARKED, TASK_DEAD */
#define TASK_DEAD 0x0080
#define TASK_NOLOAD 0x0400
#define PF_IO_WORKER 0x00000010
#define PF_WQ_WORKER 0x00000020
#define CLONE_VFORK 0x00004000
#define CLOCK_MONOTONIC 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_group;
struct bpf_local_storage;

struct sched_entity {
	unsigned char sched_delayed; /* 6.12 */
	struct cfs_rq *cfs_rq;
};

struct cfs_bandwidth {
	u64 throttled_time;
};

struct task_group {
	struct sched_entity **se;
	struct task_group *parent;
	struct cfs_bandwidth cfs_bandwidth;
};

struct cfs_rq {
	struct task_group *tg;
	u64 throttled_clock_self_time; /* 6.5 */
};

struct task_struct {
	unsigned int __state;
	unsigned int flags;
	int on_cpu;
	int on_rq;
	struct sched_entity se;
	unsigned int in_iowait : 1;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	unsigned long min_flt;
	unsigned long maj_flt;
	char comm[16];
	struct bpf_local_storage *bpf_storage;
};

struct hrtimer_clock_base {
	int clockid;
};

struct hrtimer {
	s64 _softexpires;
	struct hrtimer_clock_base *base;
};

struct work_struct {
	void (*func)(struct work_struct *work);
};

struct bio;

struct request {
	struct bio *bio;
};

struct cpufreq_policy {
	unsigned int cpu;
	unsigned int max;
};

struct io_cqe {
	u64 user_data;
};

struct io_kiocb {
	struct io_cqe cqe; /* 5.19 */
};

struct bpf_iter__task {
	struct task_struct *task;
};

#pragma clang attribute pop

#endif
