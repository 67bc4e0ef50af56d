/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Things that happen at the same time: cancel and complete, poll and close, a ring that changes its size or goes away with
 * everything under way, a client that forks. Bounded by counts; CF_ROUNDS multiplies them. What is asserted is that each
 * request ends once, and on ringd, when all is over, that the engine has given everything back.
 */
#include "cf.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "daemon/common/util.h"

#define MANY 64

static unsigned int rounds(unsigned int n)
{
	const char *s = getenv("CF_ROUNDS");

	return n * (s ? (unsigned int)strtoul(s, NULL, 0) : 1);
}

static struct ringd_sqe *transfer(struct cf_ring *ring, unsigned int op, uint64_t user_data, int slot, void *buf, unsigned int len)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, op, user_data, RINGD_SQE_FIXED_FILE);

	sqe->fd = slot;
	sqe->addr = cf_addr(buf);
	sqe->len = len;
	sqe->off = UINT64_MAX;
	return sqe;
}

static struct ringd_sqe *poll_slot(struct cf_ring *ring, uint64_t user_data, int slot, unsigned int len)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_POLL_ADD, user_data, RINGD_SQE_FIXED_FILE);

	sqe->fd = slot;
	sqe->poll32_events = POLLIN;
	sqe->len = len;
	return sqe;
}

static struct ringd_sqe *cancel(struct cf_ring *ring, uint64_t user_data, uint64_t key, unsigned int flags)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_ASYNC_CANCEL, user_data, 0);

	sqe->addr = key;
	sqe->cancel_flags = flags;
	return sqe;
}

static struct ringd_sqe *timeout(struct cf_ring *ring, unsigned int op, uint64_t user_data, uint64_t ns)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, op, user_data, 0);
	static struct ringd_timespec *ts;

	if (!ts)
		ts = cf_alloc(sizeof(*ts), 0);
	ts->tv_sec = (int64_t)(ns / 1000000000u);
	ts->tv_nsec = (int64_t)(ns % 1000000000u);
	sqe->addr = cf_addr(ts);
	sqe->len = 1;
	return sqe;
}

/* --- cancel against complete --- */

static int fifo[2];
static unsigned int to_write;

static int write_bytes(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < to_write; i++) {
		if (write(fifo[1], "x", 1) != 1)
			return -1;
		if (i % 7 == 0)
			poll(NULL, 0, 0);
	}
	return 0;
}

static void cancel_against_complete(unsigned int ring_flags, unsigned int sqe_flags)
{
	struct cf_ring *ring = cf_ring_new(MANY, ring_flags);
	unsigned int n = rounds(2000), got = 0;
	struct cf_thread *writer;
	struct cf_cqe cqe;
	char *buf = cf_alloc(MANY, 0), c;

	cf_pipe(fifo);
	cf_files(ring, 1);
	cf_file(ring, 0, fifo[0]);
	to_write = n / 2;
	writer = cf_thread(write_bytes, NULL);
	for (unsigned int i = 0; i < n; i++) {
		int32_t read_res = 1000, cancel_res = 1000;

		transfer(ring, RINGD_OP_READ, 1, 0, buf, 1)->flags |= (uint8_t)sqe_flags;
		if (i % 3 == 0)
			ck_assert_int_eq(cf_submit(ring), 1);
		cancel(ring, 2, 1, 0);
		ck_assert_int_eq(cf_submit(ring), i % 3 ? 2 : 1);
		while (read_res == 1000 || cancel_res == 1000) {
			if (cancel_res != 1000 && cancel_res != 0 && read_res == 1000) {	/* missed: again */
				cancel(ring, 2, 1, 0);
				cancel_res = 1000;
				ck_assert_int_eq(cf_submit(ring), 1);
			}
			cf_wait_cqe(ring, &cqe);
			ck_assert_int_eq(cqe.user_data == 1 ? read_res : cancel_res, 1000);
			*(cqe.user_data == 1 ? &read_res : &cancel_res) = cqe.res;
		}
		ck_assert_msg(read_res == 1 || read_res == -ECANCELED || read_res == -EINTR, "read: %d", read_res);
		ck_assert_msg(cancel_res == 0 || cancel_res == -ENOENT || cancel_res == -EALREADY, "cancel: %d", cancel_res);
		if (cancel_res == 0)
			ck_assert_int_eq(read_res, -ECANCELED);
		got += read_res == 1;
	}
	ck_assert_int_eq(cf_thread_join(writer), 0);
	while (cf_fd_ready(fifo[0], POLLIN) && read(fifo[0], &c, 1) == 1)
		got++;
	ck_assert_uint_eq(got, to_write);	/* no byte was lost with a cancelled read */
	cf_expect_none(ring);
}

