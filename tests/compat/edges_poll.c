/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The descriptor of a ring, looked at and waited for in all ways there are. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "edges.h"

#define ALL	(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLPRI | POLLRDHUP)

static int looked(short events)
{
	struct pollfd p = { .fd = edge.ring_fd, .events = events };

	ck_assert_int_ge(poll(&p, 1, 0), 0);
	return p.revents;
}

/* select(): readable is 1, writable 2 */
static int selected(int fd)
{
	struct timeval now = { 0 };
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd, &in);
	FD_SET(fd, &out);
	ck_assert_int_ge(select(fd + 1, &in, &out, NULL, &now), 0);
	return (FD_ISSET(fd, &in) ? 1 : 0) + (FD_ISSET(fd, &out) ? 2 : 0);
}

static int control(int set, int op, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = 77 };

	return epoll_ctl(set, op, fd, &ev) < 0 ? -errno : 0;
}

static int set_with(int fd, uint32_t events)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_ge(set, 0);
	ck_assert_int_eq(control(set, EPOLL_CTL_ADD, fd, events), 0);
	return set;
}

/* All that a set tells of the ring, in one event or in several. */
static uint32_t told(int set)
{
	struct epoll_event ev[4];
	uint32_t events = 0;
	int n = epoll_wait(set, ev, 4, 0);

	for (int i = 0; i < n; i++) {
		ck_assert_uint_eq(ev[i].data.u64, 77);
		events |= ev[i].events;
	}
	return events;
}

/* The program's part of submitting, as any liburing does it. */
static void fill_sq(void)
{
	for (unsigned int i = 0; i < 8; i++)
		io_uring_prep_nop(io_uring_get_sqe(&edge));
	io_uring_smp_store_release(edge.sq.ktail, edge.sq.sqe_tail);
	edge.sq.sqe_head = edge.sq.sqe_tail;
}

