/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bundles: one RECV or SEND that uses several provided buffers */
#include "cf-net.h"

#include "daemon/common/util.h"

#define BUNDLE	RINGD_RECVSEND_BUNDLE
#define MULTI	RINGD_RECV_MULTISHOT

static int s[2];
static struct cf_bufs b;

static struct cf_ring *begin(int type, uint16_t flags, uint32_t size, uint16_t n)
{
	struct cf_ring *ring;

	cf_need_feature(RINGD_FEAT_RECVSEND_BUNDLE);
	ring = cf_ring_new(16, 0);
	if (type)
		cf_unix_pair(type, s);
	else
		cf_tcp_pair(s);
	cf_bufs_new(ring, &b, flags, size, n);
	return ring;
}

/* n bytes of the pattern that starts at byte at */
static void put(size_t at, size_t n)
{
	uint8_t data[4096];

	ck_assert_uint_le(n, sizeof(data));
	for (size_t i = 0; i < n; i++)
		data[i] = cf_pattern(at + i);
	ck_assert_int_eq(send(s[1], data, n, 0), (ssize_t)n);
}

/* The bytes of CQEs lie in the entries from that of the first on, each of size bytes. Returns how many entries there were. */
static unsigned int lies_in(const struct cf_cqe *cqe, unsigned int first, uint32_t size, size_t at)
{
	unsigned int used = 0;

	ck_assert_int_gt(cqe->res, 0);
	ck_assert_uint_eq(cqe->flags & ~(MORE | NONEMPTY | BUF_MORE), cf_used(first % CF_BUFS));
	for (size_t done = 0; done < (size_t)cqe->res; done += size, used++)
		cf_is_pattern(cf_buf(&b, (first + used) % CF_BUFS), at + done, RD_MIN(size, (size_t)cqe->res - done));
	return used;
}

/* Take CQEs of recv bundles until n bytes were there, submitting again where one is final; heads follow. */
static void receives(struct cf_ring *ring, unsigned int ioprio, unsigned int first, uint32_t size, size_t n)
{
	struct cf_cqe cqe;
	size_t done = 0;

	while (done < n) {
		cf_wait_cqe(ring, &cqe);
		first += lies_in(&cqe, first, size, done);
		cf_head_is(ring, (int)first);
		done += (size_t)cqe.res;
		if (!(cqe.flags & MORE) && done < n) {
			ck_assert_uint_eq((size_t)cqe.res % size, 0);	/* split at whole buffers only */
			cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, ioprio);
			ck_assert_int_eq(cf_submit(ring), 1);
		}
	}
	ck_assert_uint_eq(done, n);
}

/* --- recv --- */

CF_TEST(recv_bundle_fills_several_buffers, 356,
	"Recv bundle with 40 bytes queued and 16-byte buffers -> res 40, id of the first of three consecutive buffers, head +3 (a split into several CQEs is allowed if each covers whole buffers)")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	put(0, 40);
	cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, BUNDLE);
	ck_assert_int_eq(cf_submit(ring), 1);
	receives(ring, BUNDLE, 0, 16, 40);
	cf_head_is(ring, 3);
	cf_expect_none(ring);
}

CF_TEST(recv_bundle_of_tcp, 356, "The same on TCP, after waiting for it")
{
	struct cf_ring *ring = begin(0, 0, 16, CF_BUFS);

	cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, BUNDLE);
	cf_waits(ring, 1);
	put(0, 40);
	receives(ring, BUNDLE, 0, 16, 40);
	cf_head_is(ring, 3);
}

CF_TEST(recv_bundle_has_a_length, 0, "Recv bundle with len 20, 16-byte buffers and 40 bytes queued -> 16 or 20, no more")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);
	struct cf_cqe cqe;
	unsigned int used;

	put(0, 40);
	cf_select(ring, RINGD_OP_RECV, 1, s[0], 20, BUNDLE);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_wait_cqe(ring, &cqe);
	ck_assert(cqe.res == 16 || cqe.res == 20);
	ck_assert(cqe.flags & NONEMPTY);
	used = lies_in(&cqe, 0, 16, 0);
	cf_head_is(ring, (int)used);
	cf_drain_all(s[0], (size_t)cqe.res, 40 - (size_t)cqe.res);
}

CF_TEST(recv_bundle_takes_what_there_is, 0, "Recv bundle with fewer buffers than data -> all of them are filled, the rest stays")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, 2);

	put(0, 100);
	cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, BUNDLE);
	ck_assert_int_eq(cf_submit(ring), 1);
	receives(ring, BUNDLE, 0, 16, 32);
	cf_drain_all(s[0], 32, 68);
	cf_select(ring, RINGD_OP_RECV, 0, s[0], 0, BUNDLE);
	cf_give(ring, -ENOBUFS, 0);
}

