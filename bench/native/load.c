// SPDX-License-Identifier: Apache-2.0
// Many sessions that send hints at a fixed total rate: a client of hostd's wire that is not Node.
//
//   load SOCKET SESSIONS HINTS_PER_SECOND SECONDS WAIT_MS
//
// Each hint is a wait with a known deadline in WAIT_MS; its end is sent 5 ms after that, so that a window that opens late
// still opens. Prints one JSON object:
// hints sent, the rate reached, error frames seen, sessions that hostd closed.
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <sys/resource.h>

#include "session.h"

#define LATE_US 5000

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
	long room = rate * ((wait_us + LATE_US) / 1e6) * 2 + 1000;
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
			open[id % room] = (struct open_wait){ now + wait_us + LATE_US, session, id };
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
