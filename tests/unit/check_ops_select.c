/* SPDX-License-Identifier: GPL-2.0-or-later */
/* READ, READV and READ_MULTISHOT into provided buffers, PROVIDE_BUFFERS and REMOVE_BUFFERS; READV_FIXED and WRITEV_FIXED. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

#define BG	3
#define NR	8

static struct rd_testhost th;
static struct rd_testclient c;
static int p[2] = { -1, -1 };
static int file = -1;
static char *data;
static struct ringd_buf *ring;

static void setup(unsigned int backend)
{
	char name[] = "/tmp/ringd-select.XXXXXX";

	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	file = mkstemp(name);
	ck_assert_int_ge(file, 0);
	unlink(name);
	ck_assert_int_eq(write(file, "hello world", 11), 11);
	data = rd_th_alloc(&th, 65536);
	ring = rd_th_alloc(&th, 4096);
}

static void setup_sync(void)
{
	setup(RD_BACKEND_SYNC);
}

static void setup_uring(void)
{
	setup(RD_BACKEND_URING);
}

static void close_write_end(void)
{
	if (p[1] >= 0)
		close(p[1]);
	p[1] = -1;
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	close(p[0]);
	close_write_end();
	close(file);
}

/* --- helpers --- */

/* A ring group of NR entries of len bytes, bids 50, 51, ... all provided. */
static void make_ring(uint16_t flags, uint32_t len)
{
	struct ringd_buf_reg reg = { .ring_entries = NR, .bgid = BG, .flags = flags };

	for (unsigned int i = 0; i < NR; i++) {
		ring[i].addr = (uintptr_t)data + i * 1024;
		ring[i].len = len;
		ring[i].bid = (uint16_t)(50 + i);
	}
	__atomic_store_n(&ring[0].resv, NR, __ATOMIC_RELEASE);
	ck_assert_int_eq(rd_bufgroups_add_ring(&c.ring->ctx.groups, &th.engine.user, &reg, ring, &th.mem), 0);
}

static int head(void)
{
	return rd_bufgroups_head(c.ring->ctx.groups, BG);
}

static struct ringd_sqe *provide(int nr, uint32_t len, uint64_t bid)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_PROVIDE_BUFFERS);

	sqe->fd = nr;
	sqe->addr = (uintptr_t)data;
	sqe->len = len;
	sqe->off = bid;
	sqe->buf_group = BG;
	return sqe;
}

static struct ringd_sqe *remove_bufs(int nr)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_REMOVE_BUFFERS);

	sqe->fd = nr;
	sqe->buf_group = BG;
	return sqe;
}

static struct ringd_sqe *reader(uint8_t opcode, int fd, uint32_t len, uint64_t off)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = fd;
	sqe->len = len;
	sqe->off = off;
	sqe->flags = RINGD_SQE_BUFFER_SELECT;
	sqe->buf_group = BG;
	return sqe;
}

static uint32_t used(uint16_t bid)
{
	return RINGD_CQE_F_BUFFER | (uint32_t)bid << RINGD_CQE_BUFFER_SHIFT;
}

static void next_is(int32_t res, uint32_t flags)
{
	struct ringd_cqe cqe = rd_tc_wait(&c);

	ck_assert_int_eq(cqe.res, res);
	ck_assert_uint_eq(cqe.flags, flags);
}

static void gives(int32_t res, uint32_t flags)
{
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(res, flags);
}

static void waits(void)
{
	uint32_t n = c.unsubmitted;

	ck_assert_int_eq(rd_tc_submit(&c), (int32_t)n);
	rd_tc_expect_none(&c);
}

static void put(const char *s)
{
	ck_assert_int_eq(write(p[1], s, strlen(s)), (ssize_t)strlen(s));
}

static struct ringd_sqe *cancel(uint64_t user_data)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);

	sqe->addr = user_data;
	return sqe;
}

/* --- PROVIDE_BUFFERS, REMOVE_BUFFERS --- */

