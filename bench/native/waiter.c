// SPDX-License-Identifier: Apache-2.0
// An agent that waits, as far as the kernel sees one: how late is each of its wakeups?
//
//   waiter HOME_CPU SERVICE_CPU SOCKET|- FIXED_US < WAITS
//
// One line of WAITS is `KIND KEY MICROSECONDS`. A wait of the kind `timer` is a sleep until a known time; any other is
// an answer of a service, a process on SERVICE_CPU. The waits are announced on SOCKET. With FIXED_US above 0 the program
// itself holds the home CPU's resume-latency limit at `n/a` for that long from the start of each wait.
// Prints for each wait how late it woke, in nanoseconds after the timer's time or the service's sending, and whether
// the home CPU's limit differed from what it was at first; then `elapsed SECONDS`.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "pin.h"
#include "session.h"

#define BURST_US 300
#define AWAKE_US 300

struct request {
	double begin, duration, fixed; /* microseconds */
	int answer;
};

static int limit;
static char first_limit[16];

static int read_limit(char *value, int size)
{
	int got = pread(limit, value, size - 1, 0);

	value[got > 0 ? got : 0] = 0;
	return got;
}

static void write_limit(const char *value)
{
	if (pwrite(limit, value, strlen(value), 0) < 0)
		perror("pm_qos_resume_latency_us");
}

/* Interrupted by whoever measures: the limit is not left behind. */
static void give_up(int signal)
{
	write_limit(first_limit);
	_exit(128 + signal);
}

/* Ends a fixed window when it is over, and answers when the request is done. */
static void serve(int fd)
{
	struct request request;

	while (read(fd, &request, sizeof(request)) == sizeof(request)) {
		if (request.fixed > 0 && request.fixed < request.duration) {
			sleep_until(request.begin + request.fixed);
			write_limit(first_limit);
		}
		if (!request.answer)
			continue;
		double due = request.begin + request.duration;

		/* It is awake when it answers, in all set-ups: how it wakes itself is not what is measured. */
		sleep_until(due - AWAKE_US);
		while (now_us() < due)
			;
		double sent = now_us();

		if (write(fd, &sent, sizeof(sent)) != sizeof(sent))
			return;
	}
}

static void announce(int fd, const char *text, int size)
{
	static char answers[65536];

	if (fd < 0)
		return;
	while (read(fd, answers, sizeof(answers)) > 0)
		; /* what hostd said meanwhile */
	if (write(fd, text, size) != size) {
		fprintf(stderr, "hostd did not take a hint: %s\n", strerror(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	char path[128], line[512], kind[65], key[201], text[1024], now_limit[16];
	int service[2];
	double wait_us;

	if (argc != 5) {
		fprintf(stderr, "usage: waiter HOME_CPU SERVICE_CPU SOCKET|- FIXED_US < WAITS\n");
		return 2;
	}
	int home = atoi(argv[1]);
	double fixed = atof(argv[4]);

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/power/pm_qos_resume_latency_us", home);
	limit = open(path, fixed > 0 ? O_RDWR : O_RDONLY);
	if (limit < 0 || read_limit(first_limit, sizeof(first_limit)) <= 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, service)) {
		perror(path);
		return 1;
	}
	if (fixed > 0) {
		signal(SIGINT, give_up);
		signal(SIGTERM, give_up);
	}
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(service[0]);
		pin(atoi(argv[2]));
		serve(service[1]);
		_exit(0);
	}
	close(service[1]);
	pin(home);

	int session = strcmp(argv[3], "-") ? open_session(argv[3]) : -1;
	double began = now_us();

	for (long id = 1; fgets(line, sizeof(line), stdin); id++) {
		if (sscanf(line, "%64s %200s %lf", kind, key, &wait_us) != 3) {
			fprintf(stderr, "no wait: %s", line);
			return 1;
		}
		int timer = !strcmp(kind, "timer");
		double at = now_us(), due = at + wait_us, sent;
		int size = snprintf(text, sizeof(text),
				    "{\"type\":\"step\",\"id\":\"%016lx\",\"kind\":\"%s\",\"key\":\"%s\",\"at\":%.1f,"
				    "\"report\":false}\n{\"type\":\"wait\",\"id\":%ld,\"step\":\"%016lx\",\"kind\":"
				    "\"%s\",\"key\":\"%s\",\"at\":%.1f",
				    id, kind, key, at, id, id, kind, key, at);

		if (timer)
			size += snprintf(text + size, sizeof(text) - size, ",\"deadline\":%.1f", due);
		size += snprintf(text + size, sizeof(text) - size, "}\n");
		announce(session, text, size);
		if (fixed > 0)
			write_limit("n/a");

		struct request request = { at, wait_us, fixed, !timer };

		if (write(service[0], &request, sizeof(request)) != sizeof(request))
			return 1;
		if (timer) {
			sleep_until(due);
			sent = due;
		} else if (read(service[0], &sent, sizeof(sent)) != sizeof(sent)) {
			return 1;
		}
		double woke = now_us();

		read_limit(now_limit, sizeof(now_limit));
		if (fixed > 0)
			write_limit(first_limit);
		printf("%.0f %d\n", (woke - sent) * 1e3, strcmp(now_limit, first_limit) != 0);
		size = snprintf(text, sizeof(text),
				"{\"type\":\"wait_end\",\"id\":%ld,\"at\":%.1f}\n"
				"{\"type\":\"step_end\",\"id\":\"%016lx\",\"at\":%.1f}\n",
				id, woke, id, woke);
		announce(session, text, size);
		while (now_us() < woke + BURST_US)
			; /* what the agent computes */
	}
	printf("elapsed %.6f\n", (now_us() - began) / 1e6);
	close(service[0]);
	waitpid(child, NULL, 0);
	return 0;
}
