/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CQE_SKIP_SUCCESS and drain */
#include "cf.h"

#define SKIP	RINGD_SQE_CQE_SKIP_SUCCESS
#define DRAIN	RINGD_SQE_IO_DRAIN
#define LINK	RINGD_SQE_IO_LINK
#define HARD	RINGD_SQE_IO_HARDLINK

static void nop(struct cf_ring *ring, uint64_t user_data, unsigned int flags)
{
	cf_sqe_ud(ring, RINGD_OP_NOP, user_data, flags);
}

static void inject(struct cf_ring *ring, uint64_t user_data, int res, unsigned int flags)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_NOP, user_data, flags);

	sqe->nop_flags = RINGD_NOP_INJECT_RESULT;
	sqe->len = (uint32_t)res;
}

static void read_one(struct cf_ring *ring, uint64_t user_data, unsigned int flags, int fd)
{
	struct ringd_sqe *sqe = cf_prep_rw(ring, RINGD_OP_READ, fd, cf_alloc(1, 0), 1, 0);

	sqe->user_data = user_data;
	sqe->flags |= (uint8_t)flags;
}

static struct ringd_sqe *timeout(struct cf_ring *ring, uint64_t user_data, uint64_t ns)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT, user_data, 0);

	sqe->addr = cf_addr(cf_ts(ns));
	sqe->len = 1;
	return sqe;
}

static struct ringd_sqe *poll_in(struct cf_ring *ring, uint64_t user_data, int fd, unsigned int len)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_POLL_ADD, user_data, 0);

	cf_sqe_fd(ring, sqe, fd);
	sqe->poll32_events = POLLIN;
	sqe->len = len;
	return sqe;
}

static void submit(struct cf_ring *ring, int n)
{
	ck_assert_int_eq(cf_submit(ring), n);
}

static int sync_cancel(struct cf_ring *ring, uint64_t key)
{
	struct ringd_sync_cancel_reg reg = { .addr = UINT64_MAX, .fd = -1, .timeout = { -1, -1 } };

	cf_need_register(ring, RINGD_REGISTER_SYNC_CANCEL, &reg, 1);
	reg.addr = key;
	return cf_register(ring, RINGD_REGISTER_SYNC_CANCEL, &reg, 1);
}

/* --- CQE_SKIP_SUCCESS --- */

CF_TEST(a_skipped_success_has_no_cqe, 154, "Nop with the skip flag -> no CQE and wait counts do not see it")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	nop(ring, 1, SKIP);
	nop(ring, 2, 0);
	ck_assert_int_eq(cf_submit_and_wait(ring, 1), 2);
	ck_assert_uint_eq(cf_cq_ready(ring), 1);
	cf_expect(ring, 2, 0, 0);
	ck_assert_uint_eq(cf_cq_tail(ring), 1);
}

CF_TEST(a_failure_is_told_in_spite_of_the_skip_flag, 155, "Failing request with the skip flag -> its CQE is posted")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	inject(ring, 1, -EIO, SKIP);
	submit(ring, 1);
	cf_expect(ring, 1, -EIO, 0);
}

CF_TEST(a_short_read_is_told_in_spite_of_the_skip_flag, 155, "Short read with the skip flag -> its CQE is posted, a full one is silent")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDONLY);
	struct ringd_sqe *sqe;

	sqe = cf_prep_rw(ring, RINGD_OP_READ, fd, cf_alloc(64, 0), 20, 0);
	sqe->flags |= SKIP;
	sqe->user_data = 1;
	submit(ring, 1);
	cf_expect(ring, 1, 10, 0);
	sqe = cf_prep_rw(ring, RINGD_OP_READ, fd, cf_alloc(64, 0), 10, 0);
	sqe->flags |= SKIP | LINK;
	nop(ring, 3, 0);
	submit(ring, 2);
	cf_expect(ring, 3, 0, 0);
}

CF_TEST(a_failed_silent_request_stands_for_its_chain, 156, "Failing request with the skip flag, soft links behind -> one CQE in all")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	inject(ring, 1, -EIO, SKIP | LINK);
	nop(ring, 2, LINK);
	nop(ring, 3, 0);
	submit(ring, 3);
	cf_expect(ring, 1, -EIO, 0);
	cf_expect_none(ring);
}

