// SPDX-License-Identifier: Apache-2.0
// Two threads on one CPU that hand a byte to and fro: as many slices a second as are asked for.
//
//   switcher SOCKET CPU SLICES_PER_SECOND SECONDS
//
// It is a session with one open step. A rate of 0 is as fast as it goes. Prints the switches that the kernel counted
// for both threads, and the seconds that it took, as JSON.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "session.h"

static int there[2], back[2];

static void *echo(void *unused)
{
	char byte;

	(void)unused;
	while (read(there[0], &byte, 1) == 1)
		if (write(back[1], &byte, 1) != 1)
			break;
	return NULL;
}

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: switcher SOCKET CPU SLICES_PER_SECOND SECONDS\n");
		return 2;
	}
	double rate = atof(argv[3]), seconds = atof(argv[4]);
	int session = open_session(argv[1]);
	char text[256], byte = 0;
	pthread_t thread;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(atoi(argv[2]), &set);
	if (sched_setaffinity(0, sizeof(set), &set) || pipe(there) || pipe(back) ||
	    pthread_create(&thread, NULL, echo, NULL)) {
		perror("switcher");
		return 1;
	}
	int size = snprintf(text, sizeof(text),
			    "{\"type\":\"step\",\"id\":\"00000000000000cc\",\"kind\":\"tool\",\"key\":\"switcher\","
			    "\"at\":%.1f,\"report\":false}\n", now_us());

	if (write(session, text, size) != size)
		return 1;
	sleep_until(now_us() + 500e3); /* hostd follows by then */
	long first = switches(), done = 0;
	double began = now_us();

	for (double now = began; now < began + seconds * 1e6; now = now_us()) {
		double due = rate > 0 ? (now - began) / 1e6 * rate : done + 1000;

		for (; done < due; done += 2)
			if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
				return 1;
		if (rate > 0)
			sleep_until(now + 1000);
	}
	double took = (now_us() - began) / 1e6;

	printf("{\"switches\":%ld,\"seconds\":%.6f}\n", switches() - first, took);
	fflush(stdout);
	sleep_until(now_us() + 1500e3); /* the step goes on while hostd reads the rest */
	return 0;
}
