/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An engine whose service misbehaves on demand: the real main() with its identity and filter, but a rd_service_run()
 * of a few lines. The mode is what follows the last ':' of argv[0]:
 *   serve     takes clients, welcomes them, reports its load, answers statistics, stops when told
 *   die       ends at once, status 3
 *   die-late  says READY, ends with the first client
 *   mute      never says READY
 *   babble    says READY, then sends a packet that is none
 *   flood     says READY, then load reports without end
 *   silent    like serve, but does not answer statistics
 *   stubborn  like serve, but does not stop, not even by SIGTERM
 *   wrong     like serve, but its statistics carry other names, ids and cookies
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/fdpass.h"
#include "daemon/common/link.h"
#include "daemon/common/util.h"
#include "daemon/engine/session/service.h"

#define CLIENTS	512

static struct pollfd fds[1 + CLIENTS];
static nfds_t n_fds = 1;
static struct rd_link_load load = { .msg.type = RD_LINK_LOAD };
static const char *mode;

static bool is(const char *m)
{
	return !strcmp(mode, m);
}

void rd_engine_config_default(struct rd_engine_config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
}

static void send_link(const void *p, size_t n)
{
	(void)rd_send_fds(RD_LINK_FD, p, n, NULL, 0);
}

static void take_client(const struct rd_link_client *c, int fd)
{
	const struct ringd_welcome w = {
		.msg = { .size = sizeof(w), .type = RINGD_MSG_HELLO, .seq = c->hello_seq },
		.version = (uint16_t)c->version, .engine_pid = (uint32_t)getpid(),
		.spin_us = c->flags,	/* lets tests see them */
		.limits = { (uint64_t)c->pid },
	};

	if (is("die-late"))
		_exit(4);
	if (n_fds == 1 + CLIENTS) {
		close(fd);
		return;
	}
	(void)rd_send_fds(fd, &w, sizeof(w), NULL, 0);
	fds[n_fds++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	load.attached++;
	load.clients++;
	send_link(&load, sizeof(load));
}

static void answer_stats(uint32_t cookie)
{
	struct rd_link_stats s = { .msg = { RD_LINK_STATS, cookie }, .status = { .submitted = 7, .backend = "sync" } };

	if (is("wrong")) {
		s.status.uid = s.status.engine_pid = 1;
		s.status.msg.res = 5;
		memcpy(s.status.backend, "\033[2Jx", 6);
		send_link(&s, sizeof(s));
		s.msg.cookie++;
	}
	send_link(&s, sizeof(s));
}

/* false: end */
static bool on_link(void)
{
	struct rd_link_client c;
	size_t n = 2;
	int fd[2] = { -1, -1 };
	ssize_t r = rd_recv_fds(RD_LINK_FD, &c, sizeof(c), fd, &n);

	if (r <= 0)
		return false;
	if (n == 2)
		close(fd[1]);		/* of the client's process */
	if (c.msg.type == RD_LINK_CLIENT)
		take_client(&c, fd[0]);
	else if (c.msg.type == RD_LINK_STATS && !is("silent"))
		answer_stats(c.msg.cookie);
	else if (c.msg.type == RD_LINK_STOP)
		return is("stubborn");
	return true;
}

/* Whatever a client says is thrown away; one that has gone is told to the manager. */
static void on_client(nfds_t i)
{
	int got[8];
	size_t n = RD_ARRAY_SIZE(got);
	char buf[256];

	if (rd_recv_fds(fds[i].fd, buf, sizeof(buf), got, &n) > 0) {
		while (n > 0)
			close(got[--n]);
		return;
	}
	close(fds[i].fd);
	fds[i] = fds[--n_fds];
	load.clients--;
	send_link(&load, sizeof(load));
}

static void begin(void)
{
	struct rd_link_msg ready = { .type = RD_LINK_READY };

	if (is("die"))
		_exit(3);
	while (is("mute"))
		poll(NULL, 0, -1);
	if (is("stubborn"))
		signal(SIGTERM, SIG_IGN);
	send_link(&ready, sizeof(ready));
	if (is("babble"))
		send_link(&load, sizeof(load) - 1);
	while (is("flood")) {
		struct pollfd p = { .fd = RD_LINK_FD, .events = POLLOUT };

		poll(&p, 1, -1);
		if (rd_send_fds(RD_LINK_FD, &load, sizeof(load), NULL, 0) == -EPIPE)
			_exit(0);
	}
}

int rd_service_run(const struct rd_engine_config *cfg, int link_fd)
{
	mode = strrchr(program_invocation_name, ':') ? strrchr(program_invocation_name, ':') + 1 : "serve";
	begin();
	fds[0] = (struct pollfd){ .fd = link_fd, .events = POLLIN };
	for (;;) {
		if (poll(fds, n_fds, -1) < 0 && errno != EINTR)
			return -errno;
		for (nfds_t i = n_fds - 1; i > 0; i--)
			if (fds[i].revents)
				on_client(i);
		if (fds[0].revents && !on_link())
			return 0;
	}
}
