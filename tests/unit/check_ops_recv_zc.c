/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RECV_ZC over loopback, in an area whose buffers the test gives back or keeps. */
#include <arpa/inet.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

#define PAGE	4096u
#define BUFS	4u
#define RQ	8u

static struct rd_testhost th;
static struct rd_testclient c, other;
static struct rd_zcrx *z;
static char *area, *rq;
static uint32_t rq_tail;
static int listener = -1, pair[2] = { -1, -1 };	/* pair[0] is received from */

static void tcp_pair(int fd[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int one = 1;

	if (listener < 0) {
		listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(bind(listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
		ck_assert_int_eq(listen(listener, 8), 0);
	}
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd[1], (struct sockaddr *)&sin, sizeof(sin)), 0);
	setsockopt(fd[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fd[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(fd[0], 0);
}

static struct rd_zcrx *new_area(uint32_t shift, uint32_t nr)
{
	struct rd_zcrx_config cfg = {
		.rq_entries = RQ, .rq_owner = &th.mem, .area_owner = &th.mem, .shift = shift, .area_len = (uint64_t)nr << shift,
	};
	struct rd_zcrx *ret = NULL;

	cfg.area = rd_th_alloc(&th, cfg.area_len);
	cfg.rq = rd_th_alloc(&th, rd_zcrx_rq_size(RQ));
	ck_assert_int_eq(rd_zcrx_new(&ret, &th.engine.user, &cfg), 0);
	return ret;
}

static void setup_ring(unsigned int backend, uint32_t flags)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 128, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_SUBMIT_ALL | flags);
	z = new_area(12, BUFS);
	area = z->area;
	rq = z->rq;
	rq_tail = 0;
	ck_assert_int_eq(rd_zcrxs_add(&c.ring->ctx.zcrxs, &th.engine.user, z), 0);
	rd_zcrx_put(z);
	tcp_pair(pair);
	rd_tc_files(&c, 4);
	rd_tc_file(&c, 0, pair[0], 0);
}

static void setup_sync(void)
{
	setup_ring(RD_BACKEND_SYNC, RINGD_SETUP_CQE32);
}

static void setup_uring(void)
{
	setup_ring(RD_BACKEND_URING, RINGD_SETUP_CQE32);
}

static void setup_mixed(void)
{
	setup_ring(RD_BACKEND_SYNC, RINGD_SETUP_CQE_MIXED);
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	if (other.ring)
		rd_tc_close(&other);
	rd_th_deinit(&th);
	shut(&pair[0]);
	shut(&pair[1]);
	shut(&listener);
}

/* --- helpers --- */

struct big_cqe {
	struct ringd_cqe cqe;
	uint64_t off, zero;
};

static bool peek(struct rd_testclient *of, struct big_cqe *ret)
{
	const struct ringd_cqe *cqe;

	if (__atomic_load_n(&of->hot->cq_tail, __ATOMIC_ACQUIRE) == of->cq_head)
		return false;
	cqe = rd_tc_cqe(of, of->cq_head++);
	memset(ret, 0, sizeof(*ret));
	ret->cqe = *cqe;
	if ((of->params.flags & RINGD_SETUP_CQE32) || cqe->flags & RINGD_CQE_F_32)
		memcpy(&ret->off, cqe + 1, 16);
	if (cqe->flags & RINGD_CQE_F_32)
		of->cq_head++;
	__atomic_store_n(&of->hot->cq_head, of->cq_head, __ATOMIC_RELEASE);
	return !(cqe->flags & RINGD_CQE_F_SKIP) || peek(of, ret);
}

/* Tasks run in enters only. */
static struct big_cqe next_of(struct rd_testclient *of)
{
	struct big_cqe cqe;

	while (!peek(of, &cqe))
		rd_tc_enter(of, 0, RINGD_ENTER_GETEVENTS);
	return cqe;
}

static void expect_end(int32_t res)
{
	struct big_cqe b = next_of(&c);

	ck_assert_int_eq(b.cqe.res, res);
	ck_assert_uint_eq(b.cqe.flags, 0);
	ck_assert_uint_eq(b.off, 0);
}

/* A data CQE: where its data is. */
static uint64_t expect_data(const void *data, size_t len)
{
	struct big_cqe b = next_of(&c);
	uint32_t large = c.params.flags & RINGD_SETUP_CQE_MIXED ? RINGD_CQE_F_32 : 0;

	ck_assert_int_eq(b.cqe.res, (int32_t)len);
	ck_assert_uint_eq(b.cqe.flags, RINGD_CQE_F_MORE | large);
	ck_assert_uint_eq(b.zero, 0);
	ck_assert_uint_eq(b.off % PAGE, 0);
	ck_assert_uint_lt(b.off, BUFS * PAGE);
	ck_assert_mem_eq(area + b.off, data, len);
	return b.off;
}

static void nothing_comes(void)
{
	struct big_cqe b;

	for (int i = 0; i < 10; i++) {
		ck_assert(!peek(&c, &b));
		rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
	}
}

static struct ringd_sqe *recv_zc_of(struct rd_testclient *of, int slot, uint32_t limit)
{
	struct ringd_sqe *sqe = rd_tc_sqe(of, RINGD_OP_RECV_ZC);

	sqe->fd = slot;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->len = limit;
	sqe->ioprio = RINGD_RECV_MULTISHOT;
	return sqe;
}

static struct ringd_sqe *recv_zc(uint32_t limit)
{
	return recv_zc_of(&c, 0, limit);
}

static int32_t refused(void)
{
	struct big_cqe b;

	rd_tc_submit(&c);
	b = next_of(&c);
	ck_assert_uint_eq(b.cqe.flags, 0);
	return b.cqe.res;
}

static void start(uint32_t limit)
{
	recv_zc(limit);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
}

static void put_to(int fd, int peer, const void *data, size_t len)
{
	struct pollfd p = { .fd = peer, .events = POLLIN };

	ck_assert_int_eq(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
	ck_assert_int_eq(poll(&p, 1, -1), 1);
}

static void put(const void *data, size_t len)
{
	put_to(pair[1], pair[0], data, len);
}

static void give_back(uint64_t off)
{
	struct ringd_zcrx_rqe *e = (void *)(rq + RD_ZCRX_RQ_ENTRIES);

	e[rq_tail++ % RQ] = (struct ringd_zcrx_rqe){ .off = off, .len = PAGE };
	__atomic_store_n((uint32_t *)(void *)(rq + RD_ZCRX_RQ_TAIL), rq_tail, __ATOMIC_RELEASE);
}

/* --- what is refused --- */

START_TEST(fields_that_are_not_of_it)
{
	recv_zc(0)->ioprio = 0;
	ck_assert_int_eq(refused(), -EINVAL);
	recv_zc(0)->ioprio = RINGD_RECV_MULTISHOT | RINGD_RECVSEND_POLL_FIRST;
	ck_assert_int_eq(refused(), -EINVAL);
	recv_zc(0)->zcrx_ifq_idx = 1;
	ck_assert_int_eq(refused(), -EINVAL);
	recv_zc(0)->zcrx_ifq_idx = UINT32_MAX;
	ck_assert_int_eq(refused(), -EINVAL);
	recv_zc(0)->addr = 1;
	ck_assert_int_eq(refused(), -EINVAL);
	recv_zc(0)->addr2 = 1;
	ck_assert_int_eq(refused(), -EINVAL);
	recv_zc(0)->addr3 = 1;
	ck_assert_int_eq(refused(), -EINVAL);
	recv_zc(0)->msg_flags = MSG_DONTWAIT;
	ck_assert_int_eq(refused(), -EINVAL);
	recv_zc(0)->buf_index = 1;
	ck_assert_int_eq(refused(), -EINVAL);
	recv_zc(0)->flags |= RINGD_SQE_BUFFER_SELECT;
	ck_assert_int_eq(refused(), -EOPNOTSUPP);
	ck_assert_uint_eq(z->refs, 1);
}
END_TEST

START_TEST(only_tcp)
{
	int un[2], udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), p[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, un), 0);
	ck_assert_int_eq(pipe(p), 0);
	rd_tc_file(&c, 1, udp, 0);
	rd_tc_file(&c, 2, un[0], 0);
	rd_tc_file(&c, 3, p[0], 0);
	recv_zc_of(&c, 1, 0);
	ck_assert_int_eq(refused(), -EPROTONOSUPPORT);
	recv_zc_of(&c, 2, 0);
	ck_assert_int_eq(refused(), -EPROTONOSUPPORT);
	recv_zc_of(&c, 3, 0);
	ck_assert_int_eq(refused(), -ENOTSOCK);
	recv_zc_of(&c, 9, 0);
	ck_assert_int_eq(refused(), -EBADF);
	rd_tc_file(&c, 1, listener, 0);
	recv_zc_of(&c, 1, 0);
	ck_assert_int_eq(refused(), -ENOTCONN);
	close(udp);
	close(un[0]);
	close(un[1]);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(one_at_a_time)
{
	start(0);
	recv_zc(0);
	ck_assert_int_eq(refused(), -EBUSY);
	put("x", 1);
	expect_data("x", 1);
	shutdown(pair[1], SHUT_WR);
	expect_end(0);
	recv_zc(0);
	ck_assert_int_eq(refused(), 0);		/* and again one after the other */
}
END_TEST

/* --- data --- */

START_TEST(data_comes_in_buffers_until_the_end)
{
	char page[PAGE + 100];

	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (char)(i * 7);
	put("hello", 5);
	start(0);
	ck_assert_uint_eq(expect_data("hello", 5), 0);
	nothing_comes();
	put(page, sizeof(page));
	ck_assert_uint_eq(expect_data(page, PAGE), PAGE);
	ck_assert_uint_eq(expect_data(page + PAGE, 100), 2 * PAGE);
	shutdown(pair[1], SHUT_WR);
	expect_end(0);
	ck_assert_uint_eq(z->refs, 1);
}
END_TEST

START_TEST(a_limit_is_exact)
{
	put("0123456789", 10);
	start(4);
	expect_data("0123", 4);
	expect_end(0);
	start(6);
	expect_data("456789", 6);
	expect_end(0);
}
END_TEST

START_TEST(a_limit_over_many_transfers)
{
	start(5);
	put("abc", 3);
	expect_data("abc", 3);
	put("defg", 4);
	expect_data("de", 2);
	expect_end(0);
	ck_assert_int_eq(recv(pair[0], area, 2, MSG_WAITALL), 2);
}
END_TEST

START_TEST(a_peer_that_resets)
{
	struct linger now = { .l_onoff = 1 };

	start(0);
	nothing_comes();
	ck_assert_int_eq(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	shut(&pair[1]);
	expect_end(-ECONNRESET);
}
END_TEST

/* --- buffers --- */

static void use_up_all(uint64_t off[BUFS])
{
	start(0);
	for (unsigned int i = 0; i < BUFS; i++) {
		char byte = (char)('a' + i);

		put(&byte, 1);
		off[i] = expect_data(&byte, 1);
	}
}

START_TEST(without_buffers_it_waits_until_one_comes_back)
{
	uint64_t off[BUFS];

	use_up_all(off);
	put("next", 4);
	nothing_comes();
	give_back(off[2] + 10);
	ck_assert_uint_eq(expect_data("next", 4), off[2]);
	put("more", 4);
	nothing_comes();
	give_back(off[2]);
	give_back(off[2]);		/* once is enough */
	ck_assert_uint_eq(expect_data("more", 4), off[2]);
	put("last", 4);
	nothing_comes();
	ck_assert_uint_eq(z->n_free, 0);
	rd_zcrx_flush(z);
	nothing_comes();
	give_back(off[0]);
	rd_zcrx_flush(z);		/* as ZCRX_CTRL */
	expect_data("last", 4);
}
END_TEST

START_TEST(without_buffers_the_end_is_still_heard)
{
	uint64_t off[BUFS];

	use_up_all(off);
	nothing_comes();		/* there is nothing to be put into one: it waits for the socket */
	shutdown(pair[1], SHUT_WR);
	expect_end(0);
}
END_TEST

START_TEST(who_waits_for_a_buffer_can_be_cancelled)
{
	uint64_t off[BUFS];
	struct ringd_sqe *sqe;

	use_up_all(off);
	put("x", 1);
	nothing_comes();
	sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);
	sqe->cancel_flags = RINGD_ASYNC_CANCEL_ANY;
	rd_tc_submit(&c);
	ck_assert_int_eq(next_of(&c).cqe.res + next_of(&c).cqe.res, 1 - ECANCELED);
	give_back(off[0]);
	nothing_comes();
	ck_assert_uint_eq(z->refs, 1);
	ck_assert_int_eq(recv(pair[0], area, PAGE, 0), 1);	/* and took nothing */
}
END_TEST

/* Something else is ready, for ever: that is not waited for. */
START_TEST(a_full_error_queue_is_no_data)
{
	unsigned int on = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
	struct pollfd p = { .fd = pair[0] };
	uint64_t polled;

	ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_TIMESTAMPING, &on, sizeof(on)), 0);
	ck_assert_int_eq(send(pair[0], "x", 1, 0), 1);
	ck_assert_int_eq(poll(&p, 1, -1), 1);
	ck_assert_int_eq(p.revents & POLLERR, POLLERR);
	start(0);
	nothing_comes();
	polled = th.engine.stats.polled;
	nothing_comes();
	ck_assert_uint_eq(th.engine.stats.polled, polled);
	put("x", 1);
	expect_data("x", 1);
}
END_TEST

