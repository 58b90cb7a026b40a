// SPDX-License-Identifier: Apache-2.0
// A thread that is woken at a fixed rate and works a little each time: what attribution has to follow.
//
//   agent-loop SOCKET|- WAKEUPS_PER_SECOND SECONDS
//
// With a SOCKET it is a session, and each hundred wakeups are a step that asks for a report.
// Prints wakeups, reports and lost connections as JSON.
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/timerfd.h>

#include "session.h"

#define WORK_US 20
#define WAKEUPS_A_STEP 100

static char answers[65536];

/* Counts the reports in what hostd has sent. */
static long read_reports(int fd)
{
	long reports = 0;
	ssize_t size;

	while ((size = read(fd, answers, sizeof(answers) - 1)) > 0) {
		answers[size] = 0;
		for (char *at = answers; (at = strstr(at, "\"type\":\"report\"")); at++)
			reports++;
	}
	return reports;
}

/* The end of a step, where one is open, and the beginning of the next, in one write: as the SDK sends what comes together. */
static void announce(int fd, long step)
{
	char text[512];
	int size = 0;

	if (step > 1)
		size = snprintf(text, sizeof(text), "{\"type\":\"step_end\",\"id\":\"%016lx\",\"at\":%.1f}\n", step - 1,
				now_us());
	size += snprintf(text + size, sizeof(text) - size,
			 "{\"type\":\"step\",\"id\":\"%016lx\",\"kind\":\"tool\",\"key\":\"loop\",\"at\":%.1f}\n", step,
			 now_us());
	if (write(fd, text, size) != size) {
		fprintf(stderr, "hostd did not take a step: %s\n", strerror(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: agent-loop SOCKET|- WAKEUPS_PER_SECOND SECONDS\n");
		return 2;
	}
	int session = strcmp(argv[1], "-") ? open_session(argv[1]) : -1;
	long period = 1e9 / atof(argv[2]), wakeups = 0, reports = 0, step = 0;
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec every = { .it_interval.tv_nsec = period, .it_value.tv_nsec = period };
	double end = now_us() + atof(argv[3]) * 1e6;
	uint64_t expired;

	timerfd_settime(timer, 0, &every, NULL);
	while (now_us() < end) {
		if (session >= 0 && wakeups % WAKEUPS_A_STEP == 0) {
			reports += read_reports(session);
			announce(session, ++step);
		}
		if (read(timer, &expired, sizeof(expired)) != sizeof(expired))
			return 1;
		wakeups++;
		for (double until = now_us() + WORK_US; now_us() < until;)
			;
	}
	printf("{\"wakeups\":%ld,\"steps\":%ld,\"reports\":%ld}\n", wakeups, step, reports);
	return 0;
}