CF_TEST(cancel_and_complete_never_lose_data, 0, "Reads of a pipe, each cancelled while another thread writes")
{
	cancel_against_complete(0, 0);
}

CF_TEST(cancel_and_complete_never_lose_data_lazily, 0, "The same on a DEFER_TASKRUN ring")
{
	cancel_against_complete(RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN, 0);
}

CF_TEST(cancel_and_complete_of_async_reads, 0, "The same with the ASYNC flag")
{
	cancel_against_complete(0, RINGD_SQE_ASYNC);
}

/* --- poll against close --- */

static int hang_up(void *arg)
{
	(void)arg;
	(void)!write(fifo[1], "x", 1);
	return close(fifo[1]);
}

CF_TEST(polls_end_once_while_files_go, 0, "Polls and reads while the peer hangs up, the slot is emptied and the poll removed")
{
	struct cf_ring *ring = cf_ring_new(MANY, RINGD_SETUP_SUBMIT_ALL);
	unsigned int n = rounds(300), final[8];
	char *buf = cf_alloc(MANY, 0);
	struct cf_thread *t;
	struct cf_cqe cqe;

	signal(SIGPIPE, SIG_IGN);
	cf_files(ring, 4);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int left = 6;

		memset(final, 0, sizeof(final));
		cf_pipe(fifo);
		cf_file(ring, 0, fifo[0]);
		close(fifo[0]);
		poll_slot(ring, 1, 0, 0);
		poll_slot(ring, 2, 0, RINGD_POLL_ADD_MULTI);
		transfer(ring, RINGD_OP_READ, 3, 0, buf, 1);
		ck_assert_int_eq(cf_submit(ring), 3);
		t = cf_thread(hang_up, NULL);
		cancel(ring, 4, 1, 0);
		cf_sqe_ud(ring, RINGD_OP_POLL_REMOVE, 5, 0)->addr = 2;
		if (i % 2)
			cf_file(ring, 0, -1);
		cancel(ring, 6, 0, RINGD_ASYNC_CANCEL_ANY);
		ck_assert_int_eq(cf_submit(ring), 3);
		while (left) {
			cf_wait_cqe(ring, &cqe);
			ck_assert(cqe.user_data >= 1 && cqe.user_data <= 6);
			ck_assert_msg(!final[cqe.user_data], "%llu ends twice", (unsigned long long)cqe.user_data);
			if (cqe.flags & RINGD_CQE_F_MORE) {
				ck_assert_uint_eq(cqe.user_data, 2);
				continue;
			}
			final[cqe.user_data] = 1;
			left--;
		}
		ck_assert_int_eq(cf_thread_join(t), 0);
	}
	cf_expect_none(ring);
}

/* --- teardown --- */

