/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links */
#include "cf.h"

#include <fcntl.h>
#include <signal.h>

#include "daemon/common/util.h"

#define LINK	RINGD_SQE_IO_LINK
#define HARD	RINGD_SQE_IO_HARDLINK

static struct cf_ring *chain_ring(void)
{
	return cf_ring_new(16, 0);
}

static void nop(struct cf_ring *ring, uint64_t user_data, unsigned int flags)
{
	cf_sqe_ud(ring, RINGD_OP_NOP, user_data, flags);
}

/* A NOP that ends with res */
static void inject(struct cf_ring *ring, uint64_t user_data, int res, unsigned int flags)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_NOP, user_data, flags);

	sqe->nop_flags = RINGD_NOP_INJECT_RESULT;
	sqe->len = (uint32_t)res;
}

static struct ringd_sqe *transfer(struct cf_ring *ring, unsigned int op, uint64_t user_data, unsigned int flags, int fd,
				  void *buf, unsigned int len, uint64_t off)
{
	struct ringd_sqe *sqe = cf_prep_rw(ring, op, fd, buf, len, off);

	sqe->user_data = user_data;
	sqe->flags |= (uint8_t)flags;
	return sqe;
}

static void read_file(struct cf_ring *ring, uint64_t user_data, unsigned int flags, int fd, unsigned int len, uint64_t off)
{
	transfer(ring, RINGD_OP_READ, user_data, flags, fd, cf_alloc(len, 0), len, off);
}

static struct ringd_sqe *cancel(struct cf_ring *ring, uint64_t user_data, uint64_t key, unsigned int cancel_flags, unsigned int flags)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_ASYNC_CANCEL, user_data, flags);

	sqe->addr = key;
	sqe->cancel_flags = cancel_flags;
	return sqe;
}

static void submit(struct cf_ring *ring, int n)
{
	ck_assert_int_eq(cf_submit(ring), n);
}

CF_TEST(linked_nops_run_in_order, 111, "Nop LINK nop LINK nop -> three CQEs 0, in order")
{
	struct cf_ring *ring = chain_ring();

	nop(ring, 1, LINK);
	nop(ring, 2, LINK);
	nop(ring, 3, 0);
	submit(ring, 3);
	cf_expect(ring, 1, 0, 0);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 3, 0, 0);
}

CF_TEST(a_failed_member_cancels_what_is_linked_to_it, 112, "Failing read LINK nop -> error, then -ECANCELED")
{
	struct cf_ring *ring = chain_ring();
	int fd = cf_make_file("f", 100, O_WRONLY);

	read_file(ring, 1, LINK, fd, 16, 0);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -EBADF, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(a_broken_chain_is_cancelled_to_its_end, 112, "Failing read LINK nop HARDLINK nop LINK nop -> error, then -ECANCELED for all")
{
	struct cf_ring *ring = chain_ring();
	int fd = cf_make_file("f", 100, O_WRONLY);

	read_file(ring, 1, LINK, fd, 16, 0);
	nop(ring, 2, HARD);
	nop(ring, 3, LINK);
	nop(ring, 4, 0);
	nop(ring, 5, 0);
	submit(ring, 5);
	cf_expect_set(ring, { 1, -EBADF, 0 }, { 2, -ECANCELED, 0 }, { 3, -ECANCELED, 0 }, { 4, -ECANCELED, 0 }, { 5, 0, 0 });
}

CF_TEST(a_failed_member_does_not_stop_what_is_hard_linked, 113, "Failing read HARDLINK nop -> error, then 0")
{
	struct cf_ring *ring = chain_ring();
	int fd = cf_make_file("f", 100, O_WRONLY);

	read_file(ring, 1, HARD, fd, 16, 0);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -EBADF, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_short_read_breaks_the_chain, 114, "Short read (fewer bytes than asked) LINK nop -> short count, then -ECANCELED")
{
	struct cf_ring *ring = chain_ring();
	int fd = cf_make_file("f", 100, O_RDONLY);

	read_file(ring, 1, LINK, fd, 200, 0);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, 100, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(a_short_readv_breaks_the_chain, 114, "Short readv LINK nop -> short count, then -ECANCELED; a full one -> count, then 0")
{
	struct cf_ring *ring = chain_ring();
	int fd = cf_make_file("f", 100, O_RDONLY);
	struct iovec iov[2] = { { cf_alloc(60, 0), 60 }, { cf_alloc(60, 0), 60 } };
	void *v = cf_in(iov, sizeof(iov));

	transfer(ring, RINGD_OP_READV, 1, LINK, fd, v, 2, 0);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, 100, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
	iov[1].iov_len = 40;
	transfer(ring, RINGD_OP_READV, 1, LINK, fd, cf_in(iov, sizeof(iov)), 2, 0);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, 100, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_read_at_eof_breaks_the_chain, 115, "Read at EOF LINK nop -> 0, then -ECANCELED")
{
	struct cf_ring *ring = chain_ring();
	int fd = cf_make_file("f", 100, O_RDONLY);

	read_file(ring, 1, LINK, fd, 10, 100);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, 0, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

static struct ringd_sqe *path_op(struct cf_ring *ring, unsigned int op, const char *path)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, op, 1, LINK);

	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(path);
	return sqe;
}

CF_TEST(a_failed_unlinkat_does_not_break_the_chain, 118, "Failing unlinkat LINK nop -> -ENOENT, then 0")
{
	struct cf_ring *ring = chain_ring();

	path_op(ring, RINGD_OP_UNLINKAT, cf_path("missing"));
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -ENOENT, 0);
	cf_expect(ring, 2, 0, 0);
}

