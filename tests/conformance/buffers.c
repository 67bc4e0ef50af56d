/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Provided buffers and regions */
#include "cf.h"

#define BG	5
#define NR	8u
#define PAGE	4096u

static struct cf_ring *ring;
static struct ringd_buf *br;
static char *data;
static int p[2];

/* --- helpers --- */

static void begin(void)
{
	ring = cf_ring_new(16, 0);
	data = cf_alloc(16 * PAGE, PAGE);
	cf_pipe(p);
}

static int reg_ring(const void *addr, uint32_t entries, uint16_t bgid, uint16_t flags, uint32_t min_left)
{
	struct ringd_buf_reg reg = {
		.ring_addr = cf_addr(addr), .ring_entries = entries, .bgid = bgid, .flags = flags, .min_left = min_left,
	};

	return cf_register(ring, RINGD_REGISTER_PBUF_RING, &reg, 1);
}

static int unreg_ring(uint16_t bgid)
{
	struct ringd_buf_reg reg = { .bgid = bgid };

	return cf_register(ring, RINGD_UNREGISTER_PBUF_RING, &reg, 1);
}

static void need_inc(void)
{
	void *mem = cf_alloc(PAGE, PAGE);

	if (reg_ring(mem, 1, 60000, RINGD_PBUF_RING_INC, 0) == -EINVAL && cf_on(CF_KERNEL))
		cf_skip("no incremental rings here");
	unreg_ring(60000);
}

/* A ring group of NR entries; entry i is len bytes at data + i * 1024 with bid 100 + i; n of them provided. */
static void make_ring(uint16_t flags, uint32_t min_left, uint32_t len, uint16_t n)
{
	br = cf_alloc(PAGE, PAGE);
	for (unsigned int i = 0; i < NR; i++)
		br[i] = (struct ringd_buf){ .addr = cf_addr(data + i * 1024), .len = len, .bid = (uint16_t)(100 + i) };
	br[0].resv = n;
	ck_assert_int_eq(reg_ring(br, NR, BG, flags, min_left), 0);
}

static int head_of(uint16_t bgid)
{
	struct ringd_buf_status status = { .buf_group = bgid };
	int r = cf_register(ring, RINGD_REGISTER_PBUF_STATUS, &status, 1);

	return r < 0 ? r : (int)status.head;
}

static void head_is(int head)
{
	ck_assert_int_eq(head_of(BG), head);
}

static struct ringd_sqe *provide(int nr, uint32_t len, uint64_t bid)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_PROVIDE_BUFFERS);

	sqe->fd = nr;
	sqe->addr = cf_addr(data);
	sqe->len = len;
	sqe->off = bid;
	sqe->buf_group = BG;
	return sqe;
}

static int remove_bufs(int nr, uint16_t bgid)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_REMOVE_BUFFERS);

	sqe->fd = nr;
	sqe->buf_group = bgid;
	return cf_run(ring);
}

static struct ringd_sqe *reader(unsigned int op, int fd, uint32_t len, uint64_t off)
{
	struct ringd_sqe *sqe = cf_sqe(ring, op);

	sqe->len = len;
	sqe->off = off;
	sqe->buf_group = BG;
	sqe->flags = RINGD_SQE_BUFFER_SELECT;
	cf_sqe_fd(ring, sqe, fd);
	return sqe;
}

static uint32_t used(uint16_t bid)
{
	return RINGD_CQE_F_BUFFER | (uint32_t)bid << RINGD_CQE_BUFFER_SHIFT;
}

static void gives(int32_t res, uint32_t flags)
{
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 0, res, flags);
}

static void put(const char *s)
{
	ck_assert_int_eq(write(p[1], s, strlen(s)), (ssize_t)strlen(s));
}

/* --- reads --- */

CF_TEST(read_with_length_0_uses_the_whole_buffer, 250, "Read with BUFFER_SELECT and len 0 -> whole buffer used")
{
	begin();
	make_ring(0, 0, 6, NR);
	reader(RINGD_OP_READ, cf_make_file("f", 100, O_RDONLY), 0, 10);
	gives(6, used(100));
	ck_assert_int_eq(data[0], 10);
}