START_TEST(provide_rules)
{
	provide(0, 16, 0);
	gives(-E2BIG, 0);
	provide(65537, 16, 0);
	gives(-E2BIG, 0);
	provide(-1, 16, 0);
	gives(-E2BIG, 0);
	provide(1, 16, 65536);
	gives(-E2BIG, 0);
	provide(1, 16, UINT64_MAX);
	gives(-E2BIG, 0);
	provide(2, 16, 65535);
	gives(-EINVAL, 0);
	provide(1, 0, 0);
	gives(-EINVAL, 0);
	provide(1, 16, 0)->addr = UINT64_MAX - 7;
	gives(-EOVERFLOW, 0);
	provide(1, 16, 0)->addr = 4096;
	gives(-EFAULT, 0);
	provide(65536, RD_TH_ARENA / 65536 + 1, 0);
	gives(-EFAULT, 0);
	provide(1, 16, 0)->rw_flags = 1;
	gives(-EINVAL, 0);
	provide(1, 16, 0)->splice_fd_in = 1;
	gives(-EINVAL, 0);
	provide(1, 16, 65535);
	gives(0, 0);
}
END_TEST

START_TEST(remove_rules)
{
	remove_bufs(1);
	gives(-ENOENT, 0);
	provide(3, 16, 0);
	gives(0, 0);
	remove_bufs(0);
	gives(-EINVAL, 0);
	remove_bufs(65537);
	gives(-EINVAL, 0);
	remove_bufs(1)->addr = 1;
	gives(-EINVAL, 0);
	remove_bufs(1)->len = 1;
	gives(-EINVAL, 0);
	remove_bufs(1)->off = 1;
	gives(-EINVAL, 0);
	remove_bufs(1)->rw_flags = 1;
	gives(-EINVAL, 0);
	remove_bufs(1)->splice_fd_in = 1;
	gives(-EINVAL, 0);
	remove_bufs(10);
	gives(3, 0);
	remove_bufs(10);
	gives(0, 0);
}
END_TEST

START_TEST(a_ring_group_is_not_provided_to)
{
	make_ring(0, 16);
	provide(1, 16, 0);
	gives(-EINVAL, 0);
	remove_bufs(1);
	gives(-EINVAL, 0);
}
END_TEST

/* --- READ and READV --- */

START_TEST(a_regular_file_is_read_into_the_next_buffer)
{
	make_ring(0, 6);
	reader(RINGD_OP_READ, file, 0, 0);	/* length 0: all of the buffer */
	gives(6, used(50));
	ck_assert_mem_eq(data, "hello ", 6);
	reader(RINGD_OP_READ, file, 3, 6)->addr = 1;	/* the address means nothing */
	gives(3, used(51));
	ck_assert_mem_eq(data + 1024, "wor", 3);
	ck_assert_int_eq(head(), 2);
}
END_TEST

START_TEST(a_classic_buffer_is_used_once)
{
	provide(2, 16, 7);
	gives(0, 0);
	put("abc");
	reader(RINGD_OP_READ, p[0], 0, 0);
	gives(3, used(7));
	ck_assert_mem_eq(data, "abc", 3);
	reader(RINGD_OP_READ, p[0], 4, 0);
	waits();	/* it has given its buffer back: the next one gets it */
	reader(RINGD_OP_READ, file, 4, 0);
	gives(4, used(8));
	put("late");
	next_is(-ENOBUFS, 0);
}
END_TEST

START_TEST(readv_needs_one_segment_and_ignores_its_base)
{
	struct iovec *v = rd_th_alloc(&th, 2 * sizeof(*v));
	struct ringd_sqe *sqe;

	make_ring(0, 16);
	v[0] = (struct iovec){ (void *)1, 4 };
	for (uint32_t nr = 0; nr <= 2; nr += 2) {
		reader(RINGD_OP_READV, file, nr, 0)->addr = (uintptr_t)v;
		gives(-EINVAL, 0);
	}
	sqe = reader(RINGD_OP_READV, file, 1, 0);
	sqe->addr = (uintptr_t)v;
	gives(4, used(50));
	ck_assert_mem_eq(data, "hell", 4);
	ck_assert_ptr_eq(v[0].iov_base, (void *)1);
	v[0].iov_len = 0;
	reader(RINGD_OP_READV, file, 1, 0)->addr = (uintptr_t)v;
	gives(11, used(51));
}
END_TEST