CF_TEST(recv_bundle_without_data_changes_nothing, 0, "Recv bundle that waits, is cancelled or meets EOF -> head and entries as they were")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	cf_select(ring, RINGD_OP_RECV, 1, s[0], 20, BUNDLE);
	cf_waits(ring, 1);
	cf_cancel(ring, 2, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_select(ring, RINGD_OP_RECV, 0, s[0], 20, BUNDLE)->msg_flags = MSG_DONTWAIT;
	cf_give(ring, -EAGAIN, 0);
	close(s[1]);
	cf_select(ring, RINGD_OP_RECV, 0, s[0], 0, BUNDLE);
	cf_give(ring, 0, 0);
	cf_head_is(ring, 0);
	for (unsigned int i = 0; i < CF_BUFS; i++) {
		ck_assert_uint_eq(b.ring[i].len, 16);
		ck_assert_uint_eq(b.ring[i].addr, cf_addr(cf_buf(&b, i)));
	}
}

CF_TEST(recv_bundle_without_select_is_a_recv, 0, "Recv with BUNDLE but without BUFFER_SELECT -> as without BUNDLE")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	put(0, 10);
	cf_xfer(ring, RINGD_OP_RECV, 0, 0, s[0], b.data, 100)->ioprio = BUNDLE;
	cf_give(ring, 10, 0);
	cf_head_is(ring, 0);
}

CF_TEST(recv_bundle_takes_one_datagram, 0, "Recv bundle of datagrams -> one per CQE, over as many buffers as it needs")
{
	struct cf_ring *ring = begin(SOCK_DGRAM, 0, 16, CF_BUFS);
	struct cf_cqe cqe;

	put(0, 10);
	put(10, 5);
	cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, BUNDLE);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_wait_cqe(ring, &cqe);
	ck_assert_int_eq(cqe.res, 10);
	ck_assert_uint_eq(lies_in(&cqe, 0, 16, 0), 1);
	cf_head_is(ring, 1);
	cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, BUNDLE);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_wait_cqe(ring, &cqe);
	ck_assert_int_eq(cqe.res, 5);
	ck_assert_uint_eq(lies_in(&cqe, 1, 16, 10), 1);
}

CF_TEST(an_entry_of_no_bytes_ends_a_bundle, 0, "Recv bundle whose first entry has length 0 -> -ENOBUFS or nothing received, head unchanged, data not lost")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);
	int32_t res;

	b.ring[0].len = 0;
	put(0, 10);
	cf_select(ring, RINGD_OP_RECV, 0, s[0], 0, BUNDLE);
	res = cf_run(ring);
	ck_assert(res == -ENOBUFS || res == 0);
	cf_head_is(ring, 0);
	cf_drain_all(s[0], 0, 10);
}

CF_TEST(a_bundle_with_a_bad_entry, 0, "Recv bundle whose first entry has a bad address -> -EFAULT, head unchanged")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);

	b.ring[0].addr = 4096;
	put(0, 10);
	cf_select(ring, RINGD_OP_RECV, 0, s[0], 0, BUNDLE);
	cf_give(ring, -EFAULT, 0);
	cf_head_is(ring, 0);
}

CF_TEST(recv_bundle_with_waitall_keeps_filling, 0, "Recv bundle with MSG_WAITALL and len 40, 16-byte buffers -> one CQE of 40, or of the 32 that fill whole buffers")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);
	struct cf_cqe cqe;

	put(0, 20);
	cf_select(ring, RINGD_OP_RECV, 1, s[0], 40, BUNDLE)->msg_flags = MSG_WAITALL;
	cf_waits(ring, 1);
	put(20, 30);
	cf_wait_cqe(ring, &cqe);
	ck_assert(cqe.res == 40 || cqe.res == 32);
	cf_head_is(ring, (int)lies_in(&cqe, 0, 16, 0));
	cf_drain_all(s[0], (size_t)cqe.res, 50 - (size_t)cqe.res);
}

CF_TEST(recv_bundle_fills_incremental_buffers, 0, "Recv bundle into INC entries of 16 -> filled one after the other, F_BUF_MORE speaks about the last")
{
	struct cf_ring *ring = begin(SOCK_STREAM, RINGD_PBUF_RING_INC, 16, CF_BUFS);
	struct cf_cqe cqe;
	size_t done = 0;

	put(0, 40);
	while (done < 40) {
		cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, BUNDLE);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_wait_cqe(ring, &cqe);
		ck_assert_int_gt(cqe.res, 0);
		ck_assert_uint_eq(cqe.flags & ~(MORE | NONEMPTY | BUF_MORE), cf_used((unsigned int)(done / 16)));
		done += (size_t)cqe.res;
		ck_assert_uint_eq(cqe.flags & BUF_MORE, done % 16 ? BUF_MORE : 0);
		cf_head_is(ring, (int)(done / 16));
	}
	for (unsigned int i = 0; i < 3; i++)
		cf_is_pattern(cf_buf(&b, i), i * 16, i < 2 ? 16 : 8);
	ck_assert_uint_eq(b.ring[2].len, 8);
}