CF_TEST(readv_with_2_segments_cannot_select, 251, "Readv with BUFFER_SELECT and 2 segments -> -EINVAL")
{
	struct iovec v[2];

	begin();
	make_ring(0, 0, 6, NR);
	v[0] = v[1] = (struct iovec){ data, 4 };
	reader(RINGD_OP_READV, cf_make_file("f", 100, O_RDONLY), 2, 0)->addr = cf_addr(cf_in(v, sizeof(v)));
	gives(-EINVAL, 0);
}

CF_TEST(write_cannot_select, 252, "Write with BUFFER_SELECT -> -EOPNOTSUPP")
{
	begin();
	reader(RINGD_OP_WRITE, p[1], 4, 0);
	gives(-EOPNOTSUPP, 0);
}

CF_TEST(read_multishot_rules, 253, "READ_MULTISHOT without BUFFER_SELECT, with len or addr -> -EINVAL; on a regular file -> -EBADFD")
{
	begin();
	make_ring(0, 0, 16, NR);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0)->flags &= (uint8_t)~RINGD_SQE_BUFFER_SELECT;
	gives(-EINVAL, 0);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 4, 0);
	gives(-EINVAL, 0);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0)->addr = cf_addr(data);
	gives(-EINVAL, 0);
	reader(RINGD_OP_READ_MULTISHOT, cf_make_file("f", 100, O_RDONLY), 0, 0);
	gives(-EBADFD, 0);
}

CF_TEST(read_multishot_ends_with_its_pipe, 254, "READ_MULTISHOT on a pipe, writer closes -> 0 without F_MORE and without buffer")
{
	begin();
	make_ring(0, 0, 4, NR);
	put("abcdef");
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 0, 4, used(100) | RINGD_CQE_F_MORE);
	cf_expect(ring, 0, 2, used(101) | RINGD_CQE_F_MORE);
	cf_expect_none(ring);
	put("x");
	cf_expect(ring, 0, 1, used(102) | RINGD_CQE_F_MORE);
	close(p[1]);
	cf_expect(ring, 0, 0, 0);
	head_is(3);
}

