/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timeouts */
#include "cf.h"

#include <time.h>

#define MS 1000000ull
#define S (1000 * MS)
#define LONG (3600 * S)

#define MORE RINGD_CQE_F_MORE

static struct ringd_sqe *timeout(struct cf_ring *ring, uint64_t user_data, uint64_t ns, unsigned int flags, uint64_t off)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT, user_data, 0);

	sqe->addr = cf_addr(cf_ts(ns));
	sqe->len = 1;
	sqe->off = off;
	sqe->timeout_flags = flags;
	return sqe;
}

static struct ringd_sqe *remove_timeout(struct cf_ring *ring, uint64_t user_data, uint64_t key, unsigned int flags)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT_REMOVE, user_data, 0);

	sqe->addr = key;
	sqe->timeout_flags = flags;
	return sqe;
}

static struct ringd_sqe *update_timeout(struct cf_ring *ring, uint64_t user_data, uint64_t key, uint64_t ns, unsigned int flags)
{
	struct ringd_sqe *sqe = remove_timeout(ring, user_data, key, RINGD_TIMEOUT_UPDATE | flags);

	sqe->addr2 = cf_addr(cf_ts(ns));
	return sqe;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * S + (uint64_t)ts.tv_nsec;
}

/* What is refused when it is submitted */
static void refused(struct cf_ring *ring, int err)
{
	ck_assert_int_eq(cf_run(ring), err);
}

CF_TEST(a_timeout_with_len_2_is_einval, 196, "Timeout with len 2 -> -EINVAL; with a bad pointer -> -EFAULT; with negative seconds -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_timespec *ts = cf_ts(0);

	timeout(ring, 1, MS, 0, 0)->len = 2;
	refused(ring, -EINVAL);
	timeout(ring, 1, MS, 0, 0)->len = 0;
	refused(ring, -EINVAL);
	timeout(ring, 1, MS, 0, 0)->addr = 8;
	refused(ring, -EFAULT);
	ts->tv_sec = -1;
	timeout(ring, 1, MS, 0, 0)->addr = cf_addr(ts);
	refused(ring, -EINVAL);
	ts->tv_sec = 0;
	ts->tv_nsec = -1;
	timeout(ring, 1, MS, 0, 0)->addr = cf_addr(ts);
	refused(ring, -EINVAL);
}

CF_TEST(a_timeout_with_reserved_fields_is_einval, 196, "Timeout with buf_index, splice_fd_in or ioprio non-zero -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, MS, 0, 0)->buf_index = 1;
	refused(ring, -EINVAL);
	timeout(ring, 1, MS, 0, 0)->splice_fd_in = 1;
	refused(ring, -EINVAL);
	timeout(ring, 1, MS, 0, 0)->ioprio = 1;
	refused(ring, -EINVAL);
	timeout(ring, 1, MS, 0, 0)->fd = 12345;		/* not looked at */
	refused(ring, -ETIME);
}

CF_TEST(timeout_flags_that_exclude_each_other_are_einval, 197,
	"Timeout with BOOTTIME|REALTIME -> -EINVAL; MULTISHOT|ABS -> -EINVAL; UPDATE on op 11 -> -EINVAL")
{
	static const unsigned int bad[] = {
		RINGD_TIMEOUT_BOOTTIME | RINGD_TIMEOUT_REALTIME, RINGD_TIMEOUT_MULTISHOT | RINGD_TIMEOUT_ABS,
		RINGD_TIMEOUT_UPDATE, RINGD_LINK_TIMEOUT_UPDATE, 0x100, 0x80000000,
	};
	struct cf_ring *ring = cf_ring_new(8, 0);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		timeout(ring, 1, MS, bad[i], 0);
		refused(ring, -EINVAL);
	}
}

CF_TEST(a_timeout_of_zero_fires_without_delay, 198, "Timeout {0,0} -> -ETIME without delay")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, 0, 0, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, -ETIME, 0);
}