START_TEST(no_group_and_no_buffer_are_enobufs)
{
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(-ENOBUFS, 0);
	reader(RINGD_OP_READ, file, 4, 0);
	gives(-ENOBUFS, 0);
	provide(1, 16, 0);
	gives(0, 0);
	remove_bufs(1);
	gives(1, 0);
	reader(RINGD_OP_READ, file, 4, 0);
	gives(-ENOBUFS, 0);
}
END_TEST

START_TEST(others_do_not_select)
{
	reader(RINGD_OP_WRITE, p[1], 4, 0);
	gives(-EOPNOTSUPP, 0);
	reader(RINGD_OP_READ_FIXED, p[0], 4, 0);
	gives(-EOPNOTSUPP, 0);
	reader(RINGD_OP_READV_FIXED, p[0], 4, 0);
	gives(-EOPNOTSUPP, 0);
}
END_TEST

START_TEST(an_entry_is_not_used_before_there_is_data)
{
	make_ring(0, 16);
	reader(RINGD_OP_READ, p[0], 4, 0);
	waits();
	ck_assert_int_eq(head(), 0);
	reader(RINGD_OP_READ, file, 4, 0);
	gives(4, used(50));
	put("abcdef");
	next_is(4, used(51));
	ck_assert_int_eq(head(), 2);
}
END_TEST

START_TEST(a_cancelled_wait_uses_nothing)
{
	make_ring(0, 16);
	reader(RINGD_OP_READ, p[0], 4, 0);
	waits();
	cancel(c.user_data);
	gives(0, 0);
	next_is(-ECANCELED, 0);
	ck_assert_int_eq(head(), 0);
}
END_TEST

START_TEST(the_end_of_a_file_uses_a_buffer)
{
	make_ring(0, 16);
	reader(RINGD_OP_READ, file, 4, 100);
	gives(0, used(50));
	close_write_end();
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(0, used(51));
	ck_assert_int_eq(head(), 2);
}
END_TEST

START_TEST(an_error_uses_a_buffer_where_nothing_can_be_waited_for)
{
	int dir = open("/tmp", O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char name[64];
	int writable;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	writable = open(name, O_WRONLY | O_CLOEXEC);
	make_ring(0, 16);
	reader(RINGD_OP_READ, writable, 4, 0);
	gives(-EBADF, used(50));
	reader(RINGD_OP_READ, dir, 4, 0);
	gives(-EISDIR, used(51));
	ck_assert_int_eq(head(), 2);
	reader(RINGD_OP_READ, p[1], 4, 0);
	gives(-EBADF, 0);
	ck_assert_int_eq(head(), 2);
	close(dir);
	close(null);
	close(writable);
}
END_TEST

START_TEST(a_bad_entry_is_met_again_on_a_file_that_waits)
{
	make_ring(0, 16);
	ring[0].addr = 8;
	put("abc");
	for (int i = 0; i < 2; i++) {
		reader(RINGD_OP_READ, p[0], 4, 0);
		gives(-EFAULT, 0);
	}
	reader(RINGD_OP_READ, file, 4, 0);
	gives(-EFAULT, used(50));
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(3, used(51));
}
END_TEST

START_TEST(what_goes_to_a_worker_has_used_its_buffer)
{
	make_ring(0, 16);
	reader(RINGD_OP_READ, file, 4, 0)->flags |= RINGD_SQE_ASYNC;
	reader(RINGD_OP_READ, file, 4, 4)->flags |= RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	ck_assert_int_eq(head(), 2);
	for (int i = 0; i < 2; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);

		ck_assert_int_eq(cqe.res, 4);
		ck_assert_uint_eq(cqe.flags, used((uint16_t)(50 + cqe.user_data - 1)));
	}
	ck_assert_mem_eq(data, "hell", 4);
	ck_assert_mem_eq(data + 1024, "o wo", 4);
}
END_TEST