CF_TEST(read_multishot_waits_without_a_buffer, 254, "READ_MULTISHOT whose last buffer is used, pipe empty -> it waits; with data -> -ENOBUFS")
{
	begin();
	make_ring(0, 0, 4, 1);
	reader(RINGD_OP_READ_MULTISHOT, p[0], 0, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	put("abc");
	cf_expect(ring, 0, 3, used(100) | RINGD_CQE_F_MORE);
	cf_expect_none(ring);
	__atomic_store_n(&br[0].resv, 2, __ATOMIC_RELEASE);
	put("de");
	cf_expect(ring, 0, 2, used(101) | RINGD_CQE_F_MORE);
	put("f");
	cf_expect(ring, 0, -ENOBUFS, 0);
	head_is(2);
}

/* --- classic groups --- */

CF_TEST(provide_rules, 398, "Provide with nr 0 or first bid 65536 -> -E2BIG; bid 65535 with nr 2, len 0 -> -EINVAL")
{
	begin();
	provide(0, 16, 0);
	gives(-E2BIG, 0);
	provide(65537, 16, 0);
	gives(-E2BIG, 0);
	provide(1, 16, 65536);
	gives(-E2BIG, 0);
	provide(2, 16, 65535);
	gives(-EINVAL, 0);
	provide(1, 0, 0);
	gives(-EINVAL, 0);
	provide(1, 16, 65535);
	gives(0, 0);
}

CF_TEST(remove_rules, 399, "Remove from an unknown group -> -ENOENT; 10 from a group of 3 -> 3; from an emptied group -> 0")
{
	begin();
	ck_assert_int_eq(remove_bufs(1, BG), -ENOENT);
	provide(3, 16, 0);
	gives(0, 0);
	ck_assert_int_eq(remove_bufs(10, BG), 3);
	ck_assert_int_eq(remove_bufs(10, BG), 0);
}

CF_TEST(a_ring_group_is_not_filled_by_requests, 400, "Provide or remove on a ring group -> -EINVAL")
{
	begin();
	make_ring(0, 0, 16, NR);
	provide(1, 16, 0);
	gives(-EINVAL, 0);
	ck_assert_int_eq(remove_bufs(1, BG), -EINVAL);
}

CF_TEST(a_read_without_a_group_or_a_buffer_is_enobufs, 401, "Read from an unknown or an empty group -> -ENOBUFS")
{
	int f;

	begin();
	f = cf_make_file("f", 100, O_RDONLY);
	reader(RINGD_OP_READ, f, 4, 0);
	gives(-ENOBUFS, 0);
	make_ring(0, 0, 16, 0);
	reader(RINGD_OP_READ, f, 4, 0);
	gives(-ENOBUFS, 0);
}

/* --- registering rings --- */

CF_TEST(ring_registration_errors, 402, "3, 0 or 65536 entries -> -EINVAL; NULL -> -EFAULT; unaligned -> -EINVAL; unmapped -> -EFAULT")
{
	void *gone;

	begin();
	br = cf_alloc(PAGE, PAGE);
	ck_assert_int_eq(reg_ring(br, 3, BG, 0, 0), -EINVAL);
	ck_assert_int_eq(reg_ring(br, 0, BG, 0, 0), -EINVAL);
	ck_assert_int_eq(reg_ring(br, 65536, BG, 0, 0), -EINVAL);
	ck_assert_int_eq(reg_ring(NULL, 4, BG, 0, 0), -EFAULT);
	ck_assert_int_eq(reg_ring((char *)br + 16, 4, BG, 0, 0), -EINVAL);
	gone = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(gone, PAGE);
	ck_assert_int_eq(reg_ring(gone, 4, BG, 0, 0), -EFAULT);
}

CF_TEST(a_ring_takes_the_place_of_an_empty_group, 403, "Ring registration over an existing ring -> -EEXIST; over an empty classic group -> 0")
{
	begin();
	provide(1, 16, 0);
	gives(0, 0);
	br = cf_alloc(PAGE, PAGE);
	ck_assert_int_eq(reg_ring(br, NR, BG, 0, 0), -EEXIST);
	ck_assert_int_eq(remove_bufs(1, BG), 1);
	make_ring(0, 0, 16, NR);
	ck_assert_int_eq(reg_ring(br, NR, BG, 0, 0), -EEXIST);
}

CF_TEST(ring_flags, 404, "Min_left without INC -> -EINVAL; unknown ring flag -> -EINVAL")
{
	begin();
	br = cf_alloc(PAGE, PAGE);
	ck_assert_int_eq(reg_ring(br, NR, BG, 0, 1), -EINVAL);
	ck_assert_int_eq(reg_ring(br, NR, BG, 4, 0), -EINVAL);
}

CF_TEST(unregister_errors, 405, "Unregister of an unknown group -> -ENOENT; of a classic group -> -EINVAL")
{
	begin();
	ck_assert_int_eq(unreg_ring(BG), -ENOENT);
	provide(1, 16, 0);
	gives(0, 0);
	ck_assert_int_eq(unreg_ring(BG), -EINVAL);
}

CF_TEST(status_counts_what_is_used_up, 406, "Status of an unknown group -> -ENOENT; otherwise head counts committed entries")
{
	int f;

	begin();
	f = cf_make_file("f", 100, O_RDONLY);
	ck_assert_int_eq(head_of(BG), -ENOENT);
	make_ring(0, 0, 16, NR);
	head_is(0);
	for (uint16_t i = 0; i < 3; i++) {
		reader(RINGD_OP_READ, f, 4, 0);
		gives(4, used((uint16_t)(100 + i)));
	}
	head_is(3);
}

/* --- when the head moves --- */

CF_TEST(a_read_that_waits_uses_nothing, 407, "Waiting request with a ring group -> head unchanged until data arrives")
{
	begin();
	make_ring(0, 0, 16, NR);
	reader(RINGD_OP_READ, p[0], 4, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect_none(ring);
	head_is(0);
	put("abc");
	cf_expect(ring, 0, 3, used(100));
	head_is(1);
}

CF_TEST(a_read_that_is_cancelled_uses_nothing, 408, "Cancelled waiting request -> head unchanged")
{
	begin();
	make_ring(0, 0, 16, NR);
	reader(RINGD_OP_READ, p[0], 4, 0)->user_data = 7;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect_none(ring);
	cf_sqe(ring, RINGD_OP_ASYNC_CANCEL)->addr = 7;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 0, 0, 0);
	cf_expect(ring, 7, -ECANCELED, 0);
	head_is(0);
}

CF_TEST(the_end_of_a_file_uses_a_buffer, 409, "Single-shot READ at EOF of a pipe or file from a ring group -> res 0 with F_BUFFER and head + 1")
{
	begin();
	make_ring(0, 0, 16, NR);
	reader(RINGD_OP_READ, cf_make_file("f", 100, O_RDONLY), 4, 200);
	gives(0, used(100));
	close(p[1]);
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(0, used(101));
	head_is(2);
}

CF_TEST(an_error_of_a_regular_file_uses_a_buffer, 411, "READ of a write-only regular file with a ring group -> -EBADF with F_BUFFER and head + 1")
{
	begin();
	make_ring(0, 0, 16, NR);
	reader(RINGD_OP_READ, cf_make_file("f", 100, O_WRONLY), 4, 0);
	gives(-EBADF, used(100));
	head_is(1);
}

/* --- incremental --- */

CF_TEST(an_incremental_entry_shows_what_is_left, 413, "INC ring, 16-byte entry, 4-byte read -> F_BUFFER|F_BUF_MORE, head unchanged, entry len 12")
{
	begin();
	need_inc();
	make_ring(RINGD_PBUF_RING_INC, 0, 16, NR);
	put("abcdefgh");
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(4, used(100) | RINGD_CQE_F_BUF_MORE);
	head_is(0);
	ck_assert_uint_eq(br[0].len, 12);
	ck_assert_uint_eq(br[0].addr, cf_addr(data + 4));
}

CF_TEST(an_incremental_entry_is_used_to_its_end, 414, "INC ring, entry of 10 bytes, 4-byte reads -> 4 and 4 with F_BUF_MORE, then 2 without it and head + 1")
{
	begin();
	need_inc();
	make_ring(RINGD_PBUF_RING_INC, 0, 10, NR);
	put("abcdefghijklmno");
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(4, used(100) | RINGD_CQE_F_BUF_MORE);
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(4, used(100) | RINGD_CQE_F_BUF_MORE);
	reader(RINGD_OP_READ, p[0], 4, 0);
	gives(2, used(100));
	head_is(1);
}

CF_TEST(a_rest_below_min_left_is_given_up, 415, "INC ring with min_left 8, 16-byte entry, 10-byte read -> no F_BUF_MORE, head + 1")
{
	begin();
	need_inc();
	br = cf_alloc(PAGE, PAGE);
	if (reg_ring(br, NR, 1, RINGD_PBUF_RING_INC, 8) == -EINVAL && cf_on(CF_KERNEL))
		cf_skip("no min_left here");
	make_ring(RINGD_PBUF_RING_INC, 8, 16, NR);
	put("abcdefghijklmno");
	reader(RINGD_OP_READ, p[0], 10, 0);
	gives(10, used(100));
	head_is(1);
}

/* --- the rest --- */

CF_TEST(groups_are_independent, 416, "Two groups -> independent")
{
	int f;

	begin();
	f = cf_make_file("f", 100, O_RDONLY);
	make_ring(0, 0, 16, NR);
	provide(1, 16, 9)->buf_group = BG + 1;
	gives(0, 0);
	reader(RINGD_OP_READ, f, 4, 0)->buf_group = BG + 1;
	gives(4, used(9));
	reader(RINGD_OP_READ, f, 4, 0)->buf_group = BG + 1;
	gives(-ENOBUFS, 0);
	head_is(0);
}

CF_TEST(bids_are_the_clients, 417, "Bids that are not positions -> reported as written in the entry")
{
	int f;

	begin();
	f = cf_make_file("f", 100, O_RDONLY);
	make_ring(0, 0, 16, NR);
	br[0].bid = 65535;
	br[1].bid = 65535;
	for (int i = 0; i < 2; i++) {
		reader(RINGD_OP_READ, f, 4, 0);
		gives(4, used(65535));
	}
}

CF_TEST(the_tail_may_wrap, 418, "U16 tail wrap after 65536 buffers -> keeps working")
{
	struct cf_cqe cqe;
	int f;

	begin();
	f = cf_make_file("f", 100, O_RDONLY);
	make_ring(0, 0, 16, 0);
	for (unsigned int i = 0; i < 66000; i += NR) {
		__atomic_store_n(&br[0].resv, (uint16_t)(i + NR), __ATOMIC_RELEASE);
		for (unsigned int k = 0; k < NR; k++)
			reader(RINGD_OP_READ, f, 4, 0);
		ck_assert_int_eq(cf_submit_and_wait(ring, NR), (int)NR);
		for (unsigned int k = 0; k < NR; k++) {
			cf_wait_cqe(ring, &cqe);
			ck_assert_int_eq(cqe.res, 4);
			ck_assert_uint_eq(cqe.flags, used((uint16_t)(100 + k)));
		}
	}
	head_is(66000 % 65536);
}

CF_TEST(data_may_overwrite_the_ring, 435, "Data that overwrites the buffer ring it was selected from -> result and buffer id are still right")
{
	begin();
	make_ring(0, 0, 16, NR);
	br[0].addr = cf_addr(br);
	put("0123456789abcdef");
	reader(RINGD_OP_READ, p[0], 0, 0);
	gives(16, used(100));
	head_is(1);
}

CF_TEST(a_vector_inside_a_registered_buffer, 256, "Readv_fixed with a zero-length segment -> -EFAULT")
{
	struct iovec all, v[2];
	struct ringd_sqe *sqe;
	int f;

	begin();
	cf_need_op(RINGD_OP_READV_FIXED);
	f = cf_make_file("f", 100, O_RDONLY);
	all = (struct iovec){ data, PAGE };
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, &all, 1), 0);
	v[0] = (struct iovec){ data + 10, 5 };
	v[1] = (struct iovec){ data, 5 };
	for (int i = 0; i < 2; i++) {
		sqe = cf_sqe(ring, RINGD_OP_READV_FIXED);
		sqe->addr = cf_addr(cf_in(v, sizeof(v)));
		sqe->len = 2;
		cf_sqe_fd(ring, sqe, f);
		ck_assert_int_eq(cf_run(ring), i ? -EFAULT : 10);
		v[1].iov_len = 0;
	}
	ck_assert_int_eq(data[10], 0);
	ck_assert_int_eq(data[0], 5);
}

