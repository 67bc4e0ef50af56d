/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Read and write */
#include <signal.h>
#include <sys/resource.h>

#include "cf.h"

CF_TEST(read_at_minus_1_moves_the_file_position, 233,
	"Read with off -1 twice on a file -> consecutive parts, and the client's lseek(SEEK_CUR) sees the sum")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	unsigned char *buf = cf_alloc(64, 0);
	int fd = cf_make_file("f", 200, O_RDONLY);

	cf_prep_rw(ring, RINGD_OP_READ, fd, buf, 10, UINT64_MAX);
	ck_assert_int_eq(cf_run(ring), 10);
	cf_prep_rw(ring, RINGD_OP_READ, fd, buf + 10, 20, UINT64_MAX);
	ck_assert_int_eq(cf_run(ring), 20);
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(buf[i], i);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 30);
}

CF_TEST(read_at_an_offset_leaves_the_file_position, 234, "Read with off 0 -> f_pos unchanged")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 200, O_RDONLY);

	ck_assert_int_eq(lseek(fd, 7, SEEK_SET), 7);
	cf_prep_rw(ring, RINGD_OP_READ, fd, cf_alloc(64, 0), 10, 0);
	ck_assert_int_eq(cf_run(ring), 10);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 7);
}

CF_TEST(read_at_minus_2_is_einval, 235, "Read with off -2 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 200, O_RDONLY);

	cf_prep_rw(ring, RINGD_OP_READ, fd, cf_alloc(64, 0), 10, UINT64_MAX - 1);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
}

CF_TEST(a_pipe_has_no_offset, 236, "Read of a pipe with off 12345 -> works")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	ck_assert_int_eq(write(fd[1], "abc", 3), 3);
	cf_prep_rw(ring, RINGD_OP_READ, fd[0], cf_alloc(64, 0), 10, 12345);
	ck_assert_int_eq(cf_run(ring), 3);
}

static struct ringd_sqe *rw(struct cf_ring *ring, unsigned int op, int fd, const void *buf, unsigned int len, uint64_t off,
			    uint32_t rwf)
{
	struct ringd_sqe *sqe = cf_prep_rw(ring, op, fd, buf, len, off);

	sqe->rw_flags = rwf;
	return sqe;
}

static int32_t run_rw(struct cf_ring *ring, unsigned int op, int fd, const void *buf, unsigned int len, uint64_t off,
		      uint32_t rwf)
{
	rw(ring, op, fd, buf, len, off, rwf);
	return cf_run(ring);
}

static struct iovec *vec(void *base, size_t len)
{
	struct iovec iov = { .iov_base = base, .iov_len = len };

	return cf_in(&iov, sizeof(iov));
}

CF_TEST(an_append_only_descriptor_writes_at_the_end, 237, "Write with off 0 on an O_APPEND file -> goes to the end")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 100, O_RDWR | O_APPEND);
	char *buf = cf_in("tail", 4), back[4];

	ck_assert_int_eq(run_rw(ring, RINGD_OP_WRITE, fd, buf, 4, 0, 0), 4);
	ck_assert_int_eq(pread(fd, back, 4, 100), 4);
	ck_assert_mem_eq(back, "tail", 4);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
}

CF_TEST(rwf_append_moves_the_position_to_the_end, 238,
	"Write with RWF_APPEND and off -1 -> goes to the end and f_pos is the new end")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 100, O_RDWR);
	char back[4];

	ck_assert_int_eq(run_rw(ring, RINGD_OP_WRITE, fd, cf_in("tail", 4), 4, UINT64_MAX, RWF_APPEND), 4);
	ck_assert_int_eq(pread(fd, back, 4, 100), 4);
	ck_assert_mem_eq(back, "tail", 4);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 104);
}

CF_TEST(nothing_is_read_in_no_time, 239, "Read len 0 -> 0; readv with 0 segments -> 0; with 1025 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 100, O_RDONLY);

	ck_assert_int_eq(run_rw(ring, RINGD_OP_READ, fd, NULL, 0, 0, 0), 0);
	ck_assert_int_eq(run_rw(ring, RINGD_OP_READV, fd, cf_alloc(16, 0), 0, 0, 0), 0);
	ck_assert_int_eq(run_rw(ring, RINGD_OP_READV, fd, cf_alloc(1025 * sizeof(struct iovec), 0), 1025, 0, 0), -EINVAL);
}

CF_TEST(a_segment_has_no_negative_length, 240, "Readv with one segment of length -1 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 100, O_RDONLY);

	ck_assert_int_eq(run_rw(ring, RINGD_OP_READV, fd, vec(cf_alloc(16, 0), SIZE_MAX), 1, 0, 0), -EINVAL);
}

CF_TEST(a_bad_buffer_is_efault, 241, "Read into an unmapped buffer -> -EFAULT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 100, O_RDONLY);

	ck_assert_int_eq(run_rw(ring, RINGD_OP_READ, fd, (void *)4096, 10, 0, 0), -EFAULT);
}