START_TEST(a_group_that_goes_leaves_those_that_have_a_buffer_alone)
{
	make_ring(0, 16);
	reader(RINGD_OP_READ, p[0], 4, 0);
	waits();
	reader(RINGD_OP_READ, file, 4, 0)->flags |= RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	ck_assert_int_eq(rd_bufgroups_remove_ring(c.ring->ctx.groups, BG), 0);
	next_is(4, used(50));
	put("abc");
	next_is(-ENOBUFS, 0);
}
END_TEST

START_TEST(two_groups_are_independent)
{
	make_ring(0, 16);
	provide(1, 16, 9)->buf_group = BG + 1;
	gives(0, 0);
	reader(RINGD_OP_READ, file, 4, 0)->buf_group = BG + 1;
	gives(4, used(9));
	reader(RINGD_OP_READ, file, 4, 0)->buf_group = BG + 1;
	gives(-ENOBUFS, 0);
	reader(RINGD_OP_READ, file, 4, 0);
	gives(4, used(50));
}
END_TEST

START_TEST(an_incremental_buffer_holds_several_reads)
{
	make_ring(RINGD_PBUF_RING_INC, 10);
	put("abcdefghijkl");
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(4, used(50) | RINGD_CQE_F_BUF_MORE);
	ck_assert_int_eq(head(), 0);
	ck_assert_uint_eq(ring[0].len, 6);
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(4, used(50) | RINGD_CQE_F_BUF_MORE);
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(2, used(50));
	ck_assert_int_eq(head(), 1);
	ck_assert_mem_eq(data, "abcdefghij", 10);
	reader(RINGD_OP_READ, file, 4, 100);
	gives(0, used(51) | RINGD_CQE_F_BUF_MORE);
	ck_assert_uint_eq(ring[1].len, 10);
	reader(RINGD_OP_READ, file, 4, 9);
	gives(2, used(51) | RINGD_CQE_F_BUF_MORE);
	ck_assert_uint_eq(ring[1].len, 8);
}
END_TEST

START_TEST(the_data_may_overwrite_the_ring_it_was_selected_from)
{
	make_ring(0, 16);
	ring[0].addr = (uintptr_t)ring;
	put("0123456789abcdef");
	reader(RINGD_OP_READ, p[0], 0, 0);
	gives(16, used(50));
	ck_assert_int_eq(head(), 1);
}
END_TEST

START_TEST(a_short_read_into_a_buffer_breaks_a_chain)
{
	make_ring(0, 16);
	reader(RINGD_OP_READ, file, 4, 0)->flags |= RINGD_SQE_IO_LINK;
	reader(RINGD_OP_READ, file, 0, 0)->flags |= RINGD_SQE_IO_LINK;	/* 11 of 16 */
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 3);
	next_is(4, used(50));
	next_is(11, used(51));
	next_is(-ECANCELED, 0);
}
END_TEST

START_TEST(what_is_closed_under_a_wait_gives_the_buffer_only_with_a_result)
{
	make_ring(0, 16);
	reader(RINGD_OP_READ, p[0], 4, 0);
	waits();
	close_write_end();
	next_is(0, used(50));
}
END_TEST

START_TEST(a_dying_ring_lets_go_of_everything)
{
	make_ring(0, 16);
	for (int i = 0; i < 3; i++)
		reader(RINGD_OP_READ, p[0], 4, 0);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0);
	waits();
	reader(RINGD_OP_READ, file, 4, 0)->flags |= RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	rd_tc_close(&c);
	rd_th_settle(&th);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

/* --- READ_MULTISHOT --- */

START_TEST(multishot_rules)
{
	make_ring(0, 16);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0)->flags = 0;
	gives(-EINVAL, 0);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 4, 0);
	gives(-EINVAL, 0);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0)->addr = (uintptr_t)data;
	gives(-EINVAL, 0);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0)->ioprio = 1;
	gives(-EINVAL, 0);
	reader(RINGD_OP_READ_MULTISHOT, file, 0, 0);
	gives(-EBADFD, 0);
	ck_assert_int_eq(head(), 0);
}
END_TEST

