/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linked timeouts */
#include "cf.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define MS 1000000ull
#define LONG (3600 * 1000 * MS)

#define LINK RINGD_SQE_IO_LINK
#define HARD RINGD_SQE_IO_HARDLINK
#define SKIP RINGD_SQE_CQE_SKIP_SUCCESS

static int fds[2] = { -1, -1 };

static struct cf_ring *ring_and_pipe(void)
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	cf_pipe(fds);
	return ring;
}

/* A read of an empty pipe */
static struct ringd_sqe *wait_read(struct cf_ring *ring, uint64_t user_data, unsigned int flags)
{
	struct ringd_sqe *sqe = cf_prep_rw(ring, RINGD_OP_READ, fds[0], cf_alloc(8, 0), 1, (uint64_t)-1);

	sqe->user_data = user_data;
	sqe->flags |= flags;
	return sqe;
}

static struct ringd_sqe *link_timeout(struct cf_ring *ring, uint64_t user_data, uint64_t ns, unsigned int flags)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_LINK_TIMEOUT, user_data, flags);

	sqe->addr = cf_addr(cf_ts(ns));
	sqe->len = 1;
	return sqe;
}

static void nop(struct cf_ring *ring, uint64_t user_data, unsigned int flags)
{
	cf_sqe_ud(ring, RINGD_OP_NOP, user_data, flags);
}

static void put(void)
{
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
}

static void cancel(struct cf_ring *ring, uint64_t user_data, uint64_t key)
{
	cf_sqe_ud(ring, RINGD_OP_ASYNC_CANCEL, user_data, 0)->addr = key;
}

CF_TEST(an_expired_linked_timeout_cancels_its_target, 138,
	"Waiting read LINK linked timeout that expires -> the timeout's -ETIME is posted before the read's -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();
	uint64_t t0 = cf_now_ns();

	wait_read(ring, 1, LINK);
	link_timeout(ring, 2, 5 * MS, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	ck_assert_uint_ge(cf_now_ns() - t0, 5 * MS);
	put();			/* it is not there any more */
	wait_read(ring, 3, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, 1, 0);
}

CF_TEST(a_finished_target_ends_its_timeout, 139, "Read that completes LINK linked timeout -> read result, then timeout -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();

	wait_read(ring, 1, LINK);
	link_timeout(ring, 2, LONG, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	put();
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
	/* and one that completes at once */
	put();
	wait_read(ring, 3, LINK);
	link_timeout(ring, 4, LONG, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 3, 1, 0);
	cf_expect(ring, 4, -ECANCELED, 0);
}

CF_TEST(a_linked_timeout_alone_is_einval, 140, "Linked timeout as the first or only SQE -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	link_timeout(ring, 1, MS, 0);
	nop(ring, 2, 0);
	ck_assert_int_eq(cf_submit(ring), 1);	/* it ends the submission */
	cf_expect(ring, 1, -EINVAL, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_linked_timeout_as_head_is_einval, 141, "Linked timeout LINK nop with no request before it -> -EINVAL, -ECANCELED")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	link_timeout(ring, 1, MS, LINK);
	nop(ring, 2, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, -EINVAL, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(a_second_linked_timeout_is_einval, 142, "Nop LINK timeout LINK timeout -> the second timeout -EINVAL, the two others -ECANCELED")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	nop(ring, 1, LINK);
	link_timeout(ring, 2, MS, LINK);
	link_timeout(ring, 3, MS, 0);
	ck_assert_int_eq(cf_submit(ring), 3);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
	cf_expect(ring, 3, -EINVAL, 0);
}

CF_TEST(a_linked_timeout_has_no_count, 143,
	"Linked timeout with off 1 -> the guarded request -ECANCELED, the timeout -EINVAL, nothing runs")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	nop(ring, 1, LINK);
	link_timeout(ring, 2, MS, 0)->off = 1;
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, -EINVAL, 0);
	nop(ring, 1, LINK);
	link_timeout(ring, 2, MS, 0)->len = 2;
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, -EINVAL, 0);
}

