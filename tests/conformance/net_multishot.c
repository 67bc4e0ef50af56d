/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RECV, multishot; bundles are in net_bundle.c */
#include "cf-net.h"

#include "daemon/common/util.h"

#define MULTI	RINGD_RECV_MULTISHOT

static int s[2];
static struct cf_bufs b;

/* With n buffers of size bytes */
static struct cf_ring *begin(int type, uint16_t flags, uint32_t size, uint16_t n)
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	cf_unix_pair(type, s);
	cf_bufs_new(ring, &b, flags, size, n);
	return ring;
}

static struct ringd_sqe *multishot(struct cf_ring *ring, uint64_t user_data)
{
	return cf_select(ring, RINGD_OP_RECV, user_data, s[0], 0, MULTI);
}

/* The next CQE is of buffer i: so many bytes, equal to text. */
static void brings(struct cf_ring *ring, unsigned int i, const char *text, uint32_t flags)
{
	cf_expect(ring, 1, (int32_t)strlen(text), cf_used(i) | flags);
	ck_assert_mem_eq(cf_buf(&b, i), text, strlen(text));
}

CF_TEST(multishot_recv_is_checked, 345, "Recv MULTISHOT without BUFFER_SELECT, or with MSG_WAITALL -> -EINVAL")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	cf_put(s[1], "x");
	cf_xfer(ring, RINGD_OP_RECV, 0, 0, s[0], b.data, 16)->ioprio = MULTI;
	cf_give(ring, -EINVAL, 0);
	multishot(ring, 0)->msg_flags = MSG_WAITALL;
	cf_give(ring, -EINVAL, 0);
	cf_get(s[0], "x");
}

CF_TEST(multishot_recv_goes_on, 346, "Recv multishot, three messages -> three CQEs with F_BUFFER|F_MORE and distinct buffers")
{
	static const char *const texts[] = { "one", "three", "fourteen" };
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	multishot(ring, 1);
	cf_waits(ring, 1);
	for (unsigned int i = 0; i < 3; i++) {
		cf_put(s[1], texts[i]);
		brings(ring, i, texts[i], MORE);
	}
	cf_expect_none(ring);
	cf_head_is(ring, 3);
}

CF_TEST(multishot_recv_takes_what_is_queued, 346, "Recv multishot with data for three buffers -> three CQEs with F_MORE, all but the last say that there is more")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 4, CF_BUFS);

	cf_put(s[1], "0123456789");
	multishot(ring, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	brings(ring, 0, "0123", MORE | NONEMPTY);
	brings(ring, 1, "4567", MORE | NONEMPTY);
	brings(ring, 2, "89", MORE);
	cf_expect_none(ring);
}

CF_TEST(multishot_recv_has_a_length, 0, "Recv multishot with len 3 and 16-byte buffers -> at most 3 bytes in each")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	cf_put(s[1], "01234567");
	multishot(ring, 1)->len = 3;
	ck_assert_int_eq(cf_submit(ring), 1);
	brings(ring, 0, "012", MORE | NONEMPTY);
	brings(ring, 1, "345", MORE | NONEMPTY);
	brings(ring, 2, "67", MORE);
}

CF_TEST(multishot_recv_ends_without_buffers, 347, "Recv multishot running out of buffers -> final -ENOBUFS, data stays readable")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 4, 2);

	cf_put(s[1], "0123456789");
	multishot(ring, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	brings(ring, 0, "0123", MORE | NONEMPTY);
	brings(ring, 1, "4567", MORE | NONEMPTY);
	cf_expect(ring, 1, -ENOBUFS, 0);
	cf_get(s[0], "89");
	cf_bufs_add(&b, 1);
	cf_put(s[1], "x");		/* nothing waits any more */
	cf_expect_none(ring);
	multishot(ring, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	brings(ring, 2, "x", MORE);
}

CF_TEST(multishot_recv_has_a_limit_of_bytes, 348,
	"Recv multishot with optlen 10, 4-byte buffers and 16 bytes queued -> 4 and 4 with F_MORE, then a final 4; 4 bytes stay in the socket")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 4, CF_BUFS);
	struct cf_cqe cqe;

	cf_put(s[1], "0123456789abcdef");
	multishot(ring, 1)->optlen = 10;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_wait_cqe(ring, &cqe);
	if (cqe.res == -EINVAL && cf_on(CF_KERNEL))
		cf_skip("no limit of bytes here");
	ck_assert_int_eq(cqe.res, 4);
	ck_assert_uint_eq(cqe.flags, cf_used(0) | MORE | NONEMPTY);
	brings(ring, 1, "4567", MORE | NONEMPTY);
	brings(ring, 2, "89ab", NONEMPTY);
	cf_expect_none(ring);
	cf_get(s[0], "cdef");
}