CF_TEST(not_every_descriptor_can_be_read, 242, "Read of a directory -> -EISDIR; of a write-only or O_PATH fd -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	void *buf = cf_alloc(64, 0);
	int file = cf_make_file("f", 100, O_WRONLY);

	ck_assert_int_eq(run_rw(ring, RINGD_OP_READ, file, buf, 10, 0, 0), -EBADF);
	ck_assert_int_eq(run_rw(ring, RINGD_OP_READ, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), buf, 10, 0, 0), -EISDIR);
	/* such a one cannot be put into a slot either */
	rw(ring, RINGD_OP_READ, -1, buf, 10, 0, 0)->fd = open(cf_path("f"), O_PATH | O_CLOEXEC);
	ck_assert_int_eq(cf_run(ring), -EBADF);
}

CF_TEST(rw_flags_are_checked, 243,
	"Rw flag 0x1000 -> -EOPNOTSUPP; HIPRI on an ordinary ring -> -EINVAL; ATOMIC on an ordinary file read -> -EOPNOTSUPP")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	void *buf = cf_alloc(64, 0);
	int fd = cf_make_file("f", 100, O_RDONLY);

	ck_assert_int_eq(run_rw(ring, RINGD_OP_READ, fd, buf, 10, 0, 0x1000), -EOPNOTSUPP);
	ck_assert_int_eq(run_rw(ring, RINGD_OP_READ, fd, buf, 10, 0, RWF_HIPRI), -EINVAL);
	ck_assert_int_eq(run_rw(ring, RINGD_OP_READ, fd, buf, 10, 0, 0x40), -EOPNOTSUPP);
	ck_assert_int_eq(run_rw(ring, RINGD_OP_READ, fd, buf, 10, 0, RWF_APPEND | 0x20), -EINVAL);
}

CF_TEST(nowait_does_not_wait, 244, "RWF_NOWAIT read of an empty pipe -> -EAGAIN")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	ck_assert_int_eq(run_rw(ring, RINGD_OP_READ, fd[0], cf_alloc(64, 0), 10, 0, RWF_NOWAIT), -EAGAIN);
}

CF_TEST(o_nonblock_waits_all_the_same, 245, "Read of an empty O_NONBLOCK pipe without NOWAIT -> waits")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct cf_cqe cqe;
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
	cf_prep_rw(ring, RINGD_OP_READ, fd[0], cf_alloc(64, 0), 10, 0)->user_data = 1;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect_none(ring);
	ck_assert_int_eq(write(fd[1], "abc", 3), 3);
	cf_wait_cqe(ring, &cqe);
	ck_assert_int_eq(cqe.res, 3);
}

CF_TEST(a_long_read_is_one_cqe, 246, "1 MiB read of a 1 MiB cached or uncached file -> one CQE with the full count")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	unsigned char *buf = cf_alloc(1 << 20, 4096);
	int fd = cf_make_file("f", 1 << 20, O_RDONLY);

	for (int cached = 1; cached >= 0; cached--) {
		ck_assert_int_eq(run_rw(ring, RINGD_OP_READ, fd, buf, 1 << 20, 0, 0), 1 << 20);
		ck_assert_int_eq(buf[1000], 1000 % 251);
		cf_expect_none(ring);
		fdatasync(fd);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	}
}

CF_TEST(a_write_stops_at_the_file_size_limit, 247,
	"Write past RLIMIT_FSIZE -> partial count up to the limit, then -EFBIG, no signal to the client")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const struct rlimit limit = { .rlim_cur = 8192, .rlim_max = RLIM_INFINITY };
	int fd = cf_make_file("f", 0, O_RDWR);
	void *buf = cf_alloc(16384, 4096);

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	rw(ring, RINGD_OP_WRITE, fd, buf, 16384, 0, 0)->flags |= RINGD_SQE_ASYNC;
	ck_assert_int_eq(cf_run(ring), cf_on(CF_RINGD) ? 16384 : 8192);
	rw(ring, RINGD_OP_WRITE, fd, buf, 16384, 8192, 0)->flags |= RINGD_SQE_ASYNC;
	ck_assert_int_eq(cf_run(ring), cf_on(CF_RINGD) ? 16384 : -EFBIG);
}
CF_DIFFERS(a_write_stops_at_the_file_size_limit, CF_RINGD,
	   "the engine writes, under its own RLIMIT_FSIZE: that of a client's process is not known to it")

CF_TEST(a_pipe_without_reader_is_epipe, 248,
	"Write to a pipe without reader -> -EPIPE, no SIGPIPE with RWF_NOSIGNAL or the ASYNC flag")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	close(fd[0]);
	rw(ring, RINGD_OP_WRITE, fd[1], cf_in("x", 1), 1, 0, 0)->flags |= RINGD_SQE_ASYNC;
	ck_assert_int_eq(cf_run(ring), -EPIPE);
	ck_assert_int_eq(run_rw(ring, RINGD_OP_WRITE, fd[1], cf_in("x", 1), 1, 0, 0x100), -EPIPE);
}

static volatile sig_atomic_t sigpipes;

static void on_sigpipe(int sig)
{
	(void)sig;
	sigpipes++;
}