CF_TEST(linked_timeout_flags_are_checked, 144, "Linked timeout with flag UPDATE -> the guarded request -ECANCELED, the timeout -EINVAL")
{
	static const unsigned int bad[] = {
		RINGD_TIMEOUT_UPDATE, RINGD_LINK_TIMEOUT_UPDATE, RINGD_TIMEOUT_BOOTTIME | RINGD_TIMEOUT_REALTIME,
		RINGD_TIMEOUT_MULTISHOT | RINGD_TIMEOUT_ABS,
	};
	struct cf_ring *ring = cf_ring_new(8, 0);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		nop(ring, 1, LINK);
		link_timeout(ring, 2, MS, 0)->timeout_flags = bad[i];
		ck_assert_int_eq(cf_submit(ring), 2);
		cf_expect(ring, 1, -ECANCELED, 0);
		cf_expect(ring, 2, -EINVAL, 0);
	}
}

CF_TEST(flags_without_a_meaning_for_a_linked_timeout_are_taken, 144,
	"Linked timeout with ETIME_SUCCESS or MULTISHOT -> as without")
{
	struct cf_ring *ring = ring_and_pipe();

	wait_read(ring, 1, LINK);
	link_timeout(ring, 2, MS, 0)->timeout_flags = RINGD_TIMEOUT_ETIME_SUCCESS;
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	wait_read(ring, 1, LINK);
	link_timeout(ring, 2, MS, 0)->timeout_flags = RINGD_TIMEOUT_MULTISHOT;
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(each_member_may_have_a_linked_timeout, 145, "Nop LINK timeout LINK nop LINK timeout -> 0, -ECANCELED, 0, -ECANCELED")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	nop(ring, 1, LINK);
	link_timeout(ring, 2, LONG, LINK);
	nop(ring, 3, LINK);
	link_timeout(ring, 4, LONG, 0);
	ck_assert_int_eq(cf_submit(ring), 4);
	cf_expect(ring, 1, 0, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
	cf_expect(ring, 3, 0, 0);
	cf_expect(ring, 4, -ECANCELED, 0);
}

CF_TEST(a_linked_timeout_starts_with_its_target, 145, "Read LINK timeout LINK read LINK timeout of 20 ms -> it runs from the start of the second read")
{
	struct cf_ring *ring = ring_and_pipe();
	uint64_t t0;

	wait_read(ring, 1, LINK);
	link_timeout(ring, 2, LONG, LINK);
	wait_read(ring, 3, LINK);
	link_timeout(ring, 4, 20 * MS, 0);
	ck_assert_int_eq(cf_submit(ring), 4);
	usleep(40000);
	cf_expect_none(ring);
	t0 = cf_now_ns();
	put();
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
	cf_expect(ring, 4, -ETIME, 0);
	cf_expect(ring, 3, -ECANCELED, 0);
	ck_assert_uint_ge(cf_now_ns() - t0, 20 * MS);
}

CF_TEST(an_expired_linked_timeout_breaks_a_soft_chain, 146, "Soft-linked waiting read, timeout expires, nop behind -> -ETIME, -ECANCELED, -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();

	wait_read(ring, 1, LINK);
	link_timeout(ring, 2, MS, LINK);
	nop(ring, 3, 0);
	ck_assert_int_eq(cf_submit(ring), 3);
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 3, -ECANCELED, 0);
}

CF_TEST(an_expired_linked_timeout_does_not_break_a_hard_chain, 147, "Hard-linked waiting read, timeout expires, nop behind -> -ETIME, -ECANCELED, 0")
{
	struct cf_ring *ring = ring_and_pipe();

	wait_read(ring, 1, HARD);
	link_timeout(ring, 2, MS, LINK);
	nop(ring, 3, 0);
	ck_assert_int_eq(cf_submit(ring), 3);
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 3, 0, 0);
}

