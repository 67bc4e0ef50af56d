/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client that waits: for more than anybody has time for, for nothing, for files that tell nothing, and leaves in the middle. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "neverfs.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define ENTRIES	4096
#define LONG	(3600ull * 1000000000)

static struct scene s;
static struct raw raw;
static struct raw_ring ring;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, ENTRIES, RINGD_SETUP_SQPOLL);
}

static void leave(void)
{
	raw_ring_drop(&ring);
	raw_close(&raw);
}

static void teardown(void)
{
	leave();
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

/* The engine still does the work of this client, too. */
static void expect_alive(void)
{
	const struct ringd_sqe sqe = { .opcode = RINGD_OP_NOP };
	struct raw_ring second;

	raw_ring(&second, &raw, 8, 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(raw_one(&second, &sqe), 0);
	ck_assert_int_eq(raw_ring_free(&second), 0);
	raw_ring_drop(&second);
}

static struct ringd_sqe *timeout(uint64_t user_data, uint64_t ns, uint32_t flags, uint32_t off)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	sqe->opcode = RINGD_OP_TIMEOUT;
	sqe->user_data = user_data;
	sqe->addr = ns;
	sqe->len = 1;
	sqe->off = off;
	sqe->timeout_flags = RINGD_TIMEOUT_IMMEDIATE_ARG | flags;
	return sqe;
}

static struct ringd_sqe *poll_add(uint64_t user_data, int slot, uint32_t events, bool multi)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	sqe->opcode = RINGD_OP_POLL_ADD;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->user_data = user_data;
	sqe->fd = slot;
	sqe->poll32_events = events;
	sqe->len = multi ? RINGD_POLL_ADD_MULTI : 0;
	return sqe;
}

/* The first ones are due while the last ones are submitted; some count, and most will never be due. */
START_TEST(a_hundred_thousand_timeouts_go_with_their_client)
{
	for (uint32_t i = 0; i < 100000; i++) {
		timeout(i, i % 10 ? LONG + i : i * 10, 0, i % 3 ? 0 : 1u << 30);
		if (i % ENTRIES == ENTRIES - 1)
			raw_submit(&ring);
	}
	raw_submit(&ring);
	if (_i) {	/* all at once, by its own wish */
		struct ringd_sqe *sqe = raw_sqe(&ring);

		sqe->opcode = RINGD_OP_ASYNC_CANCEL;
		sqe->cancel_flags = RINGD_ASYNC_CANCEL_ANY;
		raw_submit(&ring);
	}
	expect_alive();
}
END_TEST

/* Thousands that are due all the time, and reaped: the engine does nothing else for this client, but others are served. */
START_TEST(timeouts_of_no_time_stop_nobody)
{
	uint64_t end = rd_now_ns() + 300000000;
	struct ringd_cqe cqe;

	for (uint32_t i = 0; i < ENTRIES; i++)
		timeout(i, i % 2, RINGD_TIMEOUT_MULTISHOT, 0);
	raw_submit(&ring);
	while (rd_now_ns() < end) {
		if (!raw_cqe_ready(&ring)) {	/* the CQ was full: those that ended with that are held back */
			raw_submit(&ring);
			raw_enter(&ring, 0, RINGD_ENTER_GETEVENTS);
		}
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		ck_assert_int_eq(cqe.res, -ETIME);
		if (!(cqe.flags & RINGD_CQE_F_MORE))
			timeout(cqe.user_data, 0, RINGD_TIMEOUT_MULTISHOT, 0);
	}
	expect_alive();
}
END_TEST

START_TEST(thousands_of_polls_of_one_file_stop_nobody)
{
	uint64_t end = rd_now_ns() + 300000000;
	struct ringd_cqe cqe;
	char buf[4096];
	int sk[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sk), 0);
	ck_assert_int_eq(raw_register_files(&ring, sk, 1), 0);
	for (uint32_t i = 0; i < ENTRIES; i++)
		poll_add(i, 0, i % 2 ? POLLIN : POLLIN | POLLOUT, true);
	raw_submit(&ring);
	while (rd_now_ns() < end) {
		if (send(sk[1], "x", 1, MSG_DONTWAIT) < 0)
			ck_assert_int_gt(recv(sk[0], buf, sizeof(buf), 0), 0);
		raw_enter(&ring, 0, RINGD_ENTER_GETEVENTS);
		for (int i = 0; i < 1000 && raw_cqe_ready(&ring); i++)
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	}
	expect_alive();
	rd_close(sk[0]);
	rd_close(sk[1]);
}
END_TEST

struct swapper {
	pthread_t thread;
	int sk[2];
	_Atomic bool stop;
};