CF_TEST(the_limit_of_bytes_counts_what_comes, 0, "Recv multishot with optlen 8 and messages of 3 bytes -> 3 and 3 with F_MORE, then a final 2 or 3")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);
	struct cf_cqe cqe;

	multishot(ring, 1)->optlen = 8;
	ck_assert_int_eq(cf_submit(ring), 1);
	for (unsigned int i = 0; i < 3; i++) {
		cf_put(s[1], "abc");
		cf_wait_cqe(ring, &cqe);
		if (cqe.res == -EINVAL && cf_on(CF_KERNEL))
			cf_skip("no limit of bytes here");
		ck_assert(cqe.res == 3 || (i == 2 && cqe.res == 2));
		ck_assert_uint_eq(cqe.flags & ~NONEMPTY, cf_used(i) | (i < 2 ? MORE : 0));
	}
	cf_expect_none(ring);
}

CF_TEST(multishot_recv_ends_at_the_end, 0, "Recv multishot at EOF -> 0 without F_MORE and F_BUFFER, head unchanged")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	multishot(ring, 1);
	cf_waits(ring, 1);
	cf_put(s[1], "abc");
	close(s[1]);
	brings(ring, 0, "abc", MORE);
	cf_expect(ring, 1, 0, 0);
	cf_head_is(ring, 1);
}

CF_TEST(an_empty_datagram_ends_a_multishot_recv, 350, "Recv multishot on a datagram socket and an empty datagram -> final CQE 0 without buffer")
{
	struct cf_ring *ring = begin(SOCK_DGRAM, 0, 16, CF_BUFS);

	multishot(ring, 1);
	cf_waits(ring, 1);
	cf_put(s[1], "abc");
	brings(ring, 0, "abc", MORE);
	ck_assert_int_eq(send(s[1], "", 0, 0), 0);
	cf_expect(ring, 1, 0, 0);
	cf_head_is(ring, 1);
}

CF_TEST(datagrams_are_not_joined, 0, "Recv multishot of datagrams -> one in each buffer, a longer one is cut")
{
	struct cf_ring *ring = begin(SOCK_DGRAM, 0, 4, CF_BUFS);

	cf_put(s[1], "a");
	cf_put(s[1], "bcdefgh");
	cf_put(s[1], "ij");
	multishot(ring, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	brings(ring, 0, "a", MORE);
	brings(ring, 1, "bcde", MORE);
	brings(ring, 2, "ij", MORE);
	cf_expect_none(ring);
}

CF_TEST(a_reset_ends_a_multishot_recv, 0, "Recv multishot when the peer resets -> final -ECONNRESET")
{
	struct linger now = { .l_onoff = 1 };
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	cf_tcp_pair(s);
	multishot(ring, 1);
	cf_waits(ring, 1);
	ck_assert_int_eq(setsockopt(s[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(s[1]);
	cf_expect(ring, 1, -ECONNRESET, 0);
	cf_head_is(ring, 0);
}

CF_TEST(a_cancelled_multishot_recv_ends, 0, "Cancel of a multishot recv -> final -ECANCELED without F_MORE and F_BUFFER")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	multishot(ring, 1);
	cf_waits(ring, 1);
	cf_put(s[1], "abc");
	brings(ring, 0, "abc", MORE);
	cf_cancel(ring, 2, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_put(s[1], "x");
	cf_expect_none(ring);
	cf_get(s[0], "x");
}

CF_TEST(a_full_cq_ends_a_multishot_recv, 91, "A multishot recv with a full CQ -> the CQE holding the data has no F_MORE")
{
	struct cf_ring *ring = cf_ring_new_params(2, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 2 });

	cf_unix_pair(SOCK_STREAM, s);
	cf_bufs_new(ring, &b, 0, 4, CF_BUFS);
	cf_put(s[1], "0123456789abcdefghijklmn");
	multishot(ring, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	brings(ring, 0, "0123", MORE | NONEMPTY);
	brings(ring, 1, "4567", MORE | NONEMPTY);
	brings(ring, 2, "89ab", NONEMPTY);
	cf_expect_none(ring);
	cf_get(s[0], "cdefghijklmn");
	cf_head_is(ring, 3);
}

CF_TEST(a_group_that_goes_ends_its_recv, 331, "Unregistering the buffer ring while a recv waits -> the recv ends with -ENOBUFS when data arrives")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	for (int multi = 0; multi < 2; multi++) {
		if (multi)
			cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
		cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, multi ? MULTI : 0);
		cf_waits(ring, 1);
		ck_assert_int_eq(cf_bufs_unregister(ring), 0);
		cf_expect_none(ring);
		cf_put(s[1], "x");
		cf_expect(ring, 1, -ENOBUFS, 0);
		cf_get(s[0], "x");
	}
}

CF_TEST(multishot_recv_fills_an_incremental_buffer, 0, "Recv multishot into INC entries of 10 -> pieces with F_BUF_MORE, the last of an entry without")
{
	struct cf_ring *ring = begin(SOCK_STREAM, RINGD_PBUF_RING_INC, 10, CF_BUFS);

	multishot(ring, 1);
	cf_waits(ring, 1);
	cf_put(s[1], "0123");
	cf_expect(ring, 1, 4, cf_used(0) | MORE | BUF_MORE);
	cf_put(s[1], "456789");
	cf_expect(ring, 1, 6, cf_used(0) | MORE);
	ck_assert_mem_eq(cf_buf(&b, 0), "0123456789", 10);
	cf_put(s[1], "ABCDEFGHIJKLM");
	cf_expect(ring, 1, 10, cf_used(1) | MORE | NONEMPTY);
	cf_expect(ring, 1, 3, cf_used(2) | MORE | BUF_MORE);
	cf_head_is(ring, 2);
}

CF_TEST(multishot_recv_takes_classic_buffers, 0, "Recv multishot with a classic group -> F_BUFFER|F_MORE each, then final -ENOBUFS")
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	cf_unix_pair(SOCK_STREAM, s);
	b.data = cf_classic_new(ring, 4, 2);
	multishot(ring, 1);
	cf_waits(ring, 1);
	cf_put(s[1], "abc");
	cf_expect(ring, 1, 3, cf_used(0) | MORE);
	cf_put(s[1], "defghijk");
	cf_expect(ring, 1, 4, cf_used(1) | MORE | NONEMPTY);
	cf_expect(ring, 1, -ENOBUFS, 0);
	ck_assert_mem_eq(b.data, "abc\0defg", 8);
}

CF_TEST(a_busy_socket_lets_others_have_a_turn, 0, "Recv multishot on a socket that is always full -> a recv of another socket completes meanwhile")
{
	struct cf_ring *ring = cf_ring_new_params(8, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 4096 });
	unsigned int before = 0, all = 0;
	struct cf_cqe cqe;
	int other[2];

	cf_unix_pair(SOCK_STREAM, s);
	cf_unix_pair(SOCK_STREAM, other);
	b.data = cf_classic_new(ring, 1, 2000);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(send(s[1], b.data, 100, 0), 100);
	multishot(ring, 1);
	cf_xfer(ring, RINGD_OP_RECV, 2, 0, other[0], cf_alloc(8, 0), 8);
	cf_put(other[1], "x");
	ck_assert_int_eq(cf_submit(ring), 2);
	do {
		cf_wait_cqe(ring, &cqe);
		if (cqe.user_data == 2) {
			ck_assert_int_eq(cqe.res, 1);
			before = all;
		} else if (cqe.res != -ENOBUFS) {
			ck_assert_int_eq(cqe.res, 1);
			all++;
		}
	} while (all < 2000 || cqe.user_data == 2);
	ck_assert_uint_lt(before, 200);
}