CF_TEST(a_linked_timeout_is_not_found_by_a_cancel, 148, "Cancel by user_data of an armed linked timeout -> -ENOENT and nothing happens")
{
	struct cf_ring *ring = ring_and_pipe();

	wait_read(ring, 1, LINK);
	link_timeout(ring, 2, LONG, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cancel(ring, 3, 2);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, -ENOENT, 0);
	cf_expect_none(ring);
	put();
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(a_linked_timeout_can_be_updated, 149,
	"Plain TIMEOUT_REMOVE of an armed linked timeout -> -ENOENT; with flags 0x12 and a new time -> 0 and the new time counts")
{
	struct cf_ring *ring = ring_and_pipe();
	struct ringd_sqe *sqe;

	wait_read(ring, 1, LINK);
	link_timeout(ring, 2, LONG, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_sqe_ud(ring, RINGD_OP_TIMEOUT_REMOVE, 3, 0)->addr = 2;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, -ENOENT, 0);
	for (unsigned int i = 0; i < 3; i++) {	/* as a plain one; of an unknown one; of this one */
		sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT_REMOVE, 4, 0);
		sqe->addr = i == 1 ? 99 : 2;
		sqe->addr2 = cf_addr(cf_ts(5 * MS));
		sqe->timeout_flags = RINGD_TIMEOUT_UPDATE | (i ? RINGD_LINK_TIMEOUT_UPDATE : 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect(ring, 4, i == 2 ? 0 : -ENOENT, 0);
	}
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(a_cancelled_target_ends_its_timeout, 150, "Cancel of the guarded request -> cancel 0, request -ECANCELED, timeout -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();

	wait_read(ring, 1, LINK);
	link_timeout(ring, 2, LONG, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cancel(ring, 3, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(a_silent_pair_is_silent, 151, "Silent target (skip flag) with a silent timeout -> no CQE on success")
{
	struct cf_ring *ring = ring_and_pipe();

	wait_read(ring, 1, LINK | SKIP);
	link_timeout(ring, 2, LONG, SKIP);
	ck_assert_int_eq(cf_submit(ring), 2);
	put();
	wait_read(ring, 3, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	put();
	cf_expect(ring, 3, 1, 0);
	cf_expect_none(ring);
}

CF_TEST(of_a_silent_target_only_the_timeout_is_heard, 151, "Silent target with a plain timeout -> only the timeout's -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();

	nop(ring, 1, LINK | SKIP);
	link_timeout(ring, 2, LONG, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, -ECANCELED, 0);
	cf_expect_none(ring);
}

CF_TEST(a_silent_timeout_shows_only_in_its_target, 152, "Waiting target, timeout with skip flag expires -> only the target's -ECANCELED is posted")
{
	struct cf_ring *ring = ring_and_pipe();

	wait_read(ring, 1, LINK);
	link_timeout(ring, 2, MS, SKIP);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect_none(ring);
}

CF_TEST(a_linked_timeout_ends_a_connect, 153, "Linked timeout on a connect that hangs -> -ETIME, connect -ECANCELED")
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xc0000201) };
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct ringd_sqe *sqe;
	struct cf_cqe cqe;

	cf_need_op(RINGD_OP_CONNECT);
	ck_assert_int_ge(s, 0);
	sqe = cf_sqe_ud(ring, RINGD_OP_CONNECT, 1, LINK);
	cf_sqe_fd(ring, sqe, s);
	sqe->addr = cf_addr(cf_in(&sin, sizeof(sin)));
	sqe->addr2 = sizeof(sin);
	link_timeout(ring, 2, 5 * MS, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_wait_cqe(ring, &cqe);
	/* somebody has refused it, or does so at this very moment */
	if (cqe.user_data == 1 || cqe.res == -EALREADY)
		cf_skip("nothing hangs here: %s", strerror(-cqe.res));
	ck_assert_int_eq(cqe.res, -ETIME);
	cf_expect(ring, 1, -ECANCELED, 0);
	close(s);
}

CF_TEST(a_multishot_target_is_guarded_until_it_ends, 139, "Multishot poll LINK linked timeout -> CQEs of the poll, then -ETIME and -ECANCELED without F_MORE")
{
	struct cf_ring *ring = ring_and_pipe();
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_POLL_ADD, 1, LINK);

	cf_sqe_fd(ring, sqe, fds[0]);
	sqe->poll32_events = POLLIN;
	sqe->len = RINGD_POLL_ADD_MULTI;
	link_timeout(ring, 2, LONG, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	put();
	cf_expect(ring, 1, POLLIN, RINGD_CQE_F_MORE);
	sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT_REMOVE, 3, 0);
	sqe->addr = 2;
	sqe->addr2 = cf_addr(cf_ts(MS));
	sqe->timeout_flags = RINGD_TIMEOUT_UPDATE | RINGD_LINK_TIMEOUT_UPDATE;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, 0, 0);
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}