/* Something of everything that waits, runs or is held back */
static void fill(struct cf_ring *ring, int file, int event)
{
	char *buf = cf_alloc(4096, 0);

	cf_files(ring, 4);
	cf_file(ring, 0, fifo[0]);
	cf_file(ring, 1, file);
	cf_file(ring, 2, event);
	for (int i = 0; i < 4; i++) {
		transfer(ring, RINGD_OP_READ, 1, 0, buf, 16)->flags |= RINGD_SQE_IO_LINK;
		timeout(ring, RINGD_OP_LINK_TIMEOUT, 2, 1000000000000)->flags = RINGD_SQE_IO_LINK;
		transfer(ring, RINGD_OP_WRITE, 3, 1, buf, 16);
		transfer(ring, RINGD_OP_READ, 4, 1, buf, 4096)->flags |= RINGD_SQE_ASYNC;
		transfer(ring, RINGD_OP_WRITE, 5, 1, buf, 4096);
		poll_slot(ring, 6, 2, i % 2);
		transfer(ring, RINGD_OP_READ, 7, 2, buf, 8)->flags |= RINGD_SQE_ASYNC;
		timeout(ring, RINGD_OP_TIMEOUT, 8, i % 2 ? 100000 : 1000000000000);
		timeout(ring, RINGD_OP_TIMEOUT, 9, 1000000000000)->off = 1000;
	}
	cf_sqe_ud(ring, RINGD_OP_NOP, 10, RINGD_SQE_IO_DRAIN | RINGD_SQE_IO_LINK);
	transfer(ring, RINGD_OP_READ, 11, 0, buf, 1);
	cf_sqe_ud(ring, RINGD_OP_NOP, 12, 0);
	cf_submit(ring);
}

static void teardown(unsigned int ring_flags)
{
	int file = cf_make_file("f", 8192, O_RDWR), event = eventfd(0, EFD_CLOEXEC);
	unsigned int n = rounds(60);
	struct cf_ring *ring;
	char c[64];

	ck_assert_int_ge(event, 0);
	cf_pipe(fifo);
	for (unsigned int i = 0; i < n; i++) {
		ring = cf_ring_new(MANY, ring_flags);
		fill(ring, file, event);
		if (i % 3 == 1)
			ck_assert_int_eq(write(fifo[1], "x", 1), 1);
		if (i % 3 == 2)
			ck_assert_int_eq(write(event, &(uint64_t){ 1 }, 8), 8);
		cf_ring_free(ring);
		while (cf_fd_ready(fifo[0], POLLIN))
			ck_assert_int_ge(read(fifo[0], c, sizeof(c)), 0);
	}
	close(fifo[0]);
	signal(SIGPIPE, SIG_IGN);
	cf_wait_fd(fifo[1], 0);		/* POLLERR: no ring holds the other end any more */
}

CF_TEST(rings_go_with_everything_in_flight, 0, "Rings closed with reads, polls, timers, chains, drains and workers under way")
{
	teardown(0);
}

CF_TEST(lazy_rings_go_with_everything_in_flight, 0, "The same with DEFER_TASKRUN")
{
	teardown(RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN);
}

CF_TEST(sqpoll_rings_go_with_everything_in_flight, 0, "The same with SQPOLL")
{
	teardown(RINGD_SETUP_SQPOLL);
}

CF_TEST(clients_go_with_everything_in_flight, 0, "Clients killed with reads, polls, timers, chains, drains and workers under way")
{
	unsigned int n = rounds(20);
	int ready[2], file = cf_make_file("f", 8192, O_RDWR), event = eventfd(0, EFD_CLOEXEC);
	char c;
	pid_t pid;

	ck_assert_int_ge(event, 0);
	cf_pipe(fifo);
	for (unsigned int i = 0; i < n; i++) {
		cf_pipe(ready);
		pid = cf_fork();
		if (pid == 0) {
			cf_forked();
			for (int k = 0; k < 3; k++)
				fill(cf_ring_new(MANY, k == 1 ? RINGD_SETUP_SQPOLL : 0), file, event);
			if (i % 2)
				cf_child_end(write(ready[1], "x", 1) == 1 ? 0 : 1);
			kill(getpid(), SIGKILL);
		}
		close(ready[1]);
		ck_assert_int_eq(read(ready[0], &c, 1), i % 2 ? 1 : 0);
		close(ready[0]);
		ck_assert_int_eq(cf_child_wait(pid), i % 2 ? 0 : 128 + SIGKILL);
	}
	close(fifo[0]);
	cf_wait_fd(fifo[1], 0);
}