START_TEST(room_and_cqes_are_seen_by_poll_and_select)
{
	ck_assert_int_eq(looked(ALL), POLLOUT | POLLWRNORM);
	ck_assert_int_eq(selected(edge.ring_fd), 2);
	edge_nops(1);
	ck_assert_int_eq(looked(ALL), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	ck_assert_int_eq(looked(POLLIN), POLLIN);
	ck_assert_int_eq(selected(edge.ring_fd), 3);
	edge_drain();
	ck_assert_int_eq(looked(ALL), POLLOUT | POLLWRNORM);
	fill_sq();
	ck_assert_int_eq(looked(ALL), 0);
	ck_assert_int_eq(selected(edge.ring_fd), 0);
	ck_assert_int_eq(io_uring_submit(&edge), 8);
	ck_assert_int_eq(looked(POLLIN | POLLOUT), POLLIN | POLLOUT);
}
END_TEST

START_TEST(room_is_told_by_epoll_sets)
{
	int set = set_with(edge.ring_fd, EPOLLIN | EPOLLOUT), outer = set_with(set, EPOLLIN);

	ck_assert_uint_eq(told(set), EPOLLOUT);
	ck_assert_uint_eq(told(outer), EPOLLIN);
	edge_nops(1);
	ck_assert_uint_eq(told(set), EPOLLIN | EPOLLOUT);
	edge_drain();
	ck_assert_uint_eq(told(set), EPOLLOUT);
	fill_sq();
	ck_assert_uint_eq(told(set), 0);
	ck_assert_uint_eq(told(outer), 0);
	ck_assert_int_eq(io_uring_submit(&edge), 8);
	ck_assert_uint_eq(told(set), EPOLLIN | EPOLLOUT);
	edge_drain();
	ck_assert_int_eq(control(set, EPOLL_CTL_MOD, edge.ring_fd, EPOLLIN), 0);
	ck_assert_uint_eq(told(set), 0);
	ck_assert_uint_eq(told(outer), 0);
	ck_assert_int_eq(control(set, EPOLL_CTL_MOD, edge.ring_fd, EPOLLOUT), 0);
	ck_assert_uint_eq(told(set), EPOLLOUT);
	ck_assert_int_eq(control(set, EPOLL_CTL_DEL, edge.ring_fd, 0), 0);
	ck_assert_uint_eq(told(set), 0);
	ck_assert_int_eq(control(set, EPOLL_CTL_DEL, edge.ring_fd, 0), -ENOENT);
	close(set);
	close(outer);
}
END_TEST

START_TEST(edges_of_a_ring)
{
	int set = set_with(edge.ring_fd, EPOLLIN | EPOLLET);

	ck_assert_uint_eq(told(set), 0);
	edge_nops(1);
	ck_assert_uint_eq(told(set), EPOLLIN);
	ck_assert_uint_eq(told(set), 0);
	/* one that comes while there is one is news, too */
	edge_nops(1);
	ck_assert_uint_eq(told(set), EPOLLIN);
	ck_assert_uint_eq(told(set), 0);
	ck_assert_int_eq(control(set, EPOLL_CTL_MOD, edge.ring_fd, EPOLLIN | EPOLLET), 0);
	ck_assert_uint_eq(told(set), EPOLLIN);
	edge_drain();
	ck_assert_int_eq(control(set, EPOLL_CTL_MOD, edge.ring_fd, EPOLLIN | EPOLLOUT | EPOLLET), 0);
	ck_assert_uint_eq(told(set), EPOLLOUT);
	ck_assert_uint_eq(told(set), 0);
	close(set);
	/* CQEs that were there before anybody looked */
	edge_nops(2);
	set = set_with(edge.ring_fd, EPOLLIN | EPOLLET);
	ck_assert_uint_eq(told(set), EPOLLIN);
	ck_assert_uint_eq(told(set), 0);
	close(set);
}
END_TEST

START_TEST(one_shot_and_exclusive)
{
	int set = set_with(edge.ring_fd, EPOLLIN | EPOLLONESHOT), other;

	edge_nops(1);
	ck_assert_uint_eq(told(set), EPOLLIN);
	edge_nops(1);
	ck_assert_uint_eq(told(set), 0);
	ck_assert_int_eq(control(set, EPOLL_CTL_MOD, edge.ring_fd, EPOLLIN | EPOLLONESHOT), 0);
	ck_assert_uint_eq(told(set), EPOLLIN);
	edge_drain();
	other = set_with(edge.ring_fd, EPOLLIN | EPOLLEXCLUSIVE);
	ck_assert_int_eq(control(other, EPOLL_CTL_ADD, edge.ring_fd, EPOLLIN), -EEXIST);
	ck_assert_uint_eq(told(other), 0);
	edge_nops(1);
	ck_assert_uint_eq(told(other), EPOLLIN);
	close(other);
	close(set);
}
END_TEST

START_TEST(a_ring_is_no_epoll_set)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(epoll_ctl(edge.ring_fd, EPOLL_CTL_ADD, pipes[0], &ev), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(epoll_wait(edge.ring_fd, &ev, 1, 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(epoll_pwait(edge.ring_fd, &ev, 1, 0, NULL), -1);
	ck_assert_int_eq(errno, EINVAL);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

START_TEST(rings_that_wait_for_rings)
{
	struct io_uring other;

	ck_assert_int_eq(io_uring_queue_init(4, &other, 0), 0);
	io_uring_prep_poll_add(io_uring_get_sqe(&other), edge.ring_fd, POLLIN | POLLOUT);
	ck_assert_int_eq(edge_run(&other), POLLOUT);
	io_uring_prep_poll_add(io_uring_get_sqe(&other), edge.ring_fd, POLLIN);
	ck_assert_int_eq(io_uring_submit(&other), 1);
	ck_assert_uint_eq(io_uring_cq_ready(&other), 0);
	edge_nops(1);
	ck_assert_int_eq(edge_result(&other), POLLIN);
	edge_drain();
	/* its own, too */
	io_uring_prep_poll_add(io_uring_get_sqe(&edge), edge.ring_fd, POLLOUT);
	ck_assert_int_eq(edge_run(&edge), POLLOUT);
	io_uring_prep_poll_multishot(io_uring_get_sqe(&other), edge.ring_fd, POLLIN | POLLOUT);
	ck_assert_int_eq(edge_run(&other), POLLOUT);
	edge_nops(1);
	ck_assert_int_eq(edge_result(&other) & ~POLLOUT, POLLIN);
	io_uring_queue_exit(&other);
}
END_TEST

TCase *edges_poll(void)
{
	TCase *tc = tcase_create("poll");

	tcase_add_test(tc, room_and_cqes_are_seen_by_poll_and_select);
	tcase_add_test(tc, room_is_told_by_epoll_sets);
	tcase_add_test(tc, edges_of_a_ring);
	tcase_add_test(tc, one_shot_and_exclusive);
	tcase_add_test(tc, a_ring_is_no_epoll_set);
	tcase_add_test(tc, rings_that_wait_for_rings);
	return tc;
}
