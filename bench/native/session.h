/* SPDX-License-Identifier: Apache-2.0 */
/* A session with hostd, as docs/protocol.md has it: the part that all programs here share. */
#ifndef PREWAKE_BENCH_SESSION_H
#define PREWAKE_BENCH_SESSION_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Microseconds of CLOCK_MONOTONIC: the wire's times. */
static inline double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static inline void sleep_until(double us)
{
	struct timespec ts = { .tv_sec = us / 1e6 };

	ts.tv_nsec = (us - ts.tv_sec * 1e6) * 1e3;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Connects, upgrades, and leaves the socket non-blocking. Ends the program where that fails. */
static inline int open_session(const char *path)
{
	static const char hello[] = "GET /v1/session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
				    "Upgrade: prewake/1\r\nPrewake-Client: bench/1\r\n\r\n";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 10 };
	char answer[16];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    write(fd, hello, sizeof(hello) - 1) != sizeof(hello) - 1 ||
	    recv(fd, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer) ||
	    memcmp(answer, "HTTP/1.1 101", 12)) {
		fprintf(stderr, "no session: %s\n", errno ? strerror(errno) : "refused");
		exit(1);
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

#endif