/* The request with user_data 1 that was just prepared fails with res, and its successor runs. */
static void expect_soft(struct cf_ring *ring, int res)
{
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, res, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(failed_file_operations_do_not_break_the_chain, 119, "Failing fsync, fallocate, ftruncate LINK nop -> error, then 0")
{
	struct cf_ring *ring = chain_ring();
	struct ringd_sqe *sqe;
	int fd[2], file = cf_make_file("f", 10, O_RDONLY);

	cf_pipe(fd);
	sqe = cf_sqe_ud(ring, RINGD_OP_FSYNC, 1, LINK);
	cf_sqe_fd(ring, sqe, fd[0]);
	expect_soft(ring, -EINVAL);
	sqe = cf_sqe_ud(ring, RINGD_OP_FALLOCATE, 1, LINK);
	cf_sqe_fd(ring, sqe, fd[1]);
	sqe->addr = 1;
	expect_soft(ring, -ESPIPE);
	sqe = cf_sqe_ud(ring, RINGD_OP_FTRUNCATE, 1, LINK);
	cf_sqe_fd(ring, sqe, file);
	expect_soft(ring, -EINVAL);
}

CF_TEST(failed_path_operations_do_not_break_the_chain, 119,
	"Failing statx, mkdirat, renameat, symlinkat, linkat LINK nop -> error, then 0")
{
	struct cf_ring *ring = chain_ring();
	struct ringd_sqe *sqe;

	close(cf_make_file("f", 10, O_RDONLY));
	sqe = path_op(ring, RINGD_OP_STATX, cf_path("missing"));
	sqe->off = cf_addr(cf_alloc(256, 0));
	expect_soft(ring, -ENOENT);
	path_op(ring, RINGD_OP_MKDIRAT, cf_path("f"));
	expect_soft(ring, -EEXIST);
	sqe = path_op(ring, RINGD_OP_RENAMEAT, cf_path("missing"));
	sqe->len = (uint32_t)AT_FDCWD;
	sqe->off = cf_addr(cf_path("other"));
	expect_soft(ring, -ENOENT);
	sqe = path_op(ring, RINGD_OP_SYMLINKAT, cf_path("target"));
	sqe->off = cf_addr(cf_path("f"));
	expect_soft(ring, -EEXIST);
	sqe = path_op(ring, RINGD_OP_LINKAT, cf_path("missing"));
	sqe->len = (uint32_t)AT_FDCWD;
	sqe->off = cf_addr(cf_path("other"));
	expect_soft(ring, -ENOENT);
}

/* xattr: addr name, off value, addr3 path */
static struct ringd_sqe *xattr_op(struct cf_ring *ring, unsigned int op, const char *path, unsigned int len)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, op, 1, LINK);
	static const char name[] = "user.ringd-conf";

	sqe->addr = cf_addr(cf_in(name, sizeof(name)));
	sqe->off = cf_addr(cf_alloc(64, 0));
	sqe->len = len;
	sqe->addr3 = cf_addr(path);
	return sqe;
}