CF_TEST(a_timeout_ends_a_wait_for_more, 198, "Waiting for 4 CQEs when a timeout expires -> the wait ends with that CQE alone")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, 20 * MS, 0, 0);
	ck_assert_int_eq(cf_submit_and_wait(ring, cf_on(CF_RINGD) ? 1 : 4), 1);
	ck_assert_uint_eq(cf_cq_ready(ring), 1);
	cf_expect(ring, 1, -ETIME, 0);
}
CF_DIFFERS(a_timeout_ends_a_wait_for_more, CF_RINGD,
	   "libringd waits for a number of CQEs and does not look what they are of; a wait has a time of its own")

CF_TEST(a_timeout_waits_for_its_time, 198, "Timeout of 20 ms -> -ETIME, not before 20 ms have passed, on each clock")
{
	static const unsigned int clocks[] = { 0, RINGD_TIMEOUT_BOOTTIME, RINGD_TIMEOUT_REALTIME };
	struct cf_ring *ring = cf_ring_new(8, 0);

	for (size_t i = 0; i < 3; i++) {
		uint64_t t0 = cf_now_ns();

		timeout(ring, i, 20 * MS, clocks[i], 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect(ring, i, -ETIME, 0);
		ck_assert_uint_ge(cf_now_ns() - t0, 20 * MS);
	}
}

CF_TEST(a_counting_timeout_ends_with_the_last_of_its_completions, 199,
	"Timeout with off 2 and two NOPs after it -> NOP CQEs then the timeout with 0")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, LONG, 0, 2);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
	cf_sqe_ud(ring, RINGD_OP_NOP, 3, 0);
	ck_assert_int_eq(cf_submit(ring), 3);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 3, 0, 0);
	cf_expect(ring, 1, 0, 0);
}

CF_TEST(a_counting_timeout_counts_from_its_submission, 199, "NOPs before a timeout with off 1 -> not counted; it may also expire")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_sqe_ud(ring, RINGD_OP_NOP, 1, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	timeout(ring, 2, LONG, 0, 2);
	timeout(ring, 3, 20 * MS, 0, 100);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, 0, 0);
	cf_expect(ring, 3, -ETIME, 0);
	cf_expect_none(ring);
	cf_sqe_ud(ring, RINGD_OP_NOP, 4, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 4, 0, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(counting_timeouts_end_in_the_order_of_their_counts, 199, "Timeouts with off 3, 1, 2 and three NOPs -> the timeouts in the order 1, 2, 3")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	for (uint64_t off = 3; off; off--)
		timeout(ring, off, LONG, 0, off);
	ck_assert_int_eq(cf_submit(ring), 3);
	for (uint64_t i = 1; i <= 3; i++) {
		cf_sqe_ud(ring, RINGD_OP_NOP, 10 + i, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect(ring, 10 + i, 0, 0);
		cf_expect(ring, i, 0, 0);
	}
}

CF_TEST(timeouts_do_not_count, 200, "Timeout with off 1 and another timeout expiring -> not counted")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, LONG, 0, 1);
	timeout(ring, 2, MS, 0, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect_none(ring);	/* which is one itself */
	cf_expect(ring, 1, 0, 0);
}

CF_TEST(skipped_successes_do_not_count, 201, "Timeout with off 1 and a skipped success -> not counted")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, LONG, 0, 1);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, RINGD_SQE_CQE_SKIP_SUCCESS);
	ck_assert_int_eq(cf_submit(ring), 2);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	cf_sqe_ud(ring, RINGD_OP_NOP, 3, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, 0, 0);
	cf_expect(ring, 1, 0, 0);
}

CF_TEST(overflowed_completions_count, 199, "Timeout with off 12 on a CQ of 8 and twelve NOPs -> the timeout with 0 behind them")
{
	struct cf_ring *ring = cf_ring_new_params(8, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 8 });

	timeout(ring, 100, LONG, 0, 12);
	ck_assert_int_eq(cf_submit(ring), 1);
	for (uint64_t i = 0; i < 12; i++) {
		cf_sqe_ud(ring, RINGD_OP_NOP, i, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
	}
	for (uint64_t i = 0; i < 12; i++)
		cf_expect(ring, i, 0, 0);
	cf_expect(ring, 100, 0, 0);
}

