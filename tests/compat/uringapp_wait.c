// SPDX-License-Identifier: GPL-2.0-or-later
/* Waiting in the ways that programs have: the ring in an epoll set, an eventfd, timeouts, from other threads and rings. */
#include "uringapp.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FOREVER 100000	/* ms: of what must happen */

static int ready(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout) == 1 && p.revents & POLLIN;
}

static void submit(struct io_uring *ring)
{
	int r = io_uring_submit(ring);

	if (r < 0)
		app_die("submit", -r);
}

static void seen(struct io_uring *ring, const char *what)
{
	struct io_uring_cqe *cqe;
	int r = io_uring_peek_cqe(ring, &cqe);

	if (r < 0) {
		printf("%s: none (%d)\n", what, r);
		return;
	}
	printf("%s: %llu %d\n", what, (unsigned long long)cqe->user_data, cqe->res);
	io_uring_cqe_seen(ring, cqe);
}

/* The loop of many programs: the ring beside other descriptors in one epoll set. */
static void in_epoll(struct io_uring *ring, const int fds[2])
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 7 }, got = { 0 };

	if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, ring->ring_fd, &ev) < 0)
		app_die("epoll", errno);
	printf("epoll, empty: %d\n", epoll_wait(set, &got, 1, 0));
	io_uring_prep_poll_add(app_sqe(ring, 11), fds[0], POLLIN);
	submit(ring);
	printf("epoll, under way: %d\n", epoll_wait(set, &got, 1, 0));
	if (write(fds[1], "x", 1) != 1)
		app_die("pipe", errno);
	printf("epoll, done: %d", epoll_wait(set, &got, 1, FOREVER));
	printf(" %u\n", got.data.u32);
	seen(ring, "poll");
	printf("epoll, after: %d\n", epoll_wait(set, &got, 1, 0));
	close(set);
}

static void by_eventfd(struct io_uring *ring)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	eventfd_t value = 0;

	if (fd < 0 || io_uring_register_eventfd(ring, fd) < 0)
		app_die("eventfd", errno);
	io_uring_prep_nop(app_sqe(ring, 12));
	submit(ring);
	printf("eventfd: %d", ready(fd, FOREVER));
	if (eventfd_read(fd, &value) < 0)
		app_die("eventfd", errno);
	printf(" %llu\n", (unsigned long long)value);
	seen(ring, "nop");
	printf("unregister: %d\n", io_uring_unregister_eventfd(ring));
	close(fd);
}

static void cancelled(struct io_uring *ring, const int fds[2])
{
	static char c[4];

	if (read(fds[0], c, 1) != 1)
		app_die("pipe", errno);
	io_uring_prep_read(app_sqe(ring, 0), fds[0], c, sizeof(c), 0);
	io_uring_prep_poll_add(app_sqe(ring, 1), fds[0], POLLIN);
	submit(ring);
	io_uring_prep_cancel64(app_sqe(ring, 2), 0, 0);
	io_uring_prep_poll_remove(app_sqe(ring, 3), 1);
	io_uring_prep_cancel64(app_sqe(ring, 4), 99, 0);
	app_results(ring, "cancel", 5);
}

static void timed(struct io_uring *ring)
{
	struct __kernel_timespec ts = { .tv_nsec = 2000000 };
	struct io_uring_cqe *cqe;

	printf("wait, limited: %d\n", io_uring_wait_cqe_timeout(ring, &cqe, &ts));
	io_uring_prep_timeout(app_sqe(ring, 0), &ts, 0, 0);
	app_results(ring, "timeout", 1);
}

void app_poll(void)
{
	struct io_uring ring;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		app_die("pipe", errno);
	app_ring(&ring, 8);
	printf("poll, empty: %d\n", ready(ring.ring_fd, 0));
	in_epoll(&ring, fds);
	by_eventfd(&ring);
	cancelled(&ring, fds);
	timed(&ring);
	io_uring_queue_exit(&ring);
}

struct pair {
	int to;
	unsigned int n;
};

/* A thread with a ring of its own tells another ring what it found. */
static void *teller(void *arg)
{
	struct pair *pair = arg;
	struct io_uring ring;

	app_ring(&ring, 8);
	for (unsigned int i = 0; i < pair->n; i++) {
		struct io_uring_sqe *sqe = app_sqe(&ring, 0);

		io_uring_prep_msg_ring(sqe, pair->to, i, 1000 + i, 0);
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		if (i % 8 == 7)
			submit(&ring);
	}
	submit(&ring);
	io_uring_prep_nop(app_sqe(&ring, 1));
	io_uring_submit_and_wait(&ring, 1);
	io_uring_queue_exit(&ring);
	return NULL;
}

void app_rings(void)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	pthread_t thread[4];
	unsigned long long sum = 0, data = 0;
	struct pair pair;

	app_ring(&ring, 256);
	pair = (struct pair){ ring.ring_fd, 64 };
	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread[i], NULL, teller, &pair) != 0)
			app_die("thread", EAGAIN);
	for (unsigned int i = 0; i < 256; i++) {
		int r = io_uring_wait_cqe(&ring, &cqe);

		if (r < 0)
			app_die("wait", -r);
		sum += (unsigned int)cqe->res;
		data += cqe->user_data;
		io_uring_cqe_seen(&ring, cqe);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	printf("told: %llu %llu\n", sum, data);
	io_uring_queue_exit(&ring);
}