CF_TEST(silent_requests_tell_of_their_cancellation, 157,
	"Failing request without the skip flag, skip-flag requests linked behind -> each posts -ECANCELED")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	inject(ring, 1, -EIO, LINK);
	nop(ring, 2, SKIP | LINK);
	nop(ring, 3, SKIP);
	submit(ring, 3);
	cf_expect(ring, 1, -EIO, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
	cf_expect(ring, 3, -ECANCELED, 0);
}

CF_TEST(a_silent_chain_is_silent, 154, "Chain of NOPs, all but the last with the skip flag -> one CQE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	nop(ring, 1, SKIP | LINK);
	nop(ring, 2, SKIP | LINK);
	nop(ring, 3, 0);
	submit(ring, 3);
	cf_expect(ring, 3, 0, 0);
	cf_expect_none(ring);
}

CF_TEST(a_silent_invalid_request_is_told, 158, "Prep failure of a request with the skip flag -> CQE posted")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_sqe_ud(ring, RINGD_OP_NOP, 1, SKIP)->ioprio = 1;
	submit(ring, 1);
	cf_expect(ring, 1, -EINVAL, 0);
}

CF_TEST(a_chain_with_an_invalid_member_is_told_of, 158,
	"Prep failure in a chain of which all but the head have the skip flag -> every member posts")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	nop(ring, 1, LINK);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, SKIP | LINK)->ioprio = 1;
	nop(ring, 3, SKIP);
	submit(ring, 3);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, -EINVAL, 0);
	cf_expect(ring, 3, -ECANCELED, 0);
}

CF_TEST(a_silent_chain_with_an_invalid_member_is_told_of, 158, "Prep failure in a chain with skip flags -> every member posts")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	nop(ring, 1, SKIP | LINK);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, SKIP | LINK)->ioprio = 1;
	nop(ring, 3, SKIP);
	submit(ring, 3);
	cf_expect(ring, 1, -ECANCELED, 0);
	if (cf_on(CF_ENGINE)) {
		cf_expect(ring, 2, -EINVAL, 0);
		cf_expect(ring, 3, -ECANCELED, 0);
	}
	cf_expect_none(ring);
}
CF_DIFFERS(a_silent_chain_with_an_invalid_member_is_told_of, CF_KERNEL,
	   "the CQE of a silent head stands for its chain here too, so that nothing tells which member was invalid")

CF_TEST(a_silent_multishot_poll_is_einval, 159, "Multishot poll with the skip flag -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	poll_in(ring, 1, fd[0], RINGD_POLL_ADD_MULTI)->flags |= SKIP;
	submit(ring, 1);
	cf_expect(ring, 1, -EINVAL, 0);
}

CF_TEST(drain_after_skip_is_eopnotsupp, 161, "Drain after the skip flag was ever used on the ring -> -EOPNOTSUPP; skip flag after a drain -> fine")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	nop(ring, 1, DRAIN);
	submit(ring, 1);
	cf_expect(ring, 1, 0, 0);
	nop(ring, 2, SKIP);
	submit(ring, 1);
	nop(ring, 3, DRAIN);
	submit(ring, 1);
	cf_expect(ring, 3, -EOPNOTSUPP, 0);
}

/* --- drain --- */

CF_TEST(drain_waits_for_what_is_in_front, 162, "Drain with a waiting read in front -> the drained request completes after the read")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	read_one(ring, 1, 0, fd[0]);
	nop(ring, 2, DRAIN);
	submit(ring, 2);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(drain_on_an_empty_ring_starts_at_once, 162, "Drain with nothing in front -> starts at once")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	for (uint64_t i = 0; i < 20; i++) {
		nop(ring, i, DRAIN);
		submit(ring, 1);
		cf_expect(ring, i, 0, 0);
	}
}

CF_TEST(what_is_behind_a_drain_waits_too, 163, "Request without flags behind a drain -> waits for the drain as well")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	read_one(ring, 1, 0, fd[0]);
	nop(ring, 2, DRAIN);
	nop(ring, 3, 0);
	submit(ring, 3);
	nop(ring, 4, 0);
	submit(ring, 1);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 0, 0);
	cf_expect_set(ring, { 3, 0, 0 }, { 4, 0, 0 });
}