/* --- fork --- */

CF_TEST(a_client_that_forks_goes_on, 0, "Children that end, or become another program, while the parent's requests are in flight")
{
	struct cf_ring *ring = cf_ring_new(MANY, 0);
	unsigned int n = rounds(40);
	char *buf = cf_alloc(64, 0);
	pid_t pid;

	cf_pipe(fifo);
	cf_files(ring, 1);
	cf_file(ring, 0, fifo[0]);
	for (unsigned int i = 0; i < n; i++) {
		transfer(ring, RINGD_OP_READ, 1, 0, buf, 1);
		timeout(ring, RINGD_OP_TIMEOUT, 2, 2000000);
		ck_assert_int_eq(cf_submit(ring), 2);
		pid = cf_fork();
		if (pid == 0) {
			if (i % 2)
				execl("/bin/true", "true", (char *)NULL);
			cf_child_end(0);
		}
		cf_sqe_ud(ring, RINGD_OP_NOP, 3, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		ck_assert_int_eq(cf_child_wait(pid), 0);
		ck_assert_int_eq(write(fifo[1], "x", 1), 1);
		cf_expect_set(ring, { 1, 1, 0 }, { 2, -ETIME, 0 }, { 3, 0, 0 });
	}
}

/* --- resize --- */

CF_TEST(a_ring_that_changes_its_size_loses_nothing, 0, "RESIZE_RINGS up and down with requests in flight and CQEs not yet taken")
{
	const unsigned int flags = RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN;
	struct cf_ring *ring = cf_ring_new(MANY, flags);
	static const unsigned int sizes[] = { 64, 128, 32, 256, 64, 16 };
	unsigned int n = rounds(400), in_flight = 0, seen = 0, sent = 0, done = 0;
	struct ringd_params p;
	char *buf = cf_alloc(64, 0);
	struct cf_cqe cqe;
	int r;

	cf_pipe(fifo);
	cf_files(ring, 1);
	cf_file(ring, 0, fifo[0]);
	for (unsigned int i = 0; i < n; i++) {
		for (int k = 0; k < 4 && in_flight < 24; k++, in_flight++, sent++) {
			if (k % 2)
				cf_sqe_ud(ring, RINGD_OP_NOP, 1, 0);
			else
				transfer(ring, RINGD_OP_READ, 1, 0, buf, 1);
		}
		r = cf_submit(ring);
		ck_assert_int_ge(r, 0);
		p = (struct ringd_params){ .sq_entries = sizes[i % RD_ARRAY_SIZE(sizes)] };
		r = cf_resize(ring, &p);
		if (i == 0 && r == -EINVAL)
			cf_skip("rings cannot be resized here");
		ck_assert_msg(r == 0 || r == -EOVERFLOW, "resize: %s", strerror(-r));
		done += r == 0;
		ck_assert_int_eq(write(fifo[1], "xx", 2), 2);
		while (in_flight > 12) {
			if (!cf_fd_ready(fifo[0], POLLIN))
				ck_assert_int_eq(write(fifo[1], "x", 1), 1);
			cf_wait_cqe(ring, &cqe);
			ck_assert_int_ge(cqe.res, 0);
			in_flight--;
			seen++;
		}
	}
	while (in_flight) {
		if (!cf_fd_ready(fifo[0], POLLIN))
			ck_assert_int_eq(write(fifo[1], "x", 1), 1);
		cf_wait_cqe(ring, &cqe);
		in_flight--;
		seen++;
	}
	ck_assert_uint_eq(seen, sent);
	ck_assert_uint_gt(done, n / 2);
	cf_expect_none(ring);
}