START_TEST(who_waits_for_data_can_be_cancelled)
{
	struct ringd_sqe *sqe;

	start(0);
	nothing_comes();
	sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);
	sqe->cancel_flags = RINGD_ASYNC_CANCEL_ANY;
	rd_tc_submit(&c);
	ck_assert_int_eq(next_of(&c).cqe.res + next_of(&c).cqe.res, 1 - ECANCELED);
	start(0);			/* the socket is free again */
	put("x", 1);
	expect_data("x", 1);
}
END_TEST

START_TEST(a_ring_ends_while_somebody_waits_for_a_buffer)
{
	uint64_t off[BUFS];

	rd_zcrx_get(z);
	use_up_all(off);
	put("x", 1);
	nothing_comes();
	rd_tc_close(&c);
	ck_assert_uint_eq(z->refs, 1);
	ck_assert(rd_list_empty(&z->waiters));
	give_back(off[0]);
	rd_zcrx_flush(z);
	ck_assert_uint_eq(z->n_free, 1);
	rd_zcrx_put(z);
}
END_TEST

/* The first has been woken and had no turn yet; the buffer that its end leaves is not for one that ends with the same ring. */
START_TEST(a_ring_ends_between_a_buffer_and_its_turn)
{
	int second[2], third[2];
	uint64_t off[BUFS];

	tcp_pair(second);
	tcp_pair(third);
	rd_tc_file(&c, 1, second[0], 0);
	rd_tc_file(&c, 2, third[0], 0);
	use_up_all(off);
	recv_zc_of(&c, 1, 0);
	recv_zc_of(&c, 2, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	put("one", 3);
	put_to(second[1], second[0], "two", 3);
	put_to(third[1], third[0], "two", 3);
	nothing_comes();
	give_back(off[0]);
	rd_tc_enter(&c, 0, 0);
	ck_assert_uint_eq(z->n_free, 1);
	rd_tc_close(&c);
	close(second[0]);
	close(second[1]);
	close(third[0]);
	close(third[1]);
}
END_TEST

START_TEST(a_slot_may_be_emptied_while_it_receives)
{
	start(0);
	put("a", 1);
	expect_data("a", 1);
	rd_filetable_deinit(&c.ring->ctx.files);
	put("b", 1);
	expect_data("b", 1);
}
END_TEST

START_TEST(buffers_that_one_does_not_need_are_for_the_next)
{
	int second[2];
	uint64_t off[BUFS];
	struct big_cqe b;

	tcp_pair(second);
	rd_tc_file(&c, 1, second[0], 0);
	use_up_all(off);
	recv_zc_of(&c, 1, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	put("one", 3);
	put_to(second[1], second[0], "two", 3);
	nothing_comes();		/* both wait */
	ck_assert_int_eq(recv(pair[0], area, PAGE, 0), 3);	/* somebody else was faster */
	give_back(off[0]);
	b = next_of(&c);
	ck_assert_int_eq(b.cqe.res, 3);
	ck_assert_mem_eq(area + b.off, "two", 3);
	close(second[0]);
	close(second[1]);
}
END_TEST

/* The same inside one enter of a client that waits: nobody looks at the refill ring again. */
static void pass_on_without_another_enter(bool at_its_end)
{
	int second[2];
	uint64_t off[BUFS];
	struct big_cqe b = { 0 };

	tcp_pair(second);
	rd_tc_file(&c, 1, second[0], 0);
	use_up_all(off);
	recv_zc_of(&c, 1, 0)->user_data = 77;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	put("one", 3);
	put_to(second[1], second[0], "two", 3);
	nothing_comes();
	ck_assert_int_eq(recv(pair[0], area, PAGE, 0), 3);
	if (at_its_end) {
		struct pollfd p = { .fd = pair[0], .events = POLLRDHUP };

		shutdown(pair[1], SHUT_WR);
		ck_assert_int_eq(poll(&p, 1, -1), 1);
	}
	give_back(off[0]);
	c.hot->waiting = 1;
	rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
	while (b.cqe.user_data != 77) {
		if (!peek(&c, &b))
			rd_th_turn(&th);
	}
	ck_assert_int_eq(b.cqe.res, 3);
	c.hot->waiting = 0;
	close(second[0]);
	close(second[1]);
}

START_TEST(a_buffer_is_passed_on_by_who_has_no_data)
{
	pass_on_without_another_enter(false);
}
END_TEST

START_TEST(a_buffer_is_passed_on_by_who_ends)
{
	pass_on_without_another_enter(true);
}
END_TEST

START_TEST(an_area_of_two_rings)
{
	struct big_cqe b;
	uint64_t off[BUFS];
	int second[2];

	rd_tc_open(&other, &th, 16, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_CQE32);
	ck_assert_int_eq(rd_zcrxs_add(&other.ring->ctx.zcrxs, &th.engine.user, z), 0);
	tcp_pair(second);
	rd_tc_files(&other, 1);
	rd_tc_file(&other, 0, second[0], 0);
	use_up_all(off);
	recv_zc_of(&other, 0, 0);
	ck_assert_int_eq(rd_tc_submit(&other), 1);
	put_to(second[1], second[0], "hello", 5);
	rd_tc_enter(&other, 0, RINGD_ENTER_GETEVENTS);
	ck_assert(!peek(&other, &b));
	/* what the one gives back is for the other, whose end changes nothing for the one */
	give_back(off[1]);
	rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
	b = next_of(&other);
	ck_assert_int_eq(b.cqe.res, 5);
	ck_assert_uint_eq(b.off, off[1]);
	ck_assert_mem_eq(area + b.off, "hello", 5);
	rd_tc_close(&other);
	ck_assert_uint_eq(z->refs, 2);
	give_back(off[1]);
	put("on", 2);
	expect_data("on", 2);
	close(second[0]);
	close(second[1]);
}
END_TEST

/* --- the CQ --- */

START_TEST(a_full_cq_ends_it_and_the_data_stays)
{
	/* more than the CQ has room for, in buffers that come back before they are asked for */
	uint32_t room = c.layout.cq_entries, n = 0;
	struct rd_zcrx *many = new_area(12, 2 * c.layout.cq_entries);
	char *data = calloc(1, (size_t)room * PAGE * 2);
	struct big_cqe b;
	ssize_t sent;
	int32_t got = 0;

	ck_assert_int_eq(rd_zcrxs_add(&c.ring->ctx.zcrxs, &th.engine.user, many), 1);
	rd_zcrx_put(many);
	recv_zc(0)->zcrx_ifq_idx = 1;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	/* one CQE per byte, and one enter each */
	for (uint32_t i = 0; i < room + 2; i++) {
		put("x", 1);
		rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
		rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
	}
	sent = room + 2;
	while (peek(&c, &b)) {
		ck_assert_int_eq(b.cqe.res, 1);
		got += b.cqe.res;
		n++;
	}
	ck_assert_uint_eq(n, c.params.flags & RINGD_SETUP_CQE_MIXED ? room / 2 : room);
	expect_end(-ENOSPC);
	ck_assert_int_eq(recv(pair[0], data, (size_t)(sent - got), MSG_WAITALL), sent - got);
	free(data);
}
END_TEST

START_TEST(a_full_cq_and_nothing_to_say)
{
	uint64_t off[BUFS];
	struct big_cqe b;

	use_up_all(off);
	for (unsigned int i = 0; i < c.layout.cq_entries; i++) {
		rd_tc_sqe(&c, RINGD_OP_NOP);
		rd_tc_submit(&c);
	}
	shutdown(pair[1], SHUT_WR);
	for (unsigned int i = 0; i < c.layout.cq_entries; i++)
		ck_assert_int_eq(next_of(&c).cqe.res, 0);
	b = next_of(&c);
	ck_assert_int_eq(b.cqe.res, 0);
	ck_assert_uint_eq(b.cqe.flags, 0);
}
END_TEST

START_TEST(others_have_their_turn)
{
	struct rd_zcrx *many = new_area(12, 128);
	char *data = calloc(1, 100 * PAGE);
	size_t total = 0;
	int size = 1 << 20;
	struct big_cqe b;

	ck_assert_int_eq(rd_zcrxs_add(&c.ring->ctx.zcrxs, &th.engine.user, many), 1);
	rd_zcrx_put(many);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	put(data, 100 * PAGE);
	recv_zc(0)->zcrx_ifq_idx = 1;
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	while (total < 100 * PAGE) {
		b = next_of(&c);
		if (b.cqe.flags & RINGD_CQE_F_MORE)
			total += (size_t)b.cqe.res;
		else if (total)		/* the NOP, between the first transfers and the rest */
			ck_assert_uint_lt(total, 100 * PAGE);
		if (!(b.cqe.flags & RINGD_CQE_F_MORE))
			ck_assert_uint_eq(b.cqe.user_data, c.user_data);
	}
	ck_assert_uint_eq(total, 100 * PAGE);
	free(data);
}
END_TEST

START_TEST(buffers_larger_than_a_page)
{
	struct rd_zcrx *large = new_area(16, 2);
	char *data = malloc(3 * PAGE);
	size_t got = 0;

	memset(data, 'q', 3 * PAGE);
	ck_assert_int_eq(rd_zcrxs_add(&c.ring->ctx.zcrxs, &th.engine.user, large), 1);
	rd_zcrx_put(large);
	put(data, 3 * PAGE);
	recv_zc(3 * PAGE)->zcrx_ifq_idx = 1;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	while (got < 3 * PAGE) {
		struct big_cqe b = next_of(&c);

		ck_assert_int_gt(b.cqe.res, 0);
		ck_assert_uint_eq(b.off % 65536, 0);
		ck_assert_mem_eq(large->area + b.off, data, (size_t)b.cqe.res);
		got += (size_t)b.cqe.res;
	}
	expect_end(0);
	free(data);
}
END_TEST

START_TEST(a_chain_waits_for_its_end)
{
	put("abc", 3);
	recv_zc(3)->flags |= RINGD_SQE_IO_LINK;
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	expect_data("abc", 3);
	expect_end(0);
	expect_end(0);			/* the NOP */
	recv_zc(3)->flags |= RINGD_SQE_IO_LINK;
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	shutdown(pair[1], SHUT_WR);
	expect_end(0);			/* the end of the stream breaks it */
	expect_end(-ECANCELED);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		fields_that_are_not_of_it, only_tcp, one_at_a_time, data_comes_in_buffers_until_the_end, a_limit_is_exact,
		a_limit_over_many_transfers, a_peer_that_resets, without_buffers_it_waits_until_one_comes_back,
		without_buffers_the_end_is_still_heard, who_waits_for_a_buffer_can_be_cancelled,
		a_full_error_queue_is_no_data, who_waits_for_data_can_be_cancelled, a_ring_ends_while_somebody_waits_for_a_buffer,
		a_ring_ends_between_a_buffer_and_its_turn,
		a_slot_may_be_emptied_while_it_receives, buffers_that_one_does_not_need_are_for_the_next, a_buffer_is_passed_on_by_who_has_no_data,
		a_buffer_is_passed_on_by_who_ends, an_area_of_two_rings,
		a_full_cq_ends_it_and_the_data_stays, a_full_cq_and_nothing_to_say, others_have_their_turn,
		buffers_larger_than_a_page, a_chain_waits_for_its_end,
	};
	Suite *s = suite_create("RECV_ZC");
	TCase *sync = tcase_create("back end sync"), *uring = tcase_create("back end uring"), *mixed = tcase_create("mixed CQEs");
	bool have_uring = rd_th_backend_works(RD_BACKEND_URING);

	tcase_add_checked_fixture(sync, setup_sync, teardown);
	tcase_add_checked_fixture(uring, setup_uring, teardown);
	tcase_add_checked_fixture(mixed, setup_mixed, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++) {
		tcase_add_test(sync, tests[i]);
		tcase_add_test(uring, tests[i]);
		tcase_add_test(mixed, tests[i]);
	}
	suite_add_tcase(s, sync);
	if (have_uring)
		suite_add_tcase(s, uring);
	suite_add_tcase(s, mixed);
	return rd_suite_main(s);
}