CF_TEST(drains_run_in_submission_order, 163, "Several drains -> processed in submission order")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	read_one(ring, 1, 0, fd[0]);
	nop(ring, 2, DRAIN);
	read_one(ring, 3, DRAIN, fd[0]);
	nop(ring, 4, DRAIN);
	submit(ring, 4);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 0, 0);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 3, 1, 0);
	cf_expect(ring, 4, 0, 0);
}

CF_TEST(a_cancel_behind_a_drain_waits, 164,
	"Cancel SQE behind a drain -> not executed until the drain ran; a SYNC_CANCEL of the blocking request works")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;
	int fd[2];

	cf_pipe(fd);
	read_one(ring, 1, 0, fd[0]);
	nop(ring, 2, DRAIN);
	sqe = cf_sqe_ud(ring, RINGD_OP_ASYNC_CANCEL, 3, 0);
	sqe->addr = 1;
	submit(ring, 3);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	ck_assert_int_eq(sync_cancel(ring, 1), 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 3, -ENOENT, 0);
}

CF_TEST(a_drained_request_is_not_found, 165, "SYNC_CANCEL of a request held by the drain -> -ENOENT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	read_one(ring, 1, 0, fd[0]);
	nop(ring, 2, DRAIN);
	submit(ring, 2);
	ck_assert_int_eq(sync_cancel(ring, 2), -ENOENT);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(an_invalid_request_does_not_wait_for_a_drain, 166, "Invalid request behind a drain -> its error is posted at once")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	read_one(ring, 1, 0, fd[0]);
	nop(ring, 2, DRAIN);
	cf_sqe(ring, 200)->user_data = 3;
	submit(ring, 3);
	cf_expect(ring, 3, -EINVAL, 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_drain_waits_for_a_multishot_poll, 167, "Drain with a multishot poll in front -> waits until the poll ends")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	poll_in(ring, 1, fd[0], RINGD_POLL_ADD_MULTI);
	nop(ring, 2, DRAIN);
	submit(ring, 2);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, POLLIN, RINGD_CQE_F_MORE);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	ck_assert_int_eq(sync_cancel(ring, 1), 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_drain_waits_for_a_timeout, 168, "Drain with a pending timeout in front -> waits until it fires")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	timeout(ring, 1, 5000000);
	nop(ring, 2, DRAIN);
	submit(ring, 2);
	cf_expect(ring, 1, -ETIME, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_drain_in_a_chain_holds_the_whole_chain, 169,
	"Drain flag in the middle of a chain -> the chain head waits for everything before it")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	read_one(ring, 1, 0, fd[0]);
	nop(ring, 2, LINK);
	nop(ring, 3, LINK | DRAIN);
	nop(ring, 4, 0);
	submit(ring, 4);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 3, 0, 0);
	cf_expect(ring, 4, 0, 0);
}

CF_TEST(what_follows_a_chain_with_a_drain_waits_for_it, 169,
	"Drain flag in the middle of a chain -> the request after the chain waits for the chain")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	nop(ring, 1, LINK);
	read_one(ring, 2, DRAIN, fd[0]);
	nop(ring, 3, 0);
	submit(ring, 3);
	cf_expect(ring, 1, 0, 0);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 2, 1, 0);
	cf_expect(ring, 3, 0, 0);
}

CF_TEST(a_drain_behind_a_chain_waits_for_all_of_it, 162, "Drain behind a chain whose head waits -> completes after the whole chain")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	read_one(ring, 1, LINK, fd[0]);
	nop(ring, 2, LINK);
	nop(ring, 3, 0);
	nop(ring, 4, DRAIN);
	submit(ring, 4);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 3, 0, 0);
	cf_expect(ring, 4, 0, 0);
}

CF_TEST(pointers_of_a_drained_request_are_read_at_submission, 45,
	"A timespec overwritten right after enter returned -> a request waiting behind a drain is unaffected")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_timespec *ts = cf_ts(1000000);
	struct ringd_sqe *sqe;
	int fd[2];

	cf_pipe(fd);
	read_one(ring, 1, 0, fd[0]);
	sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT, 2, DRAIN);
	sqe->addr = cf_addr(ts);
	sqe->len = 1;
	submit(ring, 2);
	memset(ts, 0xff, sizeof(*ts));
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, -ETIME, 0);
}