static void *write_all_the_time(void *arg)
{
	struct swapper *sw = arg;

	while (!atomic_load(&sw->stop)) {
		if (send(sw->sk[1], "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			poll(NULL, 0, 1);
	}
	return NULL;
}

/* Polls of a slot that changes while its file becomes ready: each is told of once. */
START_TEST(a_slot_that_changes_under_its_polls)
{
	struct swapper sw = { .stop = false };
	char buf[4096];
	struct ringd_cqe cqe;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sw.sk), 0);
	ck_assert_int_eq(raw_register_files(&ring, sw.sk, 1), 0);
	ck_assert_int_eq(pthread_create(&sw.thread, NULL, write_all_the_time, &sw), 0);
	for (int round = 0; round < 300; round++) {
		unsigned int told = 0;

		for (uint32_t i = 0; i < 16; i++)
			poll_add(i, 0, POLLIN, false);
		raw_submit(&ring);
		ck_assert_int_eq(raw_update_file(&ring, 0, -1), 1);
		for (int i = 0; i < 16; i++) {
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			ck_assert_uint_eq(told & 1u << cqe.user_data, 0);
			told |= 1u << cqe.user_data;
			ck_assert(cqe.res == POLLIN || cqe.res == -EBADF);
		}
		while (recv(sw.sk[0], buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
		ck_assert_int_eq(raw_update_file(&ring, 0, sw.sk[0]), 1);
	}
	atomic_store(&sw.stop, true);
	pthread_join(sw.thread, NULL);
	rd_close(sw.sk[0]);
	rd_close(sw.sk[1]);
}
END_TEST

/* Cancels and expiries that meet: one CQE of each, whatever they say. */
START_TEST(cancels_that_come_when_it_fires)
{
	for (uint64_t i = 0; i < 2000; i++) {
		struct ringd_cqe a, b;
		struct ringd_sqe *sqe;

		timeout(1, i % 100 * 500, 0, 0);
		raw_submit(&ring);
		for (uint64_t end = rd_now_ns() + i % 77 * 500; rd_now_ns() < end;)
			;
		sqe = raw_sqe(&ring);
		sqe->opcode = i % 2 ? RINGD_OP_TIMEOUT_REMOVE : RINGD_OP_ASYNC_CANCEL;
		sqe->user_data = 2;
		sqe->addr = 1;
		raw_submit(&ring);
		ck_assert_int_eq(raw_cqe(&ring, &a), 0);
		ck_assert_int_eq(raw_cqe(&ring, &b), 0);
		ck_assert_uint_eq(a.user_data + b.user_data, 3);
		if (a.user_data == 1)
			ck_assert(a.res == -ETIME && b.res == -ENOENT);
		else
			ck_assert(a.res == 0 && b.res == -ECANCELED);
	}
	ck_assert(!raw_cqe_ready(&ring));
}
END_TEST

/* Whether it is ready is asked of a server that does not answer, directly or through an epoll set. */
START_TEST(a_poll_that_is_never_answered_holds_only_who_asks)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct neverfs n;
	char path[96];
	int fd, ep = -1;

	if (!neverfs_mount(&n, true))
		return;		/* not root, or no FUSE: nothing to be seen here */
	snprintf(path, sizeof(path), "%s/file", n.dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	*n.polls = 1;
	if (_i & 1) {
		*n.polls = 2;	/* who puts it into the set asks, too */
		ep = epoll_create1(EPOLL_CLOEXEC);
		ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	}
	ck_assert_int_eq(raw_register_files(&ring, ep < 0 ? &fd : &ep, 1), 0);
	for (uint64_t i = 0; i < 4; i++)
		poll_add(i, 0, POLLIN, _i & 2);
	raw_submit(&ring);
	neverfs_wait(&n, 1);
	expect_alive();
	leave();
	neverfs_abort(&n);
	rd_close(ep);
	rd_close(fd);
}
END_TEST

/* One epoll set watches another, and a file that does not answer is added to that: then the kernel holds a lock of everybody. */
static void *hold_nested(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN };
	RD_CLOSE int outer = epoll_create1(EPOLL_CLOEXEC), inner = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev) == 0)
		(void)epoll_ctl(inner, EPOLL_CTL_ADD, *(int *)arg, &ev);
	return NULL;
}

START_TEST(the_lock_of_nested_epoll_sets_is_not_ours)
{
	struct neverfs n;
	struct ringd_cqe cqe;
	pthread_t thread;
	char path[96];
	int fd, p[2];

	if (!neverfs_mount(&n, true))
		return;		/* not root, or no FUSE: nothing to be seen here */
	snprintf(path, sizeof(path), "%s/file", n.dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	*n.polls = 1;
	ck_assert_int_eq(pthread_create(&thread, NULL, hold_nested, &fd), 0);
	neverfs_wait(&n, 1);
	/* a descriptor that nobody has waited for yet */
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(raw_register_files(&ring, p, 1), 0);
	poll_add(7, 0, POLLIN, false);
	raw_submit(&ring);
	expect_alive();
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	ck_assert_uint_eq(cqe.user_data, 7);
	neverfs_abort(&n);
	pthread_join(thread, NULL);
	rd_close(fd);
	rd_close(p[0]);
	rd_close(p[1]);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile time");
	tc = tcase_create("a client that waits");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_hundred_thousand_timeouts_go_with_their_client, 0, 2);
	tcase_add_test(tc, timeouts_of_no_time_stop_nobody);
	tcase_add_test(tc, thousands_of_polls_of_one_file_stop_nobody);
	tcase_add_test(tc, a_slot_that_changes_under_its_polls);
	tcase_add_test(tc, cancels_that_come_when_it_fires);
	tcase_add_loop_test(tc, a_poll_that_is_never_answered_holds_only_who_asks, 0, 4);
	tcase_add_test(tc, the_lock_of_nested_epoll_sets_is_not_ours);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
