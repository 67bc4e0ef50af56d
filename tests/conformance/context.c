/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Context and lifetime */
#include <sys/socket.h>

#include "cf.h"

/* --- who holds a file --- */

static int32_t close_number(struct cf_ring *ring, int fd)
{
	cf_sqe(ring, RINGD_OP_CLOSE)->fd = fd;
	return cf_run(ring);
}

CF_TEST(a_closed_pipe_ends_with_the_cqe, 423,
	"Close of the client's only write end by a CLOSE request -> a reader of the pipe sees EOF as soon as the CQE is visible")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char byte;
	int fds[2];

	for (int i = 0; i < 20; i++) {
		cf_pipe(fds);
		cf_lend(ring, fds[1]);
		ck_assert_int_eq(close_number(ring, fds[1]), 0);
		ck_assert(cf_fd_ready(fds[0], POLLHUP));
		ck_assert_int_eq(read(fds[0], &byte, 1), 0);
		ck_assert_int_eq(fcntl(fds[1], F_GETFD), -1);
		close(fds[0]);
	}
}

CF_TEST(a_completed_read_holds_no_socket, 424,
	"Completed read from a socket, then close by the client -> the peer sees FIN at once, no hidden reference remains")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;
	int pair[2];

	cf_files(ring, 1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cf_file(ring, 0, pair[0]);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	sqe = cf_sqe(ring, RINGD_OP_READ);
	sqe->fd = 0;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->addr = cf_addr(cf_alloc(8, 0));
	sqe->len = 8;
	ck_assert_int_eq(cf_run(ring), 1);
	close(pair[0]);
	ck_assert(!cf_fd_ready(pair[1], POLLHUP));	/* the slot has it */
	sqe = cf_sqe(ring, RINGD_OP_CLOSE);
	sqe->fd = 0;
	sqe->file_index = 1;
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert(cf_fd_ready(pair[1], POLLHUP));
	close(pair[1]);
}

CF_TEST(a_program_written_through_the_ring_can_run, 425,
	"Open for writing and close through the ring, then exec of that file -> no ETXTBSY")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;
	int to, from, n;
	char buf[4096];

	from = open("/bin/true", O_RDONLY);
	ck_assert_int_ge(from, 0);
	sqe = cf_sqe(ring, RINGD_OP_OPENAT);
	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(cf_path("program"));
	sqe->open_flags = O_CREAT | O_WRONLY | O_CLOEXEC;
	sqe->len = 0700;
	to = cf_run(ring);
	ck_assert_int_ge(to, 0);
	while ((n = (int)read(from, buf, sizeof(buf))) > 0)
		ck_assert_int_eq(write(to, buf, (size_t)n), n);
	close(from);
	cf_lend(ring, to);
	ck_assert_int_eq(close_number(ring, to), 0);
	ck_assert_int_eq(system(cf_path("program")), 0);
}

CF_TEST(a_slot_is_looked_at_when_the_request_starts, 436,
	"Request on a registered slot emptied and refilled while waiting behind a link -> the refilled file is used")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int one = cf_make_file("one", 5, O_RDONLY), two = cf_make_file("two", 9, O_RDONLY), fds[2];
	char *buf = cf_alloc(64, 0);
	struct ringd_sqe *sqe;

	cf_pipe(fds);
	cf_files(ring, 2);
	cf_file(ring, 0, one);
	cf_file(ring, 1, fds[0]);
	sqe = cf_sqe_ud(ring, RINGD_OP_READ, 1, RINGD_SQE_FIXED_FILE | RINGD_SQE_IO_HARDLINK);
	sqe->fd = 1;
	sqe->addr = cf_addr(buf);
	sqe->len = 1;
	sqe = cf_sqe_ud(ring, RINGD_OP_READ, 2, RINGD_SQE_FIXED_FILE);
	sqe->fd = 0;
	sqe->addr = cf_addr(buf);
	sqe->len = 64;
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_file(ring, 0, -1);
	cf_file(ring, 0, two);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 9, 0);
	close(one);
	close(two);
}

CF_TEST(a_slot_keeps_a_connection, 439, "FIXED_FILE slot of a socket, original fd closed -> peer stays connected until the slot is emptied")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int pair[2];

	cf_files(ring, 1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cf_file(ring, 0, pair[0]);
	close(pair[0]);
	ck_assert(!cf_fd_ready(pair[1], POLLHUP));
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	cf_file(ring, 0, -1);
	cf_wait_fd(pair[1], POLLHUP);
	close(pair[1]);
}