CF_TEST(an_inline_write_raises_sigpipe, 248, "Write to a pipe without reader -> -EPIPE, SIGPIPE to the submitting thread if attempted inline")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	signal(SIGPIPE, on_sigpipe);
	cf_pipe(fd);
	close(fd[0]);
	ck_assert_int_eq(run_rw(ring, RINGD_OP_WRITE, fd[1], cf_in("x", 1), 1, 0, 0), -EPIPE);
	ck_assert_int_eq(sigpipes, cf_on(CF_RINGD) ? 0 : 1);
}
CF_DIFFERS(an_inline_write_raises_sigpipe, CF_RINGD,
	   "the write happens in the engine's process: there is the error, but no signal to anybody")

CF_TEST(attributes_are_checked, 249,
	"Attr_type_mask 2 -> -EINVAL; mask 1 with rsvd non-zero -> -EINVAL; on a file without integrity support -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_attr_pi pi = { .rsvd = 0 };
	int fd = cf_make_file("f", 8192, O_RDONLY);
	void *buf = cf_alloc(4096, 4096);
	struct ringd_sqe *sqe;

	cf_need_feature(RINGD_FEAT_RW_ATTR);
	cf_prep_rw(ring, RINGD_OP_READ, fd, buf, 4096, 0)->attr_type_mask = 2;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	for (int rsvd = 1; rsvd >= 0; rsvd--) {
		pi.rsvd = (uint64_t)rsvd;
		sqe = cf_prep_rw(ring, RINGD_OP_READ, fd, buf, 4096, 0);
		sqe->attr_type_mask = 1;
		sqe->attr_ptr = cf_addr(cf_in(&pi, sizeof(pi)));
		ck_assert_int_eq(cf_run(ring), -EINVAL);
	}
	sqe = cf_prep_rw(ring, RINGD_OP_READ, fd, buf, 4096, 0);
	sqe->attr_type_mask = 1;
	sqe->attr_ptr = 16;
	ck_assert_int_eq(cf_run(ring), -EFAULT);
}

CF_TEST(async_writes_keep_their_order, 257, "Concurrent ASYNC writes to one file -> executed in submission order per inode")
{
	struct cf_ring *ring = cf_ring_new(64, 0);
	int fd = cf_make_file("f", 0, O_RDWR | O_APPEND);
	unsigned char *buf = cf_alloc(64, 0), back[64];
	struct cf_cqe cqe;

	for (int i = 0; i < 64; i++) {
		buf[i] = (unsigned char)i;
		cf_prep_rw(ring, RINGD_OP_WRITE, fd, buf + i, 1, 0)->flags |= RINGD_SQE_ASYNC;
	}
	ck_assert_int_eq(cf_submit(ring), 64);
	for (int i = 0; i < 64; i++) {
		cf_wait_cqe(ring, &cqe);
		ck_assert_int_eq(cqe.res, 1);
	}
	ck_assert_int_eq(pread(fd, back, 64, 0), 64);
	ck_assert_mem_eq(back, buf, 64);
}

CF_TEST(a_fixed_read_needs_its_buffer, 255,
	"Read_fixed without buffer table, with a hole, outside the buffer, or with index out of range -> -EFAULT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 100, O_RDONLY);
	char *buf = cf_alloc(8192, 4096);
	const struct iovec iov[2] = { { buf, 4096 }, { NULL, 0 } };
	static const struct {
		unsigned int index, off;
		int32_t res;
	} reads[] = { { 0, 0, 10 }, { 1, 0, -EFAULT }, { 2, 0, -EFAULT }, { 0, 4096, -EFAULT }, { 0, 4090, -EFAULT }, { 0, 4086, 10 } };

	cf_prep_rw(ring, RINGD_OP_READ_FIXED, fd, buf, 10, 0);
	ck_assert_int_eq(cf_run(ring), -EFAULT);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, iov, 2), 0);
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		cf_prep_rw(ring, RINGD_OP_READ_FIXED, fd, buf + reads[i].off, 10, 0)->buf_index = (uint16_t)reads[i].index;
		ck_assert_int_eq(cf_run(ring), reads[i].res);
	}
}

CF_TEST(what_an_iopoll_ring_refuses, 258, "Buffered read on an IOPOLL ring -> -EOPNOTSUPP; FSYNC on an IOPOLL ring -> -EINVAL")
{
	struct ringd_params p = { .flags = RINGD_SETUP_IOPOLL };
	struct cf_ring *ring;
	int fd = cf_make_file("f", 100, O_RDONLY), r;
	struct ringd_sqe *sqe;

	r = cf_ring_try(&ring, 8, &p);
	if (r == -EOPNOTSUPP && cf_on(CF_SYNC))
		return;
	ck_assert_int_eq(r, 0);
	cf_prep_rw(ring, RINGD_OP_READ, fd, cf_alloc(64, 0), 10, 0);
	ck_assert_int_eq(cf_run(ring), -EOPNOTSUPP);
	sqe = cf_sqe(ring, RINGD_OP_FSYNC);
	cf_sqe_fd(ring, sqe, fd);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
}