CF_TEST(many_multishots_share_a_group, 0, "Recv multishots of 20 sockets from one group, buffers given back -> every byte of every socket, in order")
{
	struct cf_ring *ring = cf_ring_new_params(64, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 256 });
	unsigned int got[20] = { 0 }, all = 0, bid;
	struct cf_cqe cqe;
	int pair[20][2];
	char text[2];

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	for (unsigned int i = 0; i < 20; i++) {
		cf_unix_pair(SOCK_STREAM, pair[i]);
		cf_select(ring, RINGD_OP_RECV, i, pair[i][0], 0, MULTI);
	}
	cf_waits(ring, 20);
	for (unsigned int n = 0; n < 26; n++) {
		for (unsigned int i = 0; i < 20; i++) {
			text[0] = (char)('a' + n);
			text[1] = 0;
			cf_put(pair[i][1], text);
		}
		while (all < (n + 1) * 20) {
			cf_wait_cqe(ring, &cqe);
			ck_assert_uint_lt(cqe.user_data, 20);
			if (cqe.res == -ENOBUFS) {
				cf_select(ring, RINGD_OP_RECV, cqe.user_data, pair[cqe.user_data][0], 0, MULTI);
				ck_assert_int_eq(cf_submit(ring), 1);
				continue;
			}
			ck_assert_int_eq(cqe.res, 1);
			ck_assert_uint_eq(cqe.flags & ~0xffff0000u, RINGD_CQE_F_BUFFER | MORE);
			bid = (cqe.flags >> RINGD_CQE_BUFFER_SHIFT) - 100;
			ck_assert_uint_lt(bid, CF_BUFS);
			ck_assert_int_eq(*cf_buf(&b, bid), 'a' + (int)got[cqe.user_data]++);
			/* give it back in its turn: the entry at the tail is the oldest that was used */
			b.ring[b.tail % CF_BUFS].addr = cf_addr(cf_buf(&b, bid));
			b.ring[b.tail % CF_BUFS].bid = (uint16_t)(100 + bid);
			cf_bufs_add(&b, 1);
			all++;
		}
	}
}