CF_TEST(failed_xattr_operations_do_not_break_the_chain, 119, "Failing xattr op LINK nop -> error, then 0")
{
	struct cf_ring *ring = chain_ring();
	struct ringd_sqe *sqe;
	int fd = cf_make_file("f", 10, O_RDONLY);

	xattr_op(ring, RINGD_OP_GETXATTR, cf_path("missing"), 10);
	expect_soft(ring, -ENOENT);
	xattr_op(ring, RINGD_OP_SETXATTR, cf_path("missing"), 10);
	expect_soft(ring, -ENOENT);
	sqe = xattr_op(ring, RINGD_OP_FGETXATTR, NULL, 10);
	cf_sqe_fd(ring, sqe, fd);
	expect_soft(ring, -ENODATA);
	sqe = xattr_op(ring, RINGD_OP_FSETXATTR, NULL, 10);
	sqe->xattr_flags = 2;	/* XATTR_REPLACE */
	cf_sqe_fd(ring, sqe, fd);
	expect_soft(ring, -ENODATA);
}

CF_TEST(a_failed_madvise_does_not_break_the_chain, 119, "Failing madvise LINK nop -> error, then 0")
{
	struct cf_ring *ring = chain_ring();
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_MADVISE, 1, LINK);

	sqe->addr = 4096;
	sqe->len = 4096;
	sqe->fadvise_advice = MADV_NORMAL;
	expect_soft(ring, -ENOMEM);
}

CF_TEST(a_failed_openat_breaks_the_chain, 120, "Failing openat LINK nop -> error, then -ECANCELED")
{
	struct cf_ring *ring = chain_ring();
	struct ringd_sqe *sqe;

	cf_files(ring, 4);
	sqe = path_op(ring, RINGD_OP_OPENAT, cf_path("missing"));
	sqe->file_index = 1;
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -ENOENT, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(a_failed_fadvise_breaks_the_chain, 120, "Failing fadvise LINK nop -> error, then -ECANCELED")
{
	struct cf_ring *ring = chain_ring();
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_FADVISE, 1, LINK);
	int fd[2];

	cf_pipe(fd);
	cf_sqe_fd(ring, sqe, fd[0]);
	sqe->fadvise_advice = POSIX_FADV_NORMAL;
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -ESPIPE, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(a_short_splice_breaks_the_chain, 122, "Splice returning fewer bytes than len LINK nop -> count, then -ECANCELED")
{
	struct cf_ring *ring = cf_ring_new(16, 0);
	int from[2], to[2];
	struct ringd_sqe *sqe;

	cf_pipe(from);
	cf_pipe(to);
	ck_assert_int_eq(write(from[1], "abcdefgh", 8), 8);
	cf_files(ring, 2);
	cf_file(ring, 0, from[0]);
	cf_file(ring, 1, to[1]);
	sqe = cf_sqe_ud(ring, RINGD_OP_SPLICE, 1, LINK | RINGD_SQE_FIXED_FILE);
	sqe->fd = 1;
	sqe->splice_fd_in = 0;
	sqe->splice_flags = RINGD_SPLICE_F_FD_IN_FIXED;
	sqe->off = sqe->splice_off_in = UINT64_MAX;
	sqe->len = 100;
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, 8, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

static struct ringd_sqe *timeout(struct cf_ring *ring, uint64_t user_data, unsigned int flags, uint64_t ns, unsigned int timeout_flags)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT, user_data, flags);

	sqe->addr = cf_addr(cf_ts(ns));
	sqe->len = 1;
	sqe->timeout_flags = timeout_flags;
	return sqe;
}

CF_TEST(an_expired_timeout_breaks_the_chain, 123, "Timeout that expires LINK nop -> -ETIME, then -ECANCELED; with ETIME_SUCCESS -> -ETIME, then 0")
{
	struct cf_ring *ring = chain_ring();

	timeout(ring, 1, LINK, 1000000, 0);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -ETIME, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
	timeout(ring, 1, LINK, 1000000, RINGD_TIMEOUT_ETIME_SUCCESS);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -ETIME, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(an_expired_timeout_with_a_hard_link_lets_the_next_run, 124, "Timeout that expires HARDLINK nop -> -ETIME, then 0")
{
	struct cf_ring *ring = chain_ring();

	timeout(ring, 1, HARD, 1000000, 0);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -ETIME, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_timeout_in_a_chain_starts_when_its_turn_comes, 123, "Waiting read LINK timeout: the time runs from the end of the read")
{
	struct cf_ring *ring = chain_ring();
	uint64_t start;
	int fd[2];

	cf_pipe(fd);
	read_file(ring, 1, LINK, fd[0], 1, 0);
	timeout(ring, 2, 0, 20000000, 0);
	submit(ring, 2);
	start = cf_now_ns();
	while (cf_now_ns() - start < 25000000)
		poll(NULL, 0, 5);	/* longer than the timeout */
	start = cf_now_ns();
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, -ETIME, 0);
	ck_assert_uint_ge(cf_now_ns() - start, 19000000);
}