CF_TEST(a_multishot_timeout_repeats, 202, "Multishot timeout off 3 -> -ETIME|F_MORE, -ETIME|F_MORE, -ETIME")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint64_t t0 = cf_now_ns();

	timeout(ring, 1, 5 * MS, RINGD_TIMEOUT_MULTISHOT, 3);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, -ETIME, MORE);
	cf_expect(ring, 1, -ETIME, MORE);
	cf_expect(ring, 1, -ETIME, 0);
	ck_assert_uint_ge(cf_now_ns() - t0, 15 * MS);
	cf_expect_none(ring);
}

CF_TEST(a_multishot_timeout_may_repeat_for_ever, 203,
	"Multishot timeout off 0 -> repeats until removed, removal gives -ECANCELED without F_MORE")
{
	/* room for half a minute: it ends when the CQ is full */
	struct cf_ring *ring = cf_ring_new_params(8, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 32768 });
	struct cf_cqe cqe = { .res = -1 };

	timeout(ring, 1, MS, RINGD_TIMEOUT_MULTISHOT, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	for (int i = 0; i < 5; i++)
		cf_expect(ring, 1, -ETIME, MORE);
	/* one that fires at this moment is not found */
	for (int tries = 0; tries < 100 && cqe.res != 0; tries++) {
		remove_timeout(ring, 2, 1, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		do {
			cf_wait_cqe(ring, &cqe);
			if (cqe.res == -ETIME)
				ck_assert_uint_eq(cqe.flags, MORE);
		} while (cqe.res == -ETIME);
		ck_assert_uint_eq(cqe.user_data, 2);
		ck_assert(cqe.res == 0 || cqe.res == -ENOENT || cqe.res == -EALREADY);
	}
	ck_assert_int_eq(cqe.res, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(a_multishot_timeout_ends_when_the_cq_is_full, 202, "Multishot timeout meets a full CQ -> -ETIME without F_MORE behind what is in it")
{
	struct cf_ring *ring = cf_ring_new_params(2, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 2 });
	struct cf_cqe cqe;
	int more = 0;

	timeout(ring, 1, MS, RINGD_TIMEOUT_MULTISHOT, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	/* as long as nobody looks */
	while (!(cf_sq_flags(ring) & RINGD_SQ_CQ_OVERFLOW))
		usleep(1000);
	do {
		cf_wait_cqe(ring, &cqe);
		ck_assert_int_eq(cqe.res, -ETIME);
		more += !!(cqe.flags & MORE);
	} while (cqe.flags & MORE);
	ck_assert_int_eq(more, 2);
	cf_expect_none(ring);
}

CF_TEST(an_absolute_time_in_the_past_fires_at_once, 204, "Timeout ABS in the past -> -ETIME at once")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, 1, RINGD_TIMEOUT_ABS, 0);
	timeout(ring, 2, 0, RINGD_TIMEOUT_ABS, 0);
	timeout(ring, 3, 1, RINGD_TIMEOUT_ABS | RINGD_TIMEOUT_REALTIME, 0);
	timeout(ring, 4, 1, RINGD_TIMEOUT_ABS | RINGD_TIMEOUT_BOOTTIME, 0);
	ck_assert_int_eq(cf_submit(ring), 4);
	cf_expect_set(ring, { 1, -ETIME, 0 }, { 2, -ETIME, 0 }, { 3, -ETIME, 0 }, { 4, -ETIME, 0 });
}

CF_TEST(an_absolute_time_is_waited_for, 204, "Timeout ABS 20 ms from now on each clock -> -ETIME when the clock shows it")
{
	static const struct {
		unsigned int flag;
		clockid_t clock;
	} clocks[] = {
		{ 0, CLOCK_MONOTONIC }, { RINGD_TIMEOUT_BOOTTIME, CLOCK_BOOTTIME }, { RINGD_TIMEOUT_REALTIME, CLOCK_REALTIME },
	};
	struct cf_ring *ring = cf_ring_new(8, 0);

	for (size_t i = 0; i < 3; i++) {
		uint64_t when = clock_ns(clocks[i].clock) + 20 * MS;

		timeout(ring, i, when, RINGD_TIMEOUT_ABS | clocks[i].flag, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect(ring, i, -ETIME, 0);
		ck_assert_uint_ge(clock_ns(clocks[i].clock), when);
	}
}

CF_TEST(an_immediate_argument_is_not_dereferenced, 205, "IMMEDIATE_ARG with addr 1000000 -> fires after 1 ms, addr is not dereferenced")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint64_t t0 = cf_now_ns();
	struct ringd_sqe *sqe = timeout(ring, 1, 0, RINGD_TIMEOUT_IMMEDIATE_ARG, 0);
	int r;

	sqe->addr = MS;
	r = cf_run(ring);
	if (r == -EINVAL && cf_on(CF_KERNEL))
		cf_skip("this kernel has no IMMEDIATE_ARG");
	ck_assert_int_eq(r, -ETIME);
	ck_assert_uint_ge(cf_now_ns() - t0, MS);
	timeout(ring, 2, 0, RINGD_TIMEOUT_IMMEDIATE_ARG, 0)->addr = (uint64_t)-1;
	refused(ring, -EINVAL);
}

CF_TEST(a_removed_timeout_is_cancelled, 206, "TIMEOUT_REMOVE of a pending timeout -> 0 first, then the target -ECANCELED")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, LONG, 0, 0);
	timeout(ring, 2, LONG, 0, 100);
	ck_assert_int_eq(cf_submit(ring), 2);
	for (uint64_t i = 1; i <= 2; i++) {
		remove_timeout(ring, 3, i, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect(ring, 3, 0, 0);
		cf_expect(ring, i, -ECANCELED, 0);
	}
}

