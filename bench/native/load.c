// SPDX-License-Identifier: Apache-2.0
// Many sessions that send hints at a fixed total rate: a client of hostd's wire that is not Node.
//
//   load SOCKET SESSIONS HINTS_PER_SECOND SECONDS WAIT_MS
//
// Each hint is a wait of WAIT_MS with a known deadline; its end is sent when it is due. Prints one JSON object:
// hints sent, the rate reached, error frames seen, sessions that hostd closed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

static int open_session(const char *path)
{
	static const char hello[] = "GET /v1/session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
				    "Upgrade: prewake/1\r\nPrewake-Client: load/1\r\n\r\n";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char answer[16];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    write(fd, hello, sizeof(hello) - 1) != sizeof(hello) - 1 ||
	    recv(fd, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer) ||
	    memcmp(answer, "HTTP/1.1 101", 12)) {
		fprintf(stderr, "no session: %s\n", strerror(errno));
		exit(1);
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

struct open_wait {
	double due;
	int session;
	long id;
};

static void send_all(int fd, const char *text, size_t size, long *blocked)
{
	while (size > 0) {
		ssize_t sent = write(fd, text, size);

		if (sent < 0 && errno == EAGAIN) {
			struct pollfd writable = { .fd = fd, .events = POLLOUT };

			++*blocked;
			poll(&writable, 1, 1000);
			continue;
		}
		if (sent < 0)
			return; /* closed by hostd: counted when it is read */
		text += sent;
		size -= sent;
	}
}

static void drain(int fd, long *errors, long *closed)
{
	char buffer[65536];
	ssize_t size = read(fd, buffer, sizeof(buffer) - 1);

	if (size == 0)
		++*closed;
	if (size <= 0)
		return;
	buffer[size] = 0;
	for (char *at = buffer; (at = strstr(at, "\"type\":\"error\"")); at++)
		++*errors;
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: load SOCKET SESSIONS HINTS_PER_SECOND SECONDS WAIT_MS\n");
		return 2;
	}
	int sessions = atoi(argv[2]);
	double rate = atof(argv[3]), seconds = atof(argv[4]), wait_us = atof(argv[5]) * 1e3;
	struct rlimit files = { 65536, 65536 };
	long errors = 0, closed = 0, blocked = 0, sent = 0, ended = 0;
	long room = rate * (wait_us / 1e6) * 2 + 1000;
	struct open_wait *open = calloc(room, sizeof(*open));
	struct pollfd *all = calloc(sessions, sizeof(*all));
	char text[512];

	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 0; i < sessions; i++) {
		all[i].fd = open_session(argv[1]);
		all[i].events = POLLIN;
		int size = snprintf(text, sizeof(text),
				    "{\"type\":\"step\",\"id\":\"%016x\",\"kind\":\"timer\",\"key\":\"load\","
				    "\"at\":%.1f,\"report\":false}\n", i + 1, now_us());
		send_all(all[i].fd, text, size, &blocked);
	}
	double began = now_us(), end = began + seconds * 1e6;

	while (now_us() < end || ended < sent) {
		double now = now_us();

		while (now < end && sent < (now - began) / 1e6 * rate && sent - ended < room) {
			int session = sent % sessions;
			long id = ++sent;
			int size = snprintf(text, sizeof(text),
					    "{\"type\":\"wait\",\"id\":%ld,\"step\":\"%016x\",\"kind\":\"timer\","
					    "\"key\":\"load\",\"at\":%.1f,\"deadline\":%.1f}\n",
					    id, session + 1, now, now + wait_us);

			send_all(all[session].fd, text, size, &blocked);
			open[id % room] = (struct open_wait){ now + wait_us, session, id };
		}
		while (ended < sent && open[(ended + 1) % room].due <= now) {
			struct open_wait *wait = &open[++ended % room];
			int size = snprintf(text, sizeof(text), "{\"type\":\"wait_end\",\"id\":%ld,\"at\":%.1f}\n",
					    wait->id, now);

			send_all(all[wait->session].fd, text, size, &blocked);
		}
		if (poll(all, sessions, 1) > 0)
			for (int i = 0; i < sessions; i++)
				if (all[i].revents) {
					drain(all[i].fd, &errors, &closed);
					if (all[i].revents & (POLLHUP | POLLERR))
						all[i].fd = -1;
				}
	}
	double took = (now_us() - began) / 1e6;

	printf("{\"hints\":%ld,\"ended\":%ld,\"rate\":%.1f,\"errors\":%ld,\"closed\":%ld,\"blocked\":%ld}\n", sent,
	       ended, sent / (took < seconds ? took : seconds), errors, closed, blocked);
	return 0;
}