START_TEST(multishot_reads_until_the_end)
{
	make_ring(0, 4);
	put("abcdef");
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, UINT64_MAX);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(4, used(50) | RINGD_CQE_F_MORE);
	next_is(2, used(51) | RINGD_CQE_F_MORE);
	rd_tc_expect_none(&c);
	put("xyz");
	next_is(3, used(52) | RINGD_CQE_F_MORE);
	ck_assert_int_eq(head(), 3);
	close_write_end();
	next_is(0, 0);
	ck_assert_int_eq(head(), 3);
}
END_TEST

START_TEST(multishot_ends_without_buffers)
{
	make_ring(0, 1);
	put("0123456789");
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	for (uint16_t i = 0; i < NR; i++)
		next_is(1, used((uint16_t)(50 + i)) | RINGD_CQE_F_MORE);
	next_is(-ENOBUFS, 0);
	ck_assert_int_eq(read(p[0], data, 10), 2);
}
END_TEST

START_TEST(multishot_waits_without_a_buffer)
{
	provide(1, 16, 70);
	gives(0, 0);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0);
	waits();
	put("abc");
	next_is(3, used(70) | RINGD_CQE_F_MORE);
	rd_tc_expect_none(&c);
	provide(1, 16, 71);
	gives(0, 0);
	put("de");
	next_is(2, used(71) | RINGD_CQE_F_MORE);
	rd_tc_expect_none(&c);
	put("f");
	next_is(-ENOBUFS, 0);
}
END_TEST

START_TEST(multishot_is_cancelled_once)
{
	make_ring(0, 16);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0);
	waits();
	put("a");
	next_is(1, used(50) | RINGD_CQE_F_MORE);
	cancel(c.user_data);
	gives(0, 0);
	next_is(-ECANCELED, 0);
	put("b");
	rd_tc_expect_none(&c);
	ck_assert_int_eq(head(), 1);
}
END_TEST

START_TEST(multishot_ends_with_its_data_when_the_cq_is_full)
{
	uint32_t cq = c.layout.cq_entries;
	char *zeros = calloc(1, cq + 8);

	provide(65536, 1, 0);
	gives(0, 0);
	ck_assert_int_eq(write(p[1], zeros, cq + 8), (ssize_t)cq + 8);
	free(zeros);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	for (int i = 0; i < 50; i++)
		rd_th_turn(&th);	/* it has its turns, nobody reaps */
	for (uint32_t i = 0; i < cq; i++)
		next_is(1, used((uint16_t)i) | RINGD_CQE_F_MORE);
	rd_tc_submit(&c);	/* flushes */
	next_is(1, used((uint16_t)cq));
	rd_tc_expect_none(&c);
	ck_assert_int_eq(read(p[0], data, 100), 7);
}
END_TEST

START_TEST(multishot_lets_others_have_their_turn)
{
	provide(65536, 1, 0);
	gives(0, 0);
	for (int i = 0; i < 100; i++)
		put("x");
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0);
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	for (uint16_t i = 0; i < 32; i++)
		next_is(1, used(i) | RINGD_CQE_F_MORE);
	next_is(0, 0);	/* the NOP */
	for (uint16_t i = 32; i < 100; i++)
		next_is(1, used(i) | RINGD_CQE_F_MORE);
}
END_TEST

START_TEST(multishot_reads_unix_sockets_on_workers)
{
	int sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	make_ring(0, 16);
	reader(RINGD_OP_READ_MULTISHOT, sv[0], 0, 0);
	waits();
	ck_assert_int_eq(head(), 0);
	for (uint16_t i = 0; i < 3; i++) {
		ck_assert_int_eq(write(sv[1], "abc", 3), 3);
		next_is(3, used((uint16_t)(50 + i)) | RINGD_CQE_F_MORE);
	}
	ck_assert_uint_eq(th.engine.stats.punted, 3);
	close(sv[1]);
	next_is(0, used(53));	/* the worker had taken it */
	close(sv[0]);
}
END_TEST