CF_TEST(removal_of_an_unknown_timeout_is_enoent, 207, "TIMEOUT_REMOVE unknown -> -ENOENT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, 0, 0, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, -ETIME, 0);
	remove_timeout(ring, 2, 1, 0);
	refused(ring, -ENOENT);
	remove_timeout(ring, 2, 99, 0);
	refused(ring, -ENOENT);
}

CF_TEST(removal_takes_no_flags, 208, "TIMEOUT_REMOVE with flags ABS but no UPDATE -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	remove_timeout(ring, 1, 1, RINGD_TIMEOUT_ABS);
	refused(ring, -EINVAL);
	remove_timeout(ring, 1, 1, RINGD_TIMEOUT_MULTISHOT);
	refused(ring, -EINVAL);
	remove_timeout(ring, 1, 1, 0)->len = 1;
	refused(ring, -EINVAL);
	remove_timeout(ring, 1, 1, 0)->buf_index = 1;
	refused(ring, -EINVAL);
	remove_timeout(ring, 1, 1, 0)->splice_fd_in = 1;
	refused(ring, -EINVAL);
	remove_timeout(ring, 1, 1, 0)->flags = RINGD_SQE_FIXED_FILE;
	refused(ring, -EINVAL);
}

CF_TEST(an_update_keeps_the_clock, 209, "Update with a clock flag -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	update_timeout(ring, 1, 1, MS, RINGD_TIMEOUT_REALTIME);
	refused(ring, -EINVAL);
	update_timeout(ring, 1, 1, MS, RINGD_TIMEOUT_BOOTTIME);
	refused(ring, -EINVAL);
	update_timeout(ring, 1, 1, MS, RINGD_TIMEOUT_MULTISHOT);
	refused(ring, -EINVAL);
	update_timeout(ring, 1, 1, MS, 0)->addr2 = 8;
	refused(ring, -EFAULT);
}