/* --- recv, multishot --- */

CF_TEST(a_multishot_bundle_ends_with_the_last_buffer, 357, "Multishot recv bundle that gathered up to the last available buffer -> that CQE is final")
{
	static const struct {
		size_t queued;
		uint16_t bufs;
	} t[] = { { 100, 3 }, { 16, 1 }, { 10, 1 } };

	for (unsigned int i = 0; i < RD_ARRAY_SIZE(t); i++) {
		struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, t[i].bufs);
		unsigned int first = 0;
		struct cf_cqe cqe;
		size_t done = 0;

		put(0, t[i].queued);
		cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, BUNDLE | MULTI);
		ck_assert_int_eq(cf_submit(ring), 1);
		do {
			cf_wait_cqe(ring, &cqe);
			first += lies_in(&cqe, first, 16, done);
			done += (size_t)cqe.res;
			ck_assert_int_eq(first < t[i].bufs, (cqe.flags & MORE) != 0);
		} while (cqe.flags & MORE);
		cf_head_is(ring, t[i].bufs);
		cf_expect_none(ring);
		cf_drain_all(s[0], done, t[i].queued - done);
	}
}

CF_TEST(a_multishot_bundle_goes_on, 0, "Multishot recv bundle with buffers to spare -> a CQE with F_MORE for each batch; EOF -> final 0")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 16, CF_BUFS);
	struct cf_cqe cqe;
	unsigned int first = 0;
	size_t done = 0;

	cf_select(ring, RINGD_OP_RECV, 1, s[0], 32, BUNDLE | MULTI);
	cf_waits(ring, 1);
	for (unsigned int i = 0; i < 4; i++) {
		put(done, 5);
		cf_wait_cqe(ring, &cqe);
		ck_assert_int_eq(cqe.res, 5);
		ck_assert_uint_eq(cqe.flags, cf_used(first) | MORE);
		first += lies_in(&cqe, first, 16, done);
		done += 5;
		cf_head_is(ring, (int)first);
		b.ring[b.tail % CF_BUFS].addr = cf_addr(cf_buf(&b, b.tail % CF_BUFS));
		cf_bufs_add(&b, 1);
	}
	close(s[1]);
	cf_expect(ring, 1, 0, 0);
	cf_head_is(ring, 4);
}

CF_TEST(a_multishot_bundle_counts_whole_buffers, 0,
	"Multishot recv bundle that ends a partly used INC buffer while buffers are left behind what follows -> it goes on")
{
	struct cf_ring *ring = begin(SOCK_STREAM, RINGD_PBUF_RING_INC, 1024, 4);
	static const size_t sizes[] = { 1000, 600, 400, 48 };
	struct cf_cqe cqe;
	size_t done = 0;

	cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, BUNDLE | MULTI);
	cf_waits(ring, 1);
	for (unsigned int i = 0; i < RD_ARRAY_SIZE(sizes); i++) {
		size_t sent = done + sizes[i];

		put(done, sizes[i]);
		while (done < sent) {
			cf_wait_cqe(ring, &cqe);
			ck_assert_int_gt(cqe.res, 0);
			ck_assert_uint_ne(cqe.flags & MORE, 0);
			done += (size_t)cqe.res;
		}
	}
	cf_is_pattern(cf_buf(&b, 0), 0, 1024);
	cf_is_pattern(cf_buf(&b, 1), 1024, 1024);
	cf_head_is(ring, 2);
}

CF_TEST(a_stream_through_bundles_is_whole, 0, "100 KiB through multishot recv bundles, buffers given back -> every byte in order")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 1000, CF_BUFS);
	size_t sent = 0, done = 0;
	unsigned int first = 0;
	struct cf_cqe cqe;

	cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, BUNDLE | MULTI);
	ck_assert_int_eq(cf_submit(ring), 1);
	while (done < 100u << 10) {
		for (; sent < 100u << 10 && sent < done + 8192; sent += 1024)
			put(sent, 1024);
		cf_wait_cqe(ring, &cqe);
		if (cqe.res > 0) {
			unsigned int used = lies_in(&cqe, first, 1000, done);

			first += used;
			done += (size_t)cqe.res;
			cf_bufs_add(&b, (uint16_t)used);
		} else {
			ck_assert_int_eq(cqe.res, -ENOBUFS);
		}
		if (!(cqe.flags & MORE)) {
			cf_select(ring, RINGD_OP_RECV, 1, s[0], 0, BUNDLE | MULTI);
			ck_assert_int_eq(cf_submit(ring), 1);
		}
	}
	ck_assert_uint_eq(done, sent);
}