CF_TEST(a_ring_in_memory_of_the_server, 419, "MMAP ring: mapping offset 0x80000000 + (bgid << 16) -> the ring memory; before registration -> mmap fails")
{
	const off_t off = (off_t)(RINGD_OFF_PBUF_RING + ((uint64_t)BG << RINGD_OFF_PBUF_SHIFT));
	struct ringd_buf *p1;

	begin();
	if (cf_on(CF_KERNEL))
		ck_assert_ptr_eq(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, off), MAP_FAILED);
	ck_assert_int_eq(reg_ring(NULL, NR, BG, RINGD_PBUF_RING_MMAP, 0), 0);
	head_is(0);
	if (cf_on(CF_RINGD))
		return;		/* cf_register() had it mapped, see there */
	p1 = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, off);
	ck_assert_ptr_ne(p1, MAP_FAILED);
	p1[0] = (struct ringd_buf){ .addr = cf_addr(data), .len = 16, .bid = 3, .resv = 1 };
	put("abc");
	reader(RINGD_OP_READ, p[0], 0, 0);
	gives(3, used(3));
	munmap(p1, PAGE);
}
CF_DIFFERS(a_ring_in_memory_of_the_server, CF_RINGD, "the memory comes as a descriptor of its own with the ring at the same offset; libringd maps it")