START_TEST(multishot_counts_an_eventfd)
{
	int efd = eventfd(1, EFD_CLOEXEC);
	uint64_t one = 1;

	make_ring(0, 16);
	reader(RINGD_OP_READ_MULTISHOT, efd, 0, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(8, used(50) | RINGD_CQE_F_MORE);
	rd_tc_expect_none(&c);
	ck_assert_int_eq(write(efd, &one, 8), 8);
	next_is(8, used(51) | RINGD_CQE_F_MORE);
	rd_tc_close(&c);
	close(efd);
}
END_TEST

START_TEST(multishot_on_a_lazy_ring)
{
	struct ringd_cqe cqe;

	rd_tc_close(&c);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL | RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN);
	make_ring(0, 4);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0);
	waits();
	put("abcdef");
	while (rd_list_empty(&c.ring->ctx.tasks))
		rd_th_turn(&th);
	ck_assert_int_eq(head(), 0);	/* nothing is taken before its time */
	ck_assert(!rd_tc_peek(&c, &cqe));
	rd_tc_submit(&c);
	next_is(4, used(50) | RINGD_CQE_F_MORE);
	next_is(2, used(51) | RINGD_CQE_F_MORE);
	put("x");
	while (rd_list_empty(&c.ring->ctx.tasks))
		rd_th_turn(&th);
	rd_tc_close(&c);
	rd_th_settle(&th);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

/* --- READV_FIXED, WRITEV_FIXED --- */

static struct ringd_sqe *fixed(uint8_t opcode, const struct iovec *v, uint32_t nr)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = file;
	sqe->addr = (uintptr_t)v;
	sqe->len = nr;
	return sqe;
}

START_TEST(vectors_inside_a_registered_buffer)
{
	struct iovec *v = rd_th_alloc(&th, 3 * sizeof(*v));

	v[0] = (struct iovec){ data + 100, 5 };
	v[1] = (struct iovec){ data, 6 };
	fixed(RINGD_OP_READV_FIXED, v, 2);
	gives(-EFAULT, 0);	/* no table */
	rd_tc_bufs(&c, 2);
	fixed(RINGD_OP_READV_FIXED, v, 2);
	gives(-EFAULT, 0);	/* a hole */
	rd_tc_buf(&c, 0, data, 4096, 0);
	fixed(RINGD_OP_READV_FIXED, v, 2)->buf_index = 2;
	gives(-EFAULT, 0);
	fixed(RINGD_OP_READV_FIXED, v, 2);
	gives(11, 0);
	ck_assert_mem_eq(data + 100, "hello", 5);
	ck_assert_mem_eq(data, " world", 6);
	memcpy(data + 100, "HELLO", 5);
	fixed(RINGD_OP_WRITEV_FIXED, v, 1)->off = 20;
	gives(5, 0);
	ck_assert_int_eq(pread(file, data + 200, 5, 20), 5);
	ck_assert_mem_eq(data + 200, "HELLO", 5);
	fixed(RINGD_OP_READV_FIXED, v, 2)->flags = RINGD_SQE_ASYNC;
	gives(11, 0);
}
END_TEST

START_TEST(a_fixed_vector_has_no_empty_and_no_outer_segment)
{
	struct iovec *v = rd_th_alloc(&th, 1025 * sizeof(*v));

	rd_tc_bufs(&c, 1);
	rd_tc_buf(&c, 0, data, 4096, 0);
	v[0] = (struct iovec){ data, 4 };
	v[1] = (struct iovec){ data + 4, 0 };
	fixed(RINGD_OP_READV_FIXED, v, 2);
	gives(-EFAULT, 0);
	fixed(RINGD_OP_READV_FIXED, v + 1, 1);
	gives(-EFAULT, 0);
	v[1] = (struct iovec){ data + 4093, 4 };
	fixed(RINGD_OP_READV_FIXED, v, 2);
	gives(-EFAULT, 0);
	fixed(RINGD_OP_READV_FIXED, v, 1025);
	gives(-EINVAL, 0);
	fixed(RINGD_OP_READV_FIXED, (void *)1, 2);
	gives(-EFAULT, 0);
	fixed(RINGD_OP_READV_FIXED, v, 0);
	gives(0, 0);
}
END_TEST