CF_TEST(an_update_counts_from_now, 210, "Update from 10 s to 1 ms -> 0, then -ETIME after 1 ms")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint64_t t0;

	timeout(ring, 1, LONG, 0, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	t0 = cf_now_ns();
	update_timeout(ring, 2, 1, MS, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ETIME, 0);
	ck_assert_uint_ge(cf_now_ns() - t0, MS);
}

CF_TEST(an_update_may_be_absolute, 211, "Update of a REALTIME absolute timeout -> stays on the realtime clock")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint64_t when = clock_ns(CLOCK_REALTIME) + LONG;

	timeout(ring, 1, when, RINGD_TIMEOUT_ABS | RINGD_TIMEOUT_REALTIME, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	when = clock_ns(CLOCK_REALTIME) + 20 * MS;	/* on any other clock that is far away */
	update_timeout(ring, 2, 1, when, RINGD_TIMEOUT_ABS);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ETIME, 0);
	ck_assert_uint_ge(clock_ns(CLOCK_REALTIME), when);
}

CF_TEST(an_updated_timeout_does_not_count_any_more, 212, "Update of a counting timeout -> only the time counts afterwards")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, LONG, 0, 1);
	update_timeout(ring, 2, 1, LONG, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, 0, 0);
	cf_expect_none(ring);
	cf_expect_none(ring);
	update_timeout(ring, 3, 1, MS, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, 0, 0);
	cf_expect(ring, 1, -ETIME, 0);
}

CF_TEST(an_updated_multishot_timeout_has_a_new_interval, 210, "Update of a multishot timeout -> repeats with the new interval")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, LONG, RINGD_TIMEOUT_MULTISHOT, 0);
	update_timeout(ring, 2, 1, MS, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ETIME, MORE);
	cf_expect(ring, 1, -ETIME, MORE);
}

CF_TEST(an_updated_multishot_timeout_forgets_its_repeats, 212, "Update of a multishot timeout with off 2 -> repeats until removed")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, LONG, RINGD_TIMEOUT_MULTISHOT, 2);
	update_timeout(ring, 2, 1, MS, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, 0, 0);
	for (int i = 0; i < 4; i++)
		cf_expect(ring, 1, -ETIME, MORE);
}

CF_TEST(an_update_of_an_expired_timeout_is_enoent, 213, "Update of an expired timeout -> -ENOENT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, 0, 0, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, -ETIME, 0);
	update_timeout(ring, 2, 1, MS, 0);
	refused(ring, -ENOENT);
}

CF_TEST(nanoseconds_may_be_more_than_a_second, 214, "Nsec of 2000000000 -> accepted as two seconds")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_timespec *ts = cf_ts(0);
	uint64_t t0 = cf_now_ns();

	ts->tv_nsec = 1100000000;
	timeout(ring, 1, 0, 0, 0)->addr = cf_addr(ts);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, -ETIME, 0);
	ck_assert_uint_ge(cf_now_ns() - t0, 1100 * MS);
}

CF_TEST(times_beyond_all_bounds_never_come, 214, "Sec and nsec of INT64_MAX -> accepted, never fires")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_timespec *ts = cf_ts(0);

	ts->tv_sec = INT64_MAX;
	timeout(ring, 1, 0, 0, 0)->addr = cf_addr(ts);
	timeout(ring, 2, 0, RINGD_TIMEOUT_ABS, 0)->addr = cf_addr(ts);
	timeout(ring, 3, 0, RINGD_TIMEOUT_ABS | RINGD_TIMEOUT_REALTIME, 0)->addr = cf_addr(ts);
	ck_assert_int_eq(cf_submit(ring), 3);
	usleep(20000);
	cf_expect_none(ring);
	remove_timeout(ring, 4, 1, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 4, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(a_silent_timeout_is_told_of_its_expiry, 201, "Timeout with the skip flag -> -ETIME is posted; with ETIME_SUCCESS it is not")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, MS, 0, 0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	timeout(ring, 2, 0, RINGD_TIMEOUT_ETIME_SUCCESS, 0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, -ETIME, 0);
	cf_expect_none(ring);
}
