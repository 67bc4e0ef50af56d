/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Eventfd */
#include <sys/eventfd.h>

#include "cf.h"

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* What was added to it since the last time. */
static uint64_t increments(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static int set(struct cf_ring *ring, int fd)
{
	return cf_register(ring, RINGD_REGISTER_EVENTFD, &fd, 1);
}

/* A ring with an eventfd */
static struct cf_ring *ring_with(int *fd, unsigned int entries, unsigned int opcode)
{
	struct cf_ring *ring = cf_ring_new(entries, 0);

	*fd = new_eventfd();
	ck_assert_int_eq(cf_register(ring, opcode, fd, 1), 0);
	return ring;
}

static void nops(struct cf_ring *ring, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		cf_sqe(ring, RINGD_OP_NOP);
	ck_assert_int_eq(cf_submit(ring), (int)n);
}

static void take(struct cf_ring *ring, unsigned int n)
{
	struct cf_cqe cqe;

	while (n--)
		cf_wait_cqe(ring, &cqe);
}

CF_TEST(second_eventfd, 100, "Registering an eventfd twice -> -EBUSY")
{
	int fd;
	struct cf_ring *ring = ring_with(&fd, 8, RINGD_REGISTER_EVENTFD);

	ck_assert_int_eq(set(ring, fd), -EBUSY);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_EVENTFD_ASYNC, &fd, 1), -EBUSY);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_EVENTFD, NULL, 0), 0);
	ck_assert_int_eq(set(ring, fd), 0);
}

CF_TEST(no_eventfd, 101, "Registering an fd that is not an eventfd -> -EINVAL; a closed fd -> -EBADF; nr_args 2 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int two[2] = { new_eventfd(), new_eventfd() }, p[2];

	cf_pipe(p);
	ck_assert_int_eq(set(ring, p[0]), -EINVAL);
	ck_assert_int_eq(set(ring, -1), -EBADF);
	ck_assert_int_eq(set(ring, 12345), -EBADF);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_EVENTFD, two, 2), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_EVENTFD, NULL, 1), -EFAULT);
}

CF_TEST(nothing_to_unregister, 102, "Unregistering without one -> -ENXIO")
{
	ck_assert_int_eq(cf_register(cf_ring_new(8, 0), RINGD_UNREGISTER_EVENTFD, NULL, 0), -ENXIO);
}

CF_TEST(batch_is_signalled, 103,
	"Three NOPs in one submission -> at least one and at most three increments, CQEs visible before the first")
{
	int fd;
	struct cf_ring *ring = ring_with(&fd, 8, RINGD_REGISTER_EVENTFD);
	uint64_t n;

	nops(ring, 3);
	n = increments(fd);
	ck_assert_uint_ge(n, 1);
	ck_assert_uint_le(n, 3);
	ck_assert_uint_eq(cf_cq_ready(ring), 3);
}

CF_TEST(suppressed, 104, "CQ flag 0x1 set by the client -> no increments until cleared")
{
	int fd;
	struct cf_ring *ring = ring_with(&fd, 8, RINGD_REGISTER_EVENTFD);

	cf_set_cq_flags(ring, RINGD_CQ_EVENTFD_DISABLED);
	nops(ring, 2);
	ck_assert_uint_eq(increments(fd), 0);
	cf_set_cq_flags(ring, 0);
	ck_assert_uint_eq(increments(fd), 0);
	nops(ring, 1);
	ck_assert_uint_ge(increments(fd), 1);
}

CF_TEST(only_async, 105, "EVENTFD_ASYNC and a NOP completed inline -> no increment; NOP with the ASYNC flag -> increment")
{
	int fd;
	struct cf_ring *ring = ring_with(&fd, 8, RINGD_REGISTER_EVENTFD_ASYNC);

	nops(ring, 1);
	take(ring, 1);
	ck_assert_uint_eq(increments(fd), 0);
	cf_sqe(ring, RINGD_OP_NOP)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_wait_fd(fd, POLLIN);
	take(ring, 1);
	ck_assert_uint_ge(increments(fd), 1);
}

CF_TEST(held_back_is_not_signalled, 107, "CQE held by overflow -> no increment until it is flushed into the ring")
{
	int fd;
	struct cf_ring *ring = ring_with(&fd, 4, RINGD_REGISTER_EVENTFD);

	nops(ring, 4);
	nops(ring, 4);
	ck_assert_uint_ge(increments(fd), 1);
	nops(ring, 1);
	ck_assert_uint_eq(increments(fd), 0);
	take(ring, 8);
	increments(fd);
	ck_assert_int_ge(cf_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
	take(ring, 1);
}

CF_TEST(eventfd_outlives_its_number, 108, "Closing the eventfd number after registration -> notifications continue on the open file")
{
	int fd, other;
	struct cf_ring *ring = ring_with(&fd, 8, RINGD_REGISTER_EVENTFD);

	other = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	close(fd);
	nops(ring, 1);
	ck_assert_uint_ge(increments(other), 1);
	close(other);
}

CF_TEST(poll_of_the_own_eventfd, 109,
	"Multishot poll of the registered eventfd on the same ring -> terminates after one CQE instead of feeding itself")
{
	int fd;
	struct cf_ring *ring = ring_with(&fd, 8, RINGD_REGISTER_EVENTFD);
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_POLL_ADD);
	struct cf_cqe cqe;

	cf_sqe_fd(ring, sqe, fd);
	sqe->poll32_events = POLLIN;
	sqe->len = RINGD_POLL_ADD_MULTI;
	sqe->user_data = 77;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_sqe(ring, RINGD_OP_NOP)->user_data = 1;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, 0, 0);
	cf_wait_cqe(ring, &cqe);
	ck_assert_uint_eq(cqe.user_data, 77);
	ck_assert_int_eq(cqe.res, POLLIN);
	ck_assert_uint_eq(cqe.flags & RINGD_CQE_F_MORE, 0);
	ck_assert(!cf_wait_cqe_for(ring, &cqe, 20));
}

CF_TEST(skipped_success_may_signal, 110, "Skipped success -> increment is allowed, not required")
{
	int fd;
	struct cf_ring *ring = ring_with(&fd, 8, RINGD_REGISTER_EVENTFD);

	cf_sqe(ring, RINGD_OP_NOP)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	ck_assert_int_eq(cf_submit(ring), 1);
	ck_assert_uint_le(increments(fd), 1);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
}
