/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Poll */
#include "cf.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define MORE RINGD_CQE_F_MORE

static int fds[2] = { -1, -1 };

static struct cf_ring *ring_and_pipe(void)
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	cf_pipe(fds);
	return ring;
}

static struct cf_ring *ring_and_sockets(int type)
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
	return ring;
}

static struct ringd_sqe *poll_add(struct cf_ring *ring, uint64_t user_data, int fd, unsigned int events, unsigned int len)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_POLL_ADD, user_data, 0);

	cf_sqe_fd(ring, sqe, fd);
	sqe->poll32_events = events;
	sqe->len = len;
	return sqe;
}

static struct ringd_sqe *poll_remove(struct cf_ring *ring, uint64_t user_data, uint64_t key, unsigned int len)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_POLL_REMOVE, user_data, 0);

	sqe->addr = key;
	sqe->len = len;
	return sqe;
}

static void put(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

static void get(int fd)
{
	char c[16];

	ck_assert_int_gt(read(fd, c, sizeof(c)), 0);
}

CF_TEST(a_ready_file_is_told_at_once, 215, "One-shot poll of a readable pipe -> mask 1 at once")
{
	struct cf_ring *ring = ring_and_pipe();

	put(fds[1]);
	poll_add(ring, 1, fds[0], POLLIN, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	ck_assert_uint_eq(cf_cq_ready(ring), 1);
	cf_expect(ring, 1, POLLIN, 0);
	poll_add(ring, 2, fds[1], POLLOUT | POLLWRNORM, 0);
	ck_assert_int_eq(cf_run(ring), POLLOUT | POLLWRNORM);
}

CF_TEST(a_poll_waits, 216, "One-shot poll of a pipe that becomes readable -> one CQE, flags 0")
{
	struct cf_ring *ring = ring_and_pipe();

	poll_add(ring, 1, fds[0], POLLIN, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect_none(ring);
	put(fds[1]);
	cf_expect(ring, 1, POLLIN, 0);
	put(fds[1]);
	cf_expect_none(ring);
}

CF_TEST(several_polls_wait_for_one_file, 216, "Polls of one socket for IN, OUT, IN|OUT, twice each -> each has its own result")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	char buf[4096] = { 0 };

	while (send(fds[0], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	poll_add(ring, 1, fds[0], POLLIN, 0);
	poll_add(ring, 2, fds[0], POLLIN, 0);
	poll_add(ring, 3, fds[0], POLLOUT, 0);
	poll_add(ring, 4, fds[0], POLLIN | POLLOUT, 0);
	poll_add(ring, 5, fds[0], POLLPRI, 0);
	ck_assert_int_eq(cf_submit(ring), 5);
	cf_expect_none(ring);
	put(fds[1]);
	cf_expect_set(ring, { 1, POLLIN, 0 }, { 2, POLLIN, 0 }, { 4, POLLIN, 0 });
	cf_expect_none(ring);
	while (recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	cf_expect(ring, 3, POLLOUT, 0);
	cf_expect_none(ring);
}

CF_TEST(a_regular_file_is_always_ready, 217, "Poll of a regular file -> ready at once")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 100, O_RDWR);

	poll_add(ring, 1, fd, POLLIN, 0);
	ck_assert_int_eq(cf_run(ring), POLLIN);
	poll_add(ring, 1, fd, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI, 0);
	ck_assert_int_eq(cf_run(ring), POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
	/* also when it was to go on */
	poll_add(ring, 1, fd, POLLIN, RINGD_POLL_ADD_MULTI);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, POLLIN, 0);
	/* and never for anything else */
	poll_add(ring, 1, fd, POLLPRI, 0);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	close(fd);
}

CF_TEST(unknown_poll_flags_are_einval, 218, "Poll with len 8 or len 9 -> -EINVAL; with addr, off or buf_index non-zero -> -EINVAL")
{
	static const unsigned int bad[] = { 2, 4, 8, 9, 16, 0x80000000 };
	struct cf_ring *ring = ring_and_pipe();

	put(fds[1]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		poll_add(ring, 1, fds[0], POLLIN, bad[i]);
		ck_assert_int_eq(cf_run(ring), -EINVAL);
	}
	poll_add(ring, 1, fds[0], POLLIN, 0)->addr = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	poll_add(ring, 1, fds[0], POLLIN, 0)->off = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	poll_add(ring, 1, fds[0], POLLIN, 0)->buf_index = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	poll_add(ring, 1, fds[0], POLLIN, 0)->ioprio = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	poll_add(ring, 1, 12345, POLLIN, 0);
	ck_assert_int_eq(cf_run(ring), -EBADF);
}

CF_TEST(a_multishot_poll_tells_of_every_write, 219, "Multishot poll of a pipe, three separated writes -> three CQEs with F_MORE")
{
	struct cf_ring *ring = ring_and_pipe();

	poll_add(ring, 1, fds[0], POLLIN, RINGD_POLL_ADD_MULTI);
	ck_assert_int_eq(cf_submit(ring), 1);
	for (int i = 0; i < 3; i++) {
		put(fds[1]);
		cf_expect(ring, 1, POLLIN, MORE);
		get(fds[0]);
	}
	cf_expect_none(ring);
}

CF_TEST(a_multishot_poll_of_a_ready_file_starts_at_once, 220, "Multishot poll of an already readable pipe -> first CQE at once")
{
	struct cf_ring *ring = ring_and_pipe();

	put(fds[1]);
	poll_add(ring, 1, fds[0], POLLIN, RINGD_POLL_ADD_MULTI);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, POLLIN, MORE);
	/* once, until something happens */
	usleep(5000);
	cf_expect_none(ring);
	put(fds[1]);
	cf_expect(ring, 1, POLLIN, MORE);
}

CF_TEST(a_multishot_poll_loses_no_wakeup, 221, "Multishot poll and no read between two writes -> one or two CQEs, never a lost wake-up")
{
	struct cf_ring *ring = ring_and_pipe();
	struct cf_cqe cqe;
	int n = 0;

	poll_add(ring, 1, fds[0], POLLIN, RINGD_POLL_ADD_MULTI);
	ck_assert_int_eq(cf_submit(ring), 1);
	for (int i = 1; i <= 50; i++) {
		put(fds[1]);
		put(fds[1]);
		cf_expect(ring, 1, POLLIN, MORE);
		for (n++; cf_wait_cqe_for(ring, &cqe, 1); n++)
			ck_assert_int_eq(cqe.res, POLLIN);
		ck_assert_int_le(n, 2 * i);	/* one may come late, when the next is waited for */
		get(fds[0]);
	}
}

CF_TEST(a_hangup_does_not_end_a_multishot_poll, 222, "Multishot poll when the writer closes -> mask contains 0x10 and F_MORE stays set")
{
	struct cf_ring *ring = ring_and_pipe();
	struct cf_cqe cqe;

	poll_add(ring, 1, fds[0], POLLIN, RINGD_POLL_ADD_MULTI);
	ck_assert_int_eq(cf_submit(ring), 1);
	close(fds[1]);
	cf_wait_cqe(ring, &cqe);
	ck_assert_uint_eq(cqe.user_data, 1);
	ck_assert_int_eq(cqe.res & POLLHUP, POLLHUP);
	ck_assert_uint_eq(cqe.flags, MORE);
	poll_remove(ring, 2, 1, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(a_hangup_is_told_to_everybody, 223, "Poll requesting only POLLIN on a hung-up peer -> HUP is reported although not asked")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	close(fds[1]);
	poll_add(ring, 1, fds[0], POLLIN, 0);
	ck_assert_int_eq(cf_run(ring), POLLIN | POLLHUP | POLLRDHUP);
	poll_add(ring, 2, fds[0], POLLPRI, 0);
	ck_assert_int_eq(cf_run(ring), POLLHUP | POLLRDHUP);
	poll_add(ring, 2, fds[0], 0, 0);
	ck_assert_int_eq(cf_run(ring), POLLHUP | POLLRDHUP);
}

CF_TEST(a_half_closed_peer_is_told_to_everybody, 223, "Poll for PRI of a socket whose peer shuts down writing -> RDHUP")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	poll_add(ring, 1, fds[0], POLLRDHUP, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
	cf_expect(ring, 1, POLLRDHUP, 0);
}

CF_TEST(a_removed_poll_is_cancelled, 224, "POLL_REMOVE of a poll -> 0, poll -ECANCELED")
{
	struct cf_ring *ring = ring_and_pipe();

	for (unsigned int multi = 0; multi < 2; multi++) {
		poll_add(ring, 1, fds[0], POLLIN, multi ? RINGD_POLL_ADD_MULTI : 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		poll_remove(ring, 2, 1, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect(ring, 2, 0, 0);
		cf_expect(ring, 1, -ECANCELED, 0);
	}
	poll_remove(ring, 2, 1, 0);
	ck_assert_int_eq(cf_run(ring), -ENOENT);
}

CF_TEST(removal_finds_polls_only, 225, "POLL_REMOVE of a waiting read's user_data -> -ENOENT")
{
	struct cf_ring *ring = ring_and_pipe();

	cf_prep_rw(ring, RINGD_OP_READ, fds[0], cf_alloc(8, 0), 1, (uint64_t)-1)->user_data = 1;
	ck_assert_int_eq(cf_submit(ring), 1);
	poll_remove(ring, 2, 1, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, -ENOENT, 0);
	put(fds[1]);
	cf_expect(ring, 1, 1, 0);
}

CF_TEST(removal_takes_what_its_flags_say, 226, "POLL_REMOVE with off but without the update bit -> -EINVAL; with MULTI alone -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	poll_remove(ring, 1, 9, 0)->off = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	poll_remove(ring, 1, 9, 0)->poll32_events = POLLIN;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	poll_remove(ring, 1, 9, RINGD_POLL_ADD_MULTI);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	poll_remove(ring, 1, 9, RINGD_POLL_ADD_LEVEL);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	poll_remove(ring, 1, 9, 0)->buf_index = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	poll_remove(ring, 1, 9, 0)->splice_fd_in = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	poll_remove(ring, 1, 9, 0)->ioprio = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
}

CF_TEST(a_poll_with_new_events_looks_again, 227, "Update of events from IN to OUT on a writable socket -> 0 and the poll fires at once")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	for (unsigned int multi = 0; multi < 2; multi++) {
		poll_add(ring, 1, fds[0], POLLIN, multi ? RINGD_POLL_ADD_MULTI : 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		poll_remove(ring, 2, 1, RINGD_POLL_UPDATE_EVENTS)->poll32_events = POLLOUT;
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect_set(ring, { 2, 0, 0 }, { 1, POLLOUT, multi ? MORE : 0 });
	}
}

CF_TEST(a_poll_with_new_events_waits_for_them, 227, "Update of events to what is not there -> 0 and the poll waits for it")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	poll_add(ring, 1, fds[0], POLLPRI, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	poll_remove(ring, 2, 1, RINGD_POLL_UPDATE_EVENTS)->poll32_events = POLLIN;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect_none(ring);
	put(fds[1]);
	cf_expect(ring, 1, POLLIN, 0);
}

CF_TEST(a_poll_with_new_user_data_has_it_from_then_on, 228,
	"Update of user_data -> later CQEs carry the new value and the old value is not found any more")
{
	struct cf_ring *ring = ring_and_pipe();

	poll_add(ring, 1, fds[0], POLLIN, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	poll_remove(ring, 2, 1, RINGD_POLL_UPDATE_USER_DATA)->off = 7;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	poll_remove(ring, 3, 1, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, -ENOENT, 0);
	put(fds[1]);
	cf_expect(ring, 7, POLLIN, 0);
}

CF_TEST(both_can_be_updated, 228, "Update of events and user_data -> both")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct ringd_sqe *sqe;

	poll_add(ring, 1, fds[0], POLLPRI, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	sqe = poll_remove(ring, 2, 1, RINGD_POLL_UPDATE_USER_DATA | RINGD_POLL_UPDATE_EVENTS);
	sqe->off = 8;
	sqe->poll32_events = POLLIN;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	put(fds[1]);
	cf_expect(ring, 8, POLLIN, 0);
}

CF_TEST(an_update_keeps_the_number_of_shots, 229,
	"Update of a multishot poll's mask without the MULTI bit -> stays multishot; of a one-shot poll with the MULTI bit -> stays one-shot")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	poll_add(ring, 1, fds[0], POLLPRI, RINGD_POLL_ADD_MULTI);
	ck_assert_int_eq(cf_submit(ring), 1);
	poll_remove(ring, 2, 1, RINGD_POLL_UPDATE_EVENTS)->poll32_events = POLLIN;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	for (int i = 0; i < 2; i++) {
		put(fds[1]);
		cf_expect(ring, 1, POLLIN, MORE);
	}
	poll_remove(ring, 3, 1, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	get(fds[0]);
	poll_add(ring, 1, fds[0], POLLPRI, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	poll_remove(ring, 2, 1, RINGD_POLL_UPDATE_EVENTS | RINGD_POLL_ADD_MULTI)->poll32_events = POLLIN;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	put(fds[1]);
	cf_expect(ring, 1, POLLIN, 0);
}

CF_TEST(a_poll_of_a_ring_waits_for_its_completions, 230, "Poll of a ring fd -> fires when that ring gets a CQE")
{
	struct cf_ring *ring = ring_and_pipe(), *other = cf_ring_new(8, 0);
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_POLL_ADD, 1, 0);

	sqe->fd = other->fd;
	sqe->poll32_events = POLLIN;
	ck_assert_int_eq(cf_submit(ring), 1);
	if (cf_on(CF_RINGD)) {
		cf_expect(ring, 1, -EBADF, 0);
		return;
	}
	cf_expect_none(ring);
	cf_sqe_ud(other, RINGD_OP_NOP, 2, 0);
	ck_assert_int_eq(cf_submit(other), 1);
	cf_expect(ring, 1, POLLIN, 0);
}
CF_DIFFERS(a_poll_of_a_ring_waits_for_its_completions, CF_RINGD,
	   "the id of a ring is no descriptor, and what ringd_ring_fd() returns belongs to the library: a program polls it itself")

CF_TEST(of_exclusive_polls_at_least_one_is_woken, 231, "Two one-shot polls with EPOLLEXCLUSIVE and one event -> at least one CQE")
{
	struct cf_ring *ring = ring_and_pipe();
	struct cf_cqe cqe;

	poll_add(ring, 1, fds[0], POLLIN | EPOLLEXCLUSIVE, 0);
	poll_add(ring, 2, fds[0], POLLIN | EPOLLEXCLUSIVE, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	put(fds[1]);
	cf_wait_cqe(ring, &cqe);
	ck_assert_int_eq(cqe.res, POLLIN);
}

CF_TEST(a_multishot_poll_ends_when_the_cq_is_full, 232, "Multishot poll on a closed CQ space (full) -> a CQE without F_MORE behind what is in it")
{
	struct cf_ring *ring = cf_ring_new_params(2, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 2 });
	struct cf_cqe cqe;
	int n = 0;

	cf_pipe(fds);
	poll_add(ring, 1, fds[0], POLLIN, RINGD_POLL_ADD_MULTI);
	ck_assert_int_eq(cf_submit(ring), 1);
	while (!(cf_sq_flags(ring) & RINGD_SQ_CQ_OVERFLOW)) {
		put(fds[1]);
		usleep(1000);
		if (cf_on(CF_KERNEL))	/* there it happens in the task */
			cf_enter(ring, 0, 0, RINGD_ENTER_GETEVENTS, NULL, 0);
		ck_assert_int_lt(n++, 60000);
	}
	for (int i = 0; i < 2; i++)
		cf_expect(ring, 1, POLLIN, MORE);
	cf_wait_cqe(ring, &cqe);
	ck_assert_uint_eq(cqe.flags, 0);
	put(fds[1]);
	cf_expect_none(ring);
}

CF_TEST(a_poll_of_a_closed_descriptor_stays_armed, 216, "One-shot poll of a file whose descriptor and slot are gone -> fires when it is ready")
{
	struct cf_ring *ring = ring_and_pipe();
	struct ringd_sqe *sqe;

	cf_files(ring, 4);
	cf_file(ring, 0, fds[0]);
	sqe = cf_sqe_ud(ring, RINGD_OP_POLL_ADD, 1, RINGD_SQE_FIXED_FILE);
	sqe->fd = 0;
	sqe->poll32_events = POLLIN;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_file(ring, 0, -1);
	close(fds[0]);
	cf_expect_none(ring);
	put(fds[1]);
	cf_expect(ring, 1, POLLIN, 0);
}

CF_TEST(a_poll_of_an_epoll_set_waits_for_its_events, 216, "Poll of an epoll fd -> ready when epoll has events")
{
	struct cf_ring *ring = ring_and_pipe();
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev), 0);
	poll_add(ring, 1, ep, POLLIN, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect_none(ring);
	put(fds[1]);
	cf_expect(ring, 1, POLLIN, 0);
	close(ep);
}
