/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd with the real daemon: the helpers for timeouts and polls. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "daemon/common/clock.h"
#include "tests/hostile/daemon.h"
#include "tests/unit/connect.h"
#include "tests/unit/suite.h"

#define MS	1000000l

static const unsigned int kinds[] = { 0, RINGD_SETUP_SQPOLL };
static struct rd_daemon ringd;
static struct ringd *rd;
static struct ringd_ring *ring;
static int p[2];

static void setup(void)
{
	rd_daemon_start(&ringd, NULL);
	ck_assert_int_eq(rd_connect_patiently(&rd, ringd.socket), 0);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
}

static void teardown(void)
{
	ringd_close(rd);
	rd_daemon_stop(&ringd);
	close(p[0]);
	close(p[1]);
}

static void make_ring(int kind)
{
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, kinds[kind]), 0);
	ck_assert_int_eq(ringd_register_files(ring, p, 1), 0);
}

/* A cleared SQE */
static struct ringd_sqe *get(uint64_t user_data, unsigned int flags)
{
	struct ringd_sqe *sqe;

	while (!(sqe = ringd_get_sqe(ring)))
		ck_assert_int_eq(ringd_sqring_wait(ring), 0);
	sqe->ioprio = 0;
	sqe->personality = 0;
	ringd_sqe_set_data64(sqe, user_data);
	ringd_sqe_set_flags(sqe, flags);
	return sqe;
}

static void expect(uint64_t user_data, int32_t res, uint32_t flags)
{
	struct ringd_cqe *cqe;

	ck_assert_int_ge(ringd_submit(ring), 0);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	ck_assert_msg(cqe->user_data == user_data && cqe->res == res && cqe->flags == flags, "CQE of %llu: %d, %#x",
		      (unsigned long long)cqe->user_data, cqe->res, cqe->flags);
	ringd_cqe_seen(ring, cqe);
}

static void put(void)
{
	ck_assert_int_eq(write(p[1], "x", 1), 1);
}

START_TEST(times)
{
	struct timespec ts = { .tv_nsec = 5 * MS }, now;
	uint64_t t0 = rd_now_ns();

	make_ring(_i);
	ringd_prep_timeout(ring, get(1, 0), &ts, 0, 0);
	ts.tv_sec = 1000;	/* it was copied */
	expect(1, -ETIME, 0);
	ck_assert_uint_ge(rd_now_ns() - t0, 5 * MS);
	ringd_prep_timeout(ring, get(1, 0), &ts, 2, RINGD_TIMEOUT_BOOTTIME);
	ringd_prep_nop(get(2, 0));
	ringd_prep_nop(get(3, 0));
	expect(2, 0, 0);
	expect(3, 0, 0);
	expect(1, 0, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_nsec += 5 * MS;		/* may be more than a second */
	ringd_prep_timeout(ring, get(1, 0), &now, 0, RINGD_TIMEOUT_ABS | RINGD_TIMEOUT_REALTIME);
	expect(1, -ETIME, 0);
	ts = (struct timespec){ .tv_nsec = MS };
	ringd_prep_timeout(ring, get(1, 0), &ts, 2, RINGD_TIMEOUT_MULTISHOT | RINGD_TIMEOUT_IMMEDIATE_ARG);
	expect(1, -ETIME, RINGD_CQE_F_MORE);
	expect(1, -ETIME, 0);
	ts.tv_nsec = -1;
	ringd_prep_timeout(ring, get(1, 0), &ts, 0, 0);
	expect(1, -EINVAL, 0);
	ringd_prep_timeout(ring, get(1, 0), NULL, 0, 0);
	expect(1, -EFAULT, 0);
}
END_TEST

START_TEST(times_that_are_changed)
{
	struct timespec hour = { .tv_sec = 3600 }, ms = { .tv_nsec = MS };

	make_ring(_i);
	ringd_prep_timeout(ring, get(1, 0), &hour, 0, 0);
	ringd_prep_timeout_remove(get(2, 0), 1, 0);
	expect(2, 0, 0);
	expect(1, -ECANCELED, 0);
	ringd_prep_timeout(ring, get(1, 0), &hour, 0, 0);
	ringd_prep_timeout_update(ring, get(2, 0), &ms, 1, 0);
	expect(2, 0, 0);
	expect(1, -ETIME, 0);
	ringd_prep_timeout_remove(get(2, 0), 1, 0);
	expect(2, -ENOENT, 0);
}
END_TEST

START_TEST(times_of_others)
{
	struct timespec hour = { .tv_sec = 3600 }, ms = { .tv_nsec = MS };

	make_ring(_i);
	for (int late = 0; late < 2; late++) {
		ringd_prep_poll_add(get(1, RINGD_SQE_FIXED_FILE | RINGD_SQE_IO_LINK), 0, POLLIN);
		ringd_prep_link_timeout(ring, get(2, 0), late ? &hour : &ms, 0);
		if (late) {
			put();
			expect(1, POLLIN, 0);
			expect(2, -ECANCELED, 0);
		} else {
			expect(2, -ETIME, 0);
			expect(1, -ECANCELED, 0);
		}
	}
}
END_TEST

START_TEST(readiness)
{
	char c;

	make_ring(_i);
	ringd_prep_poll_add(get(1, RINGD_SQE_FIXED_FILE), 0, POLLIN | POLLRDNORM);
	ck_assert_int_ge(ringd_submit(ring), 0);
	put();
	expect(1, POLLIN | POLLRDNORM, 0);
	ringd_prep_poll_multishot(get(1, RINGD_SQE_FIXED_FILE), 0, POLLIN);
	expect(1, POLLIN, RINGD_CQE_F_MORE);
	ck_assert_int_eq(read(p[0], &c, 1), 1);
	ringd_prep_poll_update(get(2, 0), 1, 7, 0, RINGD_POLL_UPDATE_USER_DATA);
	expect(2, 0, 0);
	put();
	expect(7, POLLIN, RINGD_CQE_F_MORE);
	ringd_prep_poll_remove(get(2, 0), 7);
	expect(2, 0, 0);
	expect(7, -ECANCELED, 0);
	ringd_prep_poll_remove(get(2, 0), 7);
	expect(2, -ENOENT, 0);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *s;
	TCase *tc;

	if (missing)
		return rd_suite_skip(missing);
	s = suite_create("libringd time");
	tc = tcase_create("helpers");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, times, 0, 2);
	tcase_add_loop_test(tc, times_that_are_changed, 0, 2);
	tcase_add_loop_test(tc, times_of_others, 0, 2);
	tcase_add_loop_test(tc, readiness, 0, 2);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