/* --- send --- */

/* Entries hold the pattern one after the other. */
static void fill(uint32_t size)
{
	for (unsigned int i = 0; i < CF_BUFS; i++) {
		for (uint32_t k = 0; k < size; k++)
			cf_buf(&b, i)[k] = (char)cf_pattern(i * size + k);
	}
}

CF_TEST(send_bundle_joins_buffers, 360, "Send bundle of three 8-byte buffers -> res 24, id of the first, head +3")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 8, 3);

	fill(8);
	cf_select(ring, RINGD_OP_SEND, 0, s[0], 0, BUNDLE);
	cf_give(ring, 24, cf_used(0));
	cf_head_is(ring, 3);
	cf_drain_all(s[1], 0, 24);
	cf_expect_none(ring);
}

CF_TEST(the_length_of_a_send_bundle_is_its_first_batchs, 358, "Send bundle with len 10 over three 8-byte buffers -> 8 with F_MORE, then 16")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 8, 3);

	fill(8);
	cf_select(ring, RINGD_OP_SEND, 1, s[0], 10, BUNDLE);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, 8, cf_used(0) | MORE);
	cf_expect(ring, 1, 16, cf_used(1));
	cf_drain_all(s[1], 0, 24);
}

CF_TEST(the_first_buffer_of_a_send_bundle_is_clipped, 0, "Send bundle with len 4 over one 8-byte buffer -> 4, head +1")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 8, 1);
	struct cf_cqe cqe;

	fill(8);
	cf_select(ring, RINGD_OP_SEND, 1, s[0], 4, BUNDLE);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_wait_cqe(ring, &cqe);
	ck_assert_int_eq(cqe.res, 4);
	ck_assert_uint_eq(cqe.flags & ~MORE, cf_used(0));
	if (cqe.flags & MORE)		/* it looks for another and finds none */
		cf_expect(ring, 1, -ENOBUFS, 0);
	cf_head_is(ring, 1);
	cf_drain_all(s[1], 0, 4);
	ck_assert_int_eq(cf_readable(s[1]), 0);
}

CF_TEST(send_bundle_of_nothing_is_enobufs, 359, "Send bundle on an empty ring -> -ENOBUFS")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 8, 0);

	cf_select(ring, RINGD_OP_SEND, 0, s[0], 0, BUNDLE);
	cf_give(ring, -ENOBUFS, 0);
}

CF_TEST(send_bundle_makes_one_datagram, 0, "Send bundle of three 8-byte buffers on a datagram socket -> one message of 24 bytes")
{
	struct cf_ring *ring = begin(SOCK_DGRAM, 0, 8, 3);
	char got[64];

	fill(8);
	cf_select(ring, RINGD_OP_SEND, 0, s[0], 0, BUNDLE);
	cf_give(ring, 24, cf_used(0));
	ck_assert_int_eq(recv(s[1], got, sizeof(got), MSG_DONTWAIT), 24);
	cf_is_pattern(got, 0, 24);
}

CF_TEST(a_send_bundle_goes_on_when_there_is_room, 0, "Send bundle to a full socket -> all of the batch later, in order, one CQE; WAITALL is implied")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 1000, CF_BUFS);
	size_t full;

	fill(1000);
	full = cf_fill(s[0], 0);
	cf_select(ring, RINGD_OP_SEND, 1, s[0], 0, BUNDLE);
	cf_waits(ring, 1);
	cf_drain_all(s[1], 0, full);
	cf_drain_all(s[1], 0, 8000);
	cf_expect(ring, 1, 8000, cf_used(0));
	cf_head_is(ring, 8);
}

CF_TEST(a_send_bundle_without_a_peer, 0, "Send bundle whose peer is gone -> -EPIPE")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 8, 3);
	struct cf_cqe cqe;

	close(s[1]);
	cf_select(ring, RINGD_OP_SEND, 1, s[0], 0, BUNDLE);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_wait_cqe(ring, &cqe);
	ck_assert_int_eq(cqe.res, -EPIPE);
	ck_assert_uint_eq(cqe.flags & MORE, 0);
}

CF_TEST(send_bundle_needs_a_group, 0, "Send with BUNDLE but without BUFFER_SELECT -> the bytes once, and nothing that a client would wait for longer")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 0, 8, 3);
	struct cf_cqe cqe;

	cf_xfer(ring, RINGD_OP_SEND, 1, 0, s[0], b.data, 8)->ioprio = BUNDLE;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_wait_cqe(ring, &cqe);
	if (cqe.res == -EINVAL)
		return;
	ck_assert_int_eq(cqe.res, 8);
	if (cqe.flags & MORE)
		cf_expect(ring, 1, 0, 0);
	cf_expect_none(ring);
	ck_assert_int_eq(cf_readable(s[1]), 8);
}