CF_TEST(a_poll_that_fires_lets_the_next_run, 125, "Poll that fires LINK nop -> mask, then 0")
{
	struct cf_ring *ring = chain_ring();
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_POLL_ADD, 1, LINK);
	int fd[2];

	cf_pipe(fd);
	cf_sqe_fd(ring, sqe, fd[0]);
	sqe->poll32_events = POLLIN;
	nop(ring, 2, 0);
	submit(ring, 2);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, POLLIN, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_cancel_of_all_that_finds_nothing_succeeds, 126, "A cancel with ALL that finds nothing LINK nop -> 0, then 0")
{
	struct cf_ring *ring = chain_ring();

	cancel(ring, 1, 99, RINGD_ASYNC_CANCEL_ALL, LINK);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, 0, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_single_cancel_that_finds_nothing_breaks_the_chain, 127, "A single cancel that finds nothing LINK nop -> -ENOENT, then -ECANCELED")
{
	struct cf_ring *ring = chain_ring();

	cancel(ring, 1, 99, 0, LINK);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -ENOENT, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

static void expect_dead_chain(unsigned int link)
{
	struct cf_ring *ring = chain_ring();

	nop(ring, 1, link);
	cf_sqe_ud(ring, 200, 2, link);
	nop(ring, 3, 0);
	submit(ring, 3);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, -EINVAL, 0);
	cf_expect(ring, 3, -ECANCELED, 0);
}

CF_TEST(an_invalid_member_stops_the_whole_chain, 128, "Nop LINK (invalid opcode) LINK nop -> -ECANCELED, -EINVAL, -ECANCELED in that order")
{
	expect_dead_chain(LINK);
}

CF_TEST(an_invalid_member_stops_a_hard_linked_chain, 129, "Nop HARDLINK (invalid opcode) HARDLINK nop -> the same three results")
{
	expect_dead_chain(HARD);
}

CF_TEST(an_invalid_head_stops_the_chain, 130, "(invalid opcode) LINK nop -> -EINVAL, -ECANCELED")
{
	struct cf_ring *ring = chain_ring();

	cf_sqe_ud(ring, 200, 1, LINK);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -EINVAL, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(a_chain_with_an_invalid_member_is_consumed_whole, 39,
	"An invalid SQE in the middle of a linked chain, no SUBMIT_ALL -> the whole chain is consumed and enter returns its length")
{
	struct cf_ring *ring = chain_ring();

	nop(ring, 1, LINK);
	cf_sqe_ud(ring, 200, 2, LINK);
	nop(ring, 3, LINK);
	nop(ring, 4, 0);
	submit(ring, 4);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, -EINVAL, 0);
	cf_expect(ring, 3, -ECANCELED, 0);
	cf_expect(ring, 4, -ECANCELED, 0);
}

CF_TEST(a_link_ends_with_its_submission, 131, "LINK on the last SQE of a submission -> no effect on the next submission")
{
	struct cf_ring *ring = chain_ring();

	inject(ring, 1, -EIO, LINK);
	submit(ring, 1);
	nop(ring, 2, 0);
	submit(ring, 1);
	cf_expect_set(ring, { 1, -EIO, 0 }, { 2, 0, 0 });	/* the kernel gives the first to a worker */
}

