/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netdelay DEVICE NETNS NETNS DELAY_US LOSS_PER_1000 SEED: a wire between two network namespaces (files such as /proc/PID/ns/net)
 * for kernels without netem. Each gets a device of that name; what goes into one comes out of the other after the delay, in
 * order, or never. Addresses are the caller's business.
 *
 * Says "ready"; then obeys lines on standard input and repeats each when it has effect: "cut" (nothing passes, and what is
 * on its way is lost), "heal". Ends with its input, and says how much has passed and how much was lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/common/clock.h"

#define SLOTS		4096u		/* packets on their way; more are lost, as in any queue */
#define PACKET		2048u

struct packet {
	uint64_t due;
	size_t len;
	char data[PACKET];
};

struct way {
	int in, out;
	struct packet *queue;		/* SLOTS of them */
	unsigned int head, tail;
};

static uint64_t delay_ns;
static unsigned int loss;
static bool is_cut;
static unsigned long passed, lost;

static void die(const char *what)
{
	fprintf(stderr, "netdelay: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A device belongs to the namespace in which it is opened. */
static int open_device(const char *name, const char *netns)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int ns = open(netns, O_RDONLY | O_CLOEXEC), fd;

	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		die(netns);
	close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die("/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		die(name);
	return fd;
}

static void take_in(struct way *w)
{
	for (;;) {
		char spare[PACKET];
		bool drop = w->tail - w->head == SLOTS || is_cut || (unsigned int)(random() % 1000) < loss;
		struct packet *p = &w->queue[w->tail % SLOTS];
		ssize_t n = read(w->in, drop ? spare : p->data, PACKET);

		if (n <= 0)
			return;		/* EAGAIN, or EIO while the device is down */
		if (drop) {
			lost++;
			continue;
		}
		p->len = (size_t)n;
		p->due = rd_now_ns() + delay_ns;
		w->tail++;
	}
}

/* Nanoseconds until the next one is due; UINT64_MAX: there is none. */
static uint64_t give_out(struct way *w)
{
	uint64_t now = rd_now_ns();

	for (; w->head != w->tail; w->head++) {
		const struct packet *p = &w->queue[w->head % SLOTS];

		if (p->due > now)
			return p->due - now;
		if (!is_cut && write(w->out, p->data, p->len) == (ssize_t)p->len)
			passed++;
		else
			lost++;
	}
	return UINT64_MAX;
}

/* False: there are no more commands. */
static bool obey(void)
{
	char line[16] = "";
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	is_cut = line[0] == 'c';
	fputs(line, stdout);
	fflush(stdout);
	return true;
}

static void run(struct way way[2])
{
	struct pollfd p[3] = { { way[0].in, POLLIN, 0 }, { way[1].in, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	uint64_t next = UINT64_MAX, ns;
	struct timespec ts;

	do {
		ts.tv_sec = (time_t)(next / 1000000000u);
		ts.tv_nsec = (long)(next % 1000000000u);
		p[2].revents = 0;
		if (ppoll(p, 3, next == UINT64_MAX ? NULL : &ts, NULL) < 0 && errno != EINTR)
			die("ppoll");
		next = UINT64_MAX;
		for (int i = 0; i < 2; i++) {
			take_in(&way[i]);
			ns = give_out(&way[i]);
			if (ns < next)
				next = ns;
		}
	} while (!p[2].revents || obey());
}

int main(int argc, char **argv)
{
	struct way way[2] = { 0 };

	if (argc != 7)
		return 2;
	delay_ns = strtoull(argv[4], NULL, 10) * 1000;
	loss = (unsigned int)strtoul(argv[5], NULL, 10);
	srandom((unsigned int)strtoul(argv[6], NULL, 10));
	for (int i = 0; i < 2; i++) {
		way[i].in = way[!i].out = open_device(argv[1], argv[2 + i]);
		way[i].queue = calloc(SLOTS, sizeof(struct packet));
		if (!way[i].queue)
			die("memory");
	}
	puts("ready");
	fflush(stdout);
	run(way);
	printf("passed %lu, lost %lu\n", passed, lost);
	for (int i = 0; i < 2; i++) {
		close(way[i].in);
		free(way[i].queue);
	}
	return 0;
}