/* --- a client that lies --- */

START_TEST(tails_and_entries_that_change_all_the_time)
{
	unsigned int seed = 1;
	int32_t res;

	make_ring(RINGD_PBUF_RING_INC, 16);
	for (int i = 0; i < 20000; i++) {
		unsigned int k = (unsigned int)rand_r(&seed);

		ring[k % NR].addr = k & 0x100 ? (uintptr_t)data + k % 60000 : k;
		ring[(k >> 9) % NR].len = k & 0x200 ? (uint32_t)k : k % 32;
		__atomic_store_n(&ring[0].resv, (uint16_t)(k >> 3), __ATOMIC_RELEASE);
		reader(RINGD_OP_READ, file, k & 0x400 ? 5 : 0, 0);
		ck_assert_int_eq(rd_tc_submit(&c), 1);
		res = rd_tc_wait(&c).res;
		ck_assert(res == -EFAULT || res == -ENOBUFS || (res >= 0 && res <= 11));
	}
}
END_TEST

START_TEST(thousands_of_groups)
{
	for (unsigned int i = 0; i < 5000; i++) {
		provide(1, 16, i)->buf_group = (uint16_t)(i * 13);
		gives(0, 0);
	}
	for (unsigned int i = 0; i < 5000; i++) {
		reader(RINGD_OP_READ, file, 1, 0)->buf_group = (uint16_t)(i * 13);
		gives(1, used((uint16_t)i));
	}
}
END_TEST

START_TEST(over_budget_nothing_is_kept)
{
	uint64_t objects = th.engine.user.used[RINGD_LIMIT_OBJECTS];

	th.engine.user.limit[RINGD_LIMIT_OBJECTS] = objects;
	provide(1, 16, 0);
	gives(-EDQUOT, 0);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_OBJECTS], objects);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		provide_rules, remove_rules, a_ring_group_is_not_provided_to, a_regular_file_is_read_into_the_next_buffer,
		a_classic_buffer_is_used_once, readv_needs_one_segment_and_ignores_its_base, no_group_and_no_buffer_are_enobufs,
		others_do_not_select, an_entry_is_not_used_before_there_is_data, a_cancelled_wait_uses_nothing,
		the_end_of_a_file_uses_a_buffer, an_error_uses_a_buffer_where_nothing_can_be_waited_for,
		a_bad_entry_is_met_again_on_a_file_that_waits, what_goes_to_a_worker_has_used_its_buffer,
		a_group_that_goes_leaves_those_that_have_a_buffer_alone, two_groups_are_independent,
		an_incremental_buffer_holds_several_reads, the_data_may_overwrite_the_ring_it_was_selected_from,
		a_short_read_into_a_buffer_breaks_a_chain, what_is_closed_under_a_wait_gives_the_buffer_only_with_a_result,
		a_dying_ring_lets_go_of_everything, multishot_rules, multishot_reads_until_the_end, multishot_ends_without_buffers,
		multishot_waits_without_a_buffer, multishot_is_cancelled_once,
		multishot_ends_with_its_data_when_the_cq_is_full,
		multishot_lets_others_have_their_turn, multishot_reads_unix_sockets_on_workers, multishot_counts_an_eventfd,
		multishot_on_a_lazy_ring, vectors_inside_a_registered_buffer, a_fixed_vector_has_no_empty_and_no_outer_segment,
		tails_and_entries_that_change_all_the_time, thousands_of_groups, over_budget_nothing_is_kept,
	};
	Suite *s = suite_create("ops_select");
	TCase *sync = tcase_create("back end sync"), *uring = tcase_create("back end uring");
	bool have_uring = rd_th_backend_works(RD_BACKEND_URING);

	tcase_add_checked_fixture(sync, setup_sync, teardown);
	tcase_add_checked_fixture(uring, setup_uring, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++) {
		tcase_add_test(sync, tests[i]);
		tcase_add_test(uring, tests[i]);
	}
	suite_add_tcase(s, sync);
	if (have_uring)
		suite_add_tcase(s, uring);
	return rd_suite_main(s);
}
