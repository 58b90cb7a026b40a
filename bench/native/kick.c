// SPDX-License-Identifier: Apache-2.0
// What makes a CPU that sleeps see its new resume-latency limit, and what is the next wakeup on it worth then?
//
//   kick HOME_CPU OTHER_CPU ROUNDS
//
// A thread on HOME_CPU sleeps until a known time, again and again. 1 ms before, a thread on OTHER_CPU sets the limit of
// HOME_CPU to `n/a` and then does one of: nothing more, interrupts it (by reading a CPU-wide perf event), or wakes a
// thread there that sleeps again at once, or first for 50 us by a timer. Beside it: no limit, and a limit set before
// the sleep. The ways take turns. Prints for each wakeup the way and how late it was, in nanoseconds.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pin.h"
#include "session.h"

#define LEAD_US 1000
#define WAIT_US 12000

enum way { NONE, WRITE, INTERRUPT, THREAD, REHEARSAL, BEFORE, WAYS };
static const char *const names[] = { "none", "write", "interrupt", "thread", "rehearsal", "before" };

static int home, other, limit, event, wakes;
static char first_limit[16];
static volatile enum way way;
static volatile double due;
static volatile int go, done;

static void write_limit(const char *value)
{
	if (pwrite(limit, value, strlen(value), 0) < 0)
		perror("pm_qos_resume_latency_us");
}

static void give_up(int signal)
{
	write_limit(first_limit);
	_exit(128 + signal);
}

static void *sleep_again(void *unused)
{
	uint64_t count;

	pin(home);
	while (read(wakes, &count, sizeof(count)) == sizeof(count))
		if (way == REHEARSAL)
			usleep(50);
	return unused;
}

static void *arm(void *unused)
{
	uint64_t one = 1, count;

	pin(other);
	for (;;) {
		while (!go)
			usleep(100);
		go = 0;
		double at = due;

		if (way != NONE && way != BEFORE) {
			sleep_until(at - LEAD_US);
			write_limit("n/a");
			if ((way == INTERRUPT && read(event, &count, sizeof(count)) < 0) ||
			    ((way == THREAD || way == REHEARSAL) && write(wakes, &one, sizeof(one)) < 0))
				perror("kick");
		}
		sleep_until(at + 500);
		write_limit(first_limit);
		done = 1;
	}
	return unused;
}

int main(int argc, char **argv)
{
	struct perf_event_attr dummy = { .type = PERF_TYPE_SOFTWARE, .size = PERF_ATTR_SIZE_VER0,
					 .config = PERF_COUNT_SW_DUMMY };
	char path[128];
	pthread_t thread;

	if (argc != 4) {
		fprintf(stderr, "usage: kick HOME_CPU OTHER_CPU ROUNDS\n");
		return 2;
	}
	home = atoi(argv[1]);
	other = atoi(argv[2]);
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/power/pm_qos_resume_latency_us", home);
	limit = open(path, O_RDWR);
	if (limit < 0 || pread(limit, first_limit, sizeof(first_limit) - 1, 0) <= 0) {
		perror(path);
		return 1;
	}
	signal(SIGINT, give_up);
	signal(SIGTERM, give_up);
	wakes = eventfd(0, EFD_CLOEXEC);
	event = syscall(SYS_perf_event_open, &dummy, -1, home, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0) {
		perror("perf_event_open");
		return 1;
	}
	if (pthread_create(&thread, NULL, arm, NULL) || pthread_create(&thread, NULL, sleep_again, NULL))
		return 1;
	pin(home);
	for (int i = 0; i < atoi(argv[3]) * WAYS; i++) {
		done = 0;
		way = i % WAYS;
		if (way == BEFORE)
			write_limit("n/a");
		due = now_us() + WAIT_US;
		double at = due;

		go = 1;
		sleep_until(at);
		double late = now_us() - at;

		printf("%s %.0f\n", names[way], late * 1e3);
		while (!done)
			usleep(200);
		usleep(2000);
	}
	fflush(stdout);
	_exit(0);
}