CF_TEST(a_chain_is_cut_where_the_submission_ends, 131, "Enter with to_submit in the middle of a chain -> the rest is a chain of its own")
{
	struct cf_ring *ring = chain_ring();

	inject(ring, 1, -EIO, LINK);
	nop(ring, 2, LINK);
	inject(ring, 3, -EIO, LINK);
	nop(ring, 4, 0);
	ck_assert_int_eq(cf_enter(ring, 2, 0, 0, NULL, 0), 2);
	cf_expect(ring, 1, -EIO, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	submit(ring, 2);
	cf_expect(ring, 3, -EIO, 0);
	cf_expect(ring, 4, -ECANCELED, 0);
}

CF_TEST(both_link_flags_are_a_hard_link, 132, "LINK and HARDLINK both set -> behaves as HARDLINK")
{
	struct cf_ring *ring = chain_ring();

	inject(ring, 1, -EIO, LINK | HARD);
	nop(ring, 2, 0);
	submit(ring, 2);
	cf_expect(ring, 1, -EIO, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_chain_opens_reads_and_closes_a_slot, 133, "Open into slot 0 LINK read from slot 0 LINK close slot 0 -> all succeed")
{
	struct cf_ring *ring = chain_ring();
	unsigned char *buf = cf_alloc(100, 0);
	struct ringd_sqe *sqe;

	close(cf_make_file("f", 100, O_RDONLY));
	cf_files(ring, 1);
	sqe = path_op(ring, RINGD_OP_OPENAT, cf_path("f"));
	sqe->file_index = 1;
	sqe = cf_sqe_ud(ring, RINGD_OP_READ, 2, LINK | RINGD_SQE_FIXED_FILE);
	sqe->fd = 0;
	sqe->addr = cf_addr(buf);
	sqe->len = 100;
	sqe = cf_sqe_ud(ring, RINGD_OP_CLOSE, 3, 0);
	sqe->fd = 0;
	sqe->file_index = 1;
	submit(ring, 3);
	cf_expect(ring, 1, 0, 0);
	cf_expect(ring, 2, 100, 0);
	cf_expect(ring, 3, 0, 0);
	ck_assert_int_eq(buf[99], 99);
}

CF_TEST(a_linked_read_sees_what_was_written, 134, "Link of a write and a read on the same file -> the read sees the data")
{
	struct cf_ring *ring = chain_ring();
	int fd = cf_make_file("f", 100, O_RDWR);
	char *in = cf_alloc(64, 0);

	transfer(ring, RINGD_OP_WRITE, 1, LINK, fd, cf_in("new data", 8), 8, 50);
	transfer(ring, RINGD_OP_READ, 2, 0, fd, in, 8, 50);
	submit(ring, 2);
	cf_expect(ring, 1, 8, 0);
	cf_expect(ring, 2, 8, 0);
	ck_assert_mem_eq(in, "new data", 8);
}

CF_TEST(only_the_head_of_a_chain_is_found_by_a_cancel, 135,
	"Waiting read LINK nop, cancel of the nop's user_data -> -ENOENT; cancel of the read -> read -ECANCELED, nop -ECANCELED")
{
	struct cf_ring *ring = chain_ring();
	int fd[2];

	cf_pipe(fd);
	read_file(ring, 1, LINK, fd[0], 16, 0);
	nop(ring, 2, 0);
	submit(ring, 2);
	cancel(ring, 3, 2, 0, 0);
	submit(ring, 1);
	cf_expect(ring, 3, -ENOENT, 0);
	cancel(ring, 4, 1, 0, 0);
	submit(ring, 1);
	cf_expect(ring, 4, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(a_cancelled_hard_linked_head_lets_the_next_run, 136, "Waiting read HARDLINK nop, cancel of the read -> read -ECANCELED, nop 0")
{
	struct cf_ring *ring = chain_ring();
	int fd[2];

	cf_pipe(fd);
	read_file(ring, 1, HARD, fd[0], 16, 0);
	nop(ring, 2, 0);
	submit(ring, 2);
	cancel(ring, 3, 1, 0, 0);
	submit(ring, 1);
	cf_expect(ring, 3, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_closed_ring_does_not_finish_its_chains, 137, "Closing a ring with a half-run chain -> the rest never runs")
{
	struct cf_ring *ring = chain_ring();
	int in[2], out[2];

	signal(SIGPIPE, SIG_IGN);
	cf_pipe(in);
	cf_pipe(out);
	nop(ring, 1, HARD);
	read_file(ring, 2, HARD, in[0], 16, 0);
	transfer(ring, RINGD_OP_WRITE, 3, 0, out[1], cf_in("never", 5), 5, 0);
	submit(ring, 3);
	cf_expect(ring, 1, 0, 0);
	close(in[0]);
	close(out[1]);
	cf_ring_free(ring);
	cf_wait_fd(in[1], 0);		/* POLLERR: the request was the last reader */
	cf_wait_fd(out[0], POLLIN);	/* the end of the pipe and nothing before it */
	ck_assert_int_eq(read(out[0], cf_alloc(16, 0), 16), 0);
}

CF_TEST(chains_are_independent, 111, "Two chains in one submission, the first fails -> the second runs")
{
	struct cf_ring *ring = chain_ring();

	inject(ring, 1, -EIO, LINK);
	nop(ring, 2, 0);
	nop(ring, 3, LINK);
	nop(ring, 4, 0);
	submit(ring, 4);
	cf_expect_set(ring, { 1, -EIO, 0 }, { 2, -ECANCELED, 0 }, { 3, 0, 0 }, { 4, 0, 0 });
}

CF_TEST(a_chain_as_long_as_the_sq_runs, 111, "A chain of 64 NOPs in a 64-entry SQ -> all, in order")
{
	struct cf_ring *ring = cf_ring_new(64, 0);

	for (uint64_t i = 0; i < 64; i++)
		nop(ring, i, i < 63 ? LINK : 0);
	submit(ring, 64);
	for (uint64_t i = 0; i < 64; i++)
		cf_expect(ring, i, 0, 0);
}

CF_TEST(pointers_of_linked_requests_are_read_at_submission, 45,
	"An iovec array or timespec overwritten right after enter returned -> a request waiting behind a link is unaffected")
{
	struct cf_ring *ring = chain_ring();
	struct iovec iov = { cf_in("good", 4), 4 }, *v = cf_in(&iov, sizeof(iov));
	struct ringd_timespec *ts = cf_ts(1000000);
	struct ringd_sqe *sqe;
	int in[2], out[2];
	char got[8];

	cf_pipe(in);
	cf_pipe(out);
	read_file(ring, 1, LINK, in[0], 1, 0);
	transfer(ring, RINGD_OP_WRITEV, 2, LINK, out[1], v, 1, 0);
	sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT, 3, 0);
	sqe->addr = cf_addr(ts);
	sqe->len = 1;
	submit(ring, 3);
	memset(v, 0xff, sizeof(*v));
	memset(ts, 0xff, sizeof(*ts));
	ck_assert_int_eq(write(in[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 4, 0);
	cf_expect(ring, 3, -ETIME, 0);
	ck_assert_int_eq(read(out[0], got, sizeof(got)), 4);
	ck_assert_mem_eq(got, "good", 4);
}

CF_TEST(the_path_of_a_linked_request_is_read_at_submission, 45,
	"A path overwritten right after enter returned -> a request waiting behind a link is unaffected")
{
	struct cf_ring *ring = chain_ring();
	struct ringd_sqe *sqe;
	int fd[2];
	char *path;

	close(cf_make_file("f", 10, O_RDONLY));
	cf_pipe(fd);
	cf_files(ring, 2);
	cf_file(ring, 0, fd[0]);
	sqe = cf_sqe_ud(ring, RINGD_OP_READ, 1, LINK | RINGD_SQE_FIXED_FILE);
	sqe->fd = 0;
	sqe->addr = cf_addr(cf_alloc(1, 0));
	sqe->len = 1;
	path = cf_path("f");
	sqe = path_op(ring, RINGD_OP_OPENAT, path);
	sqe->user_data = 2;
	sqe->flags = 0;
	sqe->file_index = 2;
	submit(ring, 2);
	memset(path, 'x', strlen(path));
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_cancelled_member_breaks_the_chain_whatever_its_operation, 119,
	"Ftruncate that is cancelled before it ran LINK nop -> -ECANCELED for both")
{
	struct cf_ring *ring = cf_ring_new(64, 0);
	struct ringd_sqe *sqe;
	struct cf_cqe cqe[3];
	int fd = cf_make_file("f", 100, O_RDWR), n = 0;

	/* it must be caught on its way to a worker: now and then it is */
	for (int i = 0; i < 200 && n < 3; i++) {
		sqe = cf_sqe_ud(ring, RINGD_OP_FTRUNCATE, 1, LINK | RINGD_SQE_ASYNC);
		cf_sqe_fd(ring, sqe, fd);
		sqe->off = 50;
		nop(ring, 2, 0);
		cancel(ring, 3, 1, 0, 0);
		submit(ring, 3);
		for (int k = 0; k < 3; k++) {
			cf_wait_cqe(ring, &cqe[0]);
			cqe[cqe[0].user_data == 1 ? 1 : cqe[0].user_data == 2 ? 2 : 0] = cqe[0];
		}
		ck_assert_int_eq(cqe[2].res, cqe[1].res == -ECANCELED ? -ECANCELED : 0);
		n += cqe[1].res == -ECANCELED;
	}
}