CF_TEST(read_fixed_stays_inside_its_buffer, 255, "Read_fixed without buffer table, with a hole, outside the buffer, or with index out of range -> -EFAULT")
{
	struct iovec v[2];
	struct {
		uint16_t index;
		unsigned int off, len;
		int res;
	} t[] = { { 0, 0, 10, 10 }, { 0, PAGE - 10, 10, 10 }, { 0, PAGE - 10, 11, -EFAULT }, { 1, 0, 10, -EFAULT },
		  { 2, 0, 10, -EFAULT }, { 65535, 0, 10, -EFAULT }, { 0, 0, 0, 0 } };
	struct ringd_sqe *sqe;
	int f;

	begin();
	f = cf_make_file("f", 100, O_RDONLY);
	cf_prep_rw(ring, RINGD_OP_READ_FIXED, f, data, 10, 0);
	ck_assert_int_eq(cf_run(ring), -EFAULT);
	v[0] = (struct iovec){ data, PAGE };
	v[1] = (struct iovec){ NULL, 0 };
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS, v, 2), 0);
	for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		sqe = cf_prep_rw(ring, RINGD_OP_READ_FIXED, f, data + t[i].off, t[i].len, 0);
		sqe->buf_index = t[i].index;
		ck_assert_int_eq(cf_run(ring), t[i].res);
	}
}
