/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACCEPT in the test host: listeners of the engine's own and of the client's, one connection and many. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

#define TABLE	8
#define LISTENER 0	/* slot */

static struct rd_testhost th;
static struct rd_testclient c;
static struct sockaddr_in at;	/* of the listener */
static int mine;		/* a listener of the client's, or -1: it is the engine's, in its slot */

/* --- listeners --- */

static int32_t run_on_slot(struct ringd_sqe *sqe)
{
	sqe->fd = LISTENER;
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	return rd_tc_run(&c);
}

static void know_address(int fd)
{
	socklen_t len = sizeof(at);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
}

static void listen_in_slot(void)
{
	struct sockaddr_in *any = rd_th_alloc(&th, sizeof(*any));
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_SOCKET);

	sqe->fd = AF_INET;
	sqe->off = SOCK_STREAM;
	sqe->file_index = LISTENER + 1;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	any->sin_family = AF_INET;
	any->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sqe = rd_tc_sqe(&c, RINGD_OP_BIND);
	sqe->addr = (uintptr_t)any;
	sqe->addr2 = sizeof(*any);
	ck_assert_int_eq(run_on_slot(sqe), 0);
	sqe = rd_tc_sqe(&c, RINGD_OP_LISTEN);
	sqe->len = 128;
	ck_assert_int_eq(run_on_slot(sqe), 0);
	know_address(c.ring->ctx.files.slots[LISTENER]->fd);
}

static void listen_mine(int flags)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	mine = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	ck_assert_int_ge(mine, 0);
	ck_assert_int_eq(bind(mine, (const struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(listen(mine, 128), 0);
	know_address(mine);
	rd_th_lend(&th, mine);
}

static int come(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* Which listener: tests run for each. */
enum { OWN, BLOCKING, NONBLOCKING, KINDS };

static void use_listener(int kind)
{
	rd_tc_files(&c, TABLE);
	mine = -1;
	if (kind == OWN)
		listen_in_slot();
	else
		listen_mine(kind == NONBLOCKING ? SOCK_NONBLOCK : 0);
}

static void setup(int kind)
{
	rd_tc_open(&c, &th, 64, 0);
	use_listener(kind);
}

static void setup_sync(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
}

static void setup_uring(void)
{
	rd_th_init(&th, RD_BACKEND_URING);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	if (mine >= 0)
		close(mine);
}

/* --- requests --- */

static struct ringd_sqe *accept_sqe(uint32_t file_index, uint16_t ioprio)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_ACCEPT);

	sqe->fd = mine >= 0 ? mine : LISTENER;
	sqe->flags = mine >= 0 ? 0 : RINGD_SQE_FIXED_FILE;
	sqe->file_index = file_index;
	sqe->ioprio = ioprio;
	return sqe;
}

static uint64_t submit_accept(uint32_t file_index, uint16_t ioprio)
{
	struct ringd_sqe *sqe = accept_sqe(file_index, ioprio);
	uint64_t user_data = sqe->user_data;

	ck_assert_int_eq(rd_tc_submit(&c), 1);
	return user_data;
}

static void cancel(uint64_t user_data)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);

	sqe->addr = user_data;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
}

/* Are the two ends of one connection? */
static void assert_peer(int fd, int client)
{
	struct sockaddr_in a, b;
	socklen_t len = sizeof(a), len2 = sizeof(b);

	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&a, &len), 0);
	ck_assert_int_eq(getsockname(client, (struct sockaddr *)&b, &len2), 0);
	ck_assert_int_eq(a.sin_port, b.sin_port);
}

/* --- tests --- */

START_TEST(a_connection_becomes_a_descriptor)
{
	struct ringd_cqe cqe;
	uint64_t id;
	int client;

	setup(_i);
	id = submit_accept(0, 0);
	rd_tc_expect_none(&c);
	client = come();
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, id);
	ck_assert_int_ge(cqe.res, 0);
	ck_assert_uint_eq(cqe.flags, 0);
	assert_peer(cqe.res, client);
	ck_assert_int_eq(fcntl(cqe.res, F_GETFL) & O_NONBLOCK, 0);
	close(cqe.res);
	close(client);
}
END_TEST

START_TEST(more_pending_is_told)
{
	int client[2];

	setup(_i);
	client[0] = come();
	client[1] = come();
	rd_tc_expect(&c, submit_accept(3, 0), 0, RINGD_CQE_F_SOCK_NONEMPTY);
	rd_tc_expect(&c, submit_accept(4, 0), 0, 0);
	assert_peer(c.ring->ctx.files.slots[2]->fd, client[0]);
	assert_peer(c.ring->ctx.files.slots[3]->fd, client[1]);
	close(client[0]);
	close(client[1]);
}
END_TEST

START_TEST(many_by_one_request)
{
	int client[5];
	uint64_t id;

	setup(_i);
	client[0] = come();
	client[1] = come();
	id = submit_accept(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_MULTISHOT);
	rd_tc_expect(&c, id, 1 - (mine >= 0), RINGD_CQE_F_MORE | RINGD_CQE_F_SOCK_NONEMPTY);
	rd_tc_expect(&c, id, 2 - (mine >= 0), RINGD_CQE_F_MORE);
	for (int i = 2; i < 5; i++) {
		rd_tc_expect_none(&c);
		client[i] = come();
		rd_tc_expect(&c, id, i + (mine < 0), RINGD_CQE_F_MORE);
	}
	cancel(id);
	rd_tc_expect(&c, id + 1, 0, 0);
	rd_tc_expect(&c, id, -ECANCELED, 0);
	for (int i = 0; i < 5; i++)
		close(client[i]);
}
END_TEST

START_TEST(many_descriptors)
{
	uint64_t id;

	setup(_i);
	id = submit_accept(0, RINGD_ACCEPT_MULTISHOT);
	for (int i = 0; i < 3; i++) {
		int client = come();
		struct ringd_cqe cqe = rd_tc_wait(&c);

		ck_assert_uint_eq(cqe.user_data, id);
		ck_assert_uint_eq(cqe.flags, RINGD_CQE_F_MORE);
		assert_peer(cqe.res, client);
		close(cqe.res);
		close(client);
	}
}
END_TEST

START_TEST(fields_of_accept)
{
	struct ringd_sqe *sqe;

	setup(_i);
	for (int i = 0; i < 7; i++) {
		sqe = accept_sqe(i == 5 || i == 6 ? 2 : 0, 0);
		if (i == 0)
			sqe->len = 1;
		if (i == 1)
			sqe->buf_index = 1;
		if (i == 2)
			sqe->accept_flags = 1;
		if (i == 3)
			sqe->ioprio = 8;
		if (i == 4)
			sqe->accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC | 0x100;
		if (i == 5)
			sqe->accept_flags = SOCK_CLOEXEC;
		if (i == 6)
			sqe->ioprio = RINGD_ACCEPT_MULTISHOT;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
	th.can_install = false;
	accept_sqe(0, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EOPNOTSUPP);
}
END_TEST

START_TEST(who_does_not_want_to_wait_does_not)
{
	int client;

	setup(_i);
	rd_tc_expect(&c, submit_accept(0, RINGD_ACCEPT_DONTWAIT), -EAGAIN, 0);
	rd_tc_expect(&c, submit_accept(0, RINGD_ACCEPT_DONTWAIT | RINGD_ACCEPT_POLL_FIRST), -EAGAIN, 0);
	client = come();
	rd_tc_expect(&c, submit_accept(2, RINGD_ACCEPT_POLL_FIRST), 0, 0);
	close(client);
	client = come();
	submit_accept(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_DONTWAIT | RINGD_ACCEPT_MULTISHOT);
	ck_assert_uint_eq(rd_tc_wait(&c).flags, RINGD_CQE_F_MORE);
	ck_assert_int_eq(rd_tc_wait(&c).res, -EAGAIN);
	close(client);
}
END_TEST

/* --- what is not accepted --- */

/* A socket of this type in the listener's place. */
static void other_socket(int kind, int type)
{
	struct ringd_sqe *sqe;

	rd_tc_open(&c, &th, 64, 0);
	rd_tc_files(&c, TABLE);
	mine = -1;
	if (kind == OWN) {
		sqe = rd_tc_sqe(&c, RINGD_OP_SOCKET);
		sqe->fd = AF_INET;
		sqe->off = (uint64_t)type;
		sqe->file_index = LISTENER + 1;
		ck_assert_int_eq(rd_tc_run(&c), 0);
		return;
	}
	mine = socket(AF_INET, type | SOCK_CLOEXEC | (kind == NONBLOCKING ? SOCK_NONBLOCK : 0), 0);
	rd_th_lend(&th, mine);
}

START_TEST(what_does_not_listen)
{
	other_socket(_i, SOCK_STREAM);
	for (uint16_t ioprio = 0; ioprio < 8; ioprio++)
		rd_tc_expect(&c, submit_accept(RINGD_FILE_INDEX_ALLOC, ioprio),
			   (ioprio & 6) == 6 ? -EAGAIN : -EINVAL, 0);	/* who waits first but does not wait */
}
END_TEST

START_TEST(what_cannot_listen)
{
	other_socket(_i, SOCK_DGRAM);
	rd_tc_expect(&c, submit_accept(RINGD_FILE_INDEX_ALLOC, 0), -EOPNOTSUPP, 0);
	rd_tc_expect(&c, submit_accept(0, RINGD_ACCEPT_MULTISHOT), -EOPNOTSUPP, 0);
}
END_TEST

static void fill_table(void)
{
	for (uint32_t i = 0; i < TABLE; i++) {
		if (!c.ring->ctx.files.slots[i])
			rd_tc_file(&c, i, 0, 0);
	}
}

static void empty_slot(uint32_t slot)
{
	rd_tc_sqe(&c, RINGD_OP_CLOSE)->file_index = slot + 1;
	ck_assert_int_eq(rd_tc_run(&c), 0);
}

START_TEST(without_a_slot_the_connection_stays)
{
	uint64_t id;
	int client;

	setup(_i);
	fill_table();
	rd_tc_expect(&c, submit_accept(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_DONTWAIT), -EAGAIN, 0);
	id = submit_accept(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_MULTISHOT);
	rd_tc_expect_none(&c);
	client = come();
	rd_tc_expect(&c, id, -ENFILE, 0);
	rd_tc_expect(&c, submit_accept(RINGD_FILE_INDEX_ALLOC, 0), -ENFILE, 0);
	rd_tc_expect(&c, submit_accept(TABLE + 1, 0), -EINVAL, 0);
	empty_slot(5);
	rd_tc_expect(&c, submit_accept(RINGD_FILE_INDEX_ALLOC, 0), 5, 0);
	assert_peer(c.ring->ctx.files.slots[5]->fd, client);
	close(client);
}
END_TEST

START_TEST(without_budget_the_connection_stays)
{
	uint64_t id;
	int client[2];

	setup(_i);
	th.engine.user.limit[RINGD_LIMIT_FILES] = th.engine.user.used[RINGD_LIMIT_FILES] + 1;
	id = submit_accept(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_MULTISHOT);
	for (int i = 0; i < 2; i++)
		client[i] = come();
	ck_assert_int_eq(rd_tc_wait(&c).res, mine < 0);
	rd_tc_expect(&c, id, -EDQUOT, 0);
	rd_tc_expect(&c, submit_accept(RINGD_FILE_INDEX_ALLOC, 0), -EDQUOT, 0);
	rd_tc_expect(&c, submit_accept(0, 0), -EDQUOT, 0);
	th.engine.user.limit[RINGD_LIMIT_FILES]++;
	rd_tc_expect(&c, submit_accept(6, 0), 0, 0);
	assert_peer(c.ring->ctx.files.slots[5]->fd, client[1]);
	for (int i = 0; i < 2; i++)
		close(client[i]);
}
END_TEST

START_TEST(without_a_table_the_connection_stays)
{
	struct ringd_cqe cqe;
	int client;

	if (_i == OWN)
		return;		/* its listener is in the table */
	rd_tc_open(&c, &th, 64, 0);
	listen_mine(0);
	client = come();
	rd_tc_expect(&c, submit_accept(RINGD_FILE_INDEX_ALLOC, 0), -ENFILE, 0);
	rd_tc_expect(&c, submit_accept(1, 0), -ENXIO, 0);
	submit_accept(0, 0);
	cqe = rd_tc_wait(&c);
	assert_peer(cqe.res, client);
	close(cqe.res);
	close(client);
}
END_TEST

/* --- addresses --- */

static struct peer {
	struct sockaddr_in addr;
	char behind[16];
} *peer;
static int32_t *peer_len;

static void want_peer(struct ringd_sqe *sqe, int32_t room)
{
	if (!peer) {
		peer = rd_th_alloc(&th, sizeof(*peer));
		peer_len = rd_th_alloc(&th, sizeof(*peer_len));
	}
	memset(peer, 0x55, sizeof(*peer));
	*peer_len = room;
	sqe->addr = (uintptr_t)peer;
	sqe->addr2 = (uintptr_t)peer_len;
}

START_TEST(the_peer_is_told)
{
	static const int32_t rooms[] = { 0, 4, 16, 200 };
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	setup(_i);
	peer = NULL;
	for (size_t i = 0; i < RD_ARRAY_SIZE(rooms); i++) {
		int32_t written = RD_MIN(rooms[i], (int32_t)sizeof(a));
		int client = come();

		ck_assert_int_eq(getsockname(client, (struct sockaddr *)&a, &len), 0);
		want_peer(accept_sqe(2, 0), rooms[i]);
		ck_assert_int_eq(rd_tc_run(&c), 0);
		ck_assert_int_eq(*peer_len, sizeof(a));
		ck_assert_mem_eq(peer, &a, (size_t)RD_MIN(written, 8));
		ck_assert_int_eq(((char *)peer)[written], 0x55);
		close(client);
	}
}
END_TEST

START_TEST(each_peer_is_told)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int client[3];

	setup(_i);
	peer = NULL;
	want_peer(accept_sqe(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_MULTISHOT), sizeof(a));
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	for (int i = 0; i < 3; i++) {
		client[i] = come();
		ck_assert_uint_eq(rd_tc_wait(&c).flags, RINGD_CQE_F_MORE);
		ck_assert_int_eq(getsockname(client[i], (struct sockaddr *)&a, &len), 0);
		ck_assert_uint_eq(peer->addr.sin_port, a.sin_port);
		peer->addr.sin_port = 0;
	}
	for (int i = 0; i < 3; i++)
		close(client[i]);
}
END_TEST

START_TEST(a_peer_that_cannot_be_told_is_lost)
{
	char byte;

	setup(_i);
	peer = NULL;
	for (int i = 0; i < 3; i++) {
		struct ringd_sqe *sqe = accept_sqe(RINGD_FILE_INDEX_ALLOC, i == 2 ? RINGD_ACCEPT_MULTISHOT : 0);
		int client;

		want_peer(sqe, i == 1 ? -1 : 16);
		if (i == 0)
			sqe->addr2 = 0;
		if (i == 2)
			sqe->addr = 16;
		ck_assert_int_eq(rd_tc_submit(&c), 1);
		rd_tc_expect_none(&c);		/* before there is one, nothing is wrong */
		client = come();
		ck_assert_int_eq(rd_tc_wait(&c).res, i == 1 ? -EINVAL : -EFAULT);
		ck_assert_int_eq(read(client, &byte, 1), 0);
		close(client);
	}
	/* what nobody wants to know needs no room */
	accept_sqe(2, 0)->addr2 = 16;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	close(come());
	ck_assert_int_eq(rd_tc_wait(&c).res, 0);
}
END_TEST

/* --- the end of a listener --- */

START_TEST(a_listener_that_is_shut_down)
{
	struct ringd_sqe *sqe;
	struct ringd_cqe cqe;
	uint64_t last;

	setup(_i);
	submit_accept(0, 0);
	submit_accept(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_MULTISHOT);
	last = submit_accept(0, 0);
	sqe = rd_tc_sqe(&c, RINGD_OP_SHUTDOWN);
	sqe->fd = mine >= 0 ? mine : LISTENER;
	sqe->flags = mine >= 0 ? 0 : RINGD_SQE_FIXED_FILE;
	sqe->len = SHUT_RD;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	for (int i = 0; i < 4; i++) {
		cqe = rd_tc_wait(&c);
		ck_assert_uint_eq(cqe.flags, 0);
		ck_assert_int_eq(cqe.res, cqe.user_data > last ? 0 : -EINVAL);
	}
}
END_TEST

START_TEST(a_listener_that_is_closed_goes_on)
{
	uint64_t id;
	int client;

	setup(_i);
	id = submit_accept(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_MULTISHOT);
	rd_tc_expect_none(&c);
	if (_i == OWN)
		empty_slot(LISTENER);
	else
		close(mine);
	rd_tc_expect_none(&c);
	client = come();
	rd_tc_expect(&c, id, 0, RINGD_CQE_F_MORE);
	close(client);
	mine = -1;
}
END_TEST

START_TEST(a_ring_may_die_at_any_time)
{
	int client[20];

	setup(_i);
	for (int i = 0; i < 4; i++)
		submit_accept(i & 1 ? 0 : RINGD_FILE_INDEX_ALLOC, i & 2 ? RINGD_ACCEPT_MULTISHOT : 0);
	for (int i = 0; i < 20; i++)
		client[i] = come();
	for (int i = 0; i < 20; i++)
		close(client[i]);
	rd_tc_close(&c);
}
END_TEST

/* Who asks for its end is told that it comes: then it has to. */
START_TEST(stopped_on_its_way_back_it_does_not_go_on)
{
	struct rd_link *pending;
	struct ringd_cqe cqe;
	uint64_t user_data;
	int client;

	rd_tc_open(&c, &th, 64, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER);
	use_listener(_i);
	user_data = submit_accept(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_MULTISHOT);
	pending = &c.ring->ctx.pending;
	client = come();
	for (int i = 0; i < 2; i++) {
		/* readiness, and what came of the attempt */
		const struct rd_req *req = rd_list_first(pending, struct rd_req, link);

		while (!req->tasked)
			rd_th_turn(&th);
		if (i || _i == OWN)
			break;
		rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
	}
	cancel(user_data);
	while (!rd_list_empty(pending))
		rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
	do
		ck_assert(rd_tc_peek(&c, &cqe));
	while (cqe.user_data != user_data || (cqe.flags & RINGD_CQE_F_MORE));
	ck_assert_int_eq(cqe.res, -ECANCELED);
	close(client);
}
END_TEST

/* --- several requests --- */

START_TEST(one_connection_is_for_one_request)
{
	int client[6];
	uint64_t id[6], polled;

	setup(_i);
	for (int i = 0; i < 6; i++)
		id[i] = submit_accept(3, 0);
	polled = th.engine.stats.polled;
	client[0] = come();
	rd_tc_expect(&c, id[0], 0, 0);
	rd_tc_expect_none(&c);
	ck_assert_uint_eq(th.engine.stats.polled, polled);	/* nobody looked in vain */
	/* two at once are two events, or one */
	client[1] = come();
	client[2] = come();
	ck_assert_uint_eq(rd_tc_wait(&c).user_data, id[1]);
	ck_assert_uint_eq(rd_tc_wait(&c).user_data, id[2]);
	rd_tc_expect_none(&c);
	/* who is cancelled leaves it to the next */
	cancel(id[3]);
	ck_assert_uint_eq(rd_tc_wait(&c).user_data, id[5] + 1);
	rd_tc_expect(&c, id[3], -ECANCELED, 0);
	client[3] = come();
	rd_tc_expect(&c, id[4], 0, 0);
	client[4] = come();
	rd_tc_expect(&c, id[5], 0, 0);
	for (int i = 0; i < 5; i++)
		close(client[i]);
}
END_TEST

START_TEST(who_ends_leaves_the_rest_to_others)
{
	int client[3];
	uint64_t id[2];

	setup(_i);
	fill_table();
	id[0] = submit_accept(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_MULTISHOT);
	id[1] = submit_accept(3, 0);
	client[0] = come();
	rd_tc_expect(&c, id[0], -ENFILE, 0);
	rd_tc_expect(&c, id[1], 0, 0);
	rd_tc_expect_none(&c);
	close(client[0]);
}
END_TEST

START_TEST(a_full_cq_ends_it)
{
	struct ringd_params params = { .sq_entries = 2, .cq_entries = 2,
				       .flags = RINGD_SETUP_CQSIZE | RINGD_SETUP_NO_SQARRAY };
	struct ringd_cqe cqe;
	int client[3];
	uint64_t id;

	mine = -1;
	rd_tc_open_params(&c, &th, &params);
	rd_tc_files(&c, TABLE);
	if (_i == OWN)
		listen_in_slot();
	else
		listen_mine(0);
	id = submit_accept(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_MULTISHOT);
	for (int i = 0; i < 3; i++)
		client[i] = come();
	while (c.ring->ctx.inflight)
		rd_th_turn(&th);
	for (int i = 0; i < 3; i++) {
		if (i == 2)
			rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
		cqe = rd_tc_wait(&c);
		ck_assert_uint_eq(cqe.user_data, id);
		ck_assert_int_eq(cqe.res, i + (mine < 0));
		ck_assert_uint_eq(cqe.flags & RINGD_CQE_F_MORE, i < 2 ? RINGD_CQE_F_MORE : 0);
	}
	for (int i = 0; i < 3; i++)
		close(client[i]);
}
END_TEST

/* --- others --- */

START_TEST(unix_connections)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len;
	int client[40];
	uint64_t id;

	setup(_i);
	len = (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)snprintf(un.sun_path + 1, 60, "ringd-accept-%d-%d", (int)getpid(), _i));
	if (_i == OWN) {
		struct sockaddr_un *name = rd_th_alloc(&th, sizeof(*name));
		struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_SOCKET);

		*name = un;
		sqe->fd = AF_UNIX;
		sqe->off = SOCK_STREAM;
		sqe->file_index = LISTENER + 1;
		ck_assert_int_eq(rd_tc_run(&c), 0);
		sqe = rd_tc_sqe(&c, RINGD_OP_BIND);
		sqe->addr = (uintptr_t)name;
		sqe->addr2 = len;
		ck_assert_int_eq(run_on_slot(sqe), 0);
		sqe = rd_tc_sqe(&c, RINGD_OP_LISTEN);
		sqe->len = 128;
		ck_assert_int_eq(run_on_slot(sqe), 0);
	} else {
		close(mine);
		mine = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (_i == NONBLOCKING ? SOCK_NONBLOCK : 0), 0);
		ck_assert_int_eq(bind(mine, (struct sockaddr *)&un, len), 0);
		ck_assert_int_eq(listen(mine, 128), 0);
		th.n_lent--;
		rd_file_put(th.lent[th.n_lent].file);
		rd_th_lend(&th, mine);
	}
	id = submit_accept(0, RINGD_ACCEPT_MULTISHOT);
	for (int i = 0; i < 40; i++) {
		client[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(connect(client[i], (struct sockaddr *)&un, len), 0);
	}
	for (int i = 0; i < 40; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);

		ck_assert_uint_eq(cqe.user_data, id);
		ck_assert_uint_eq(cqe.flags, RINGD_CQE_F_MORE);	/* these do not tell whether there are more */
		close(cqe.res);
		close(client[i]);
	}
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(others_have_their_turn)
{
	struct ringd_cqe cqe;
	int client[40], before = 0;

	rd_tc_open(&c, &th, 64, 0);
	rd_tc_files(&c, 64);
	mine = -1;
	listen_in_slot();
	for (int i = 0; i < 40; i++)
		client[i] = come();
	accept_sqe(RINGD_FILE_INDEX_ALLOC, RINGD_ACCEPT_MULTISHOT);
	rd_tc_sqe(&c, RINGD_OP_NOP)->user_data = 1000;
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	for (int i = 0; i < 41; i++) {
		cqe = rd_tc_wait(&c);
		if (cqe.user_data == 1000)
			before = i;
	}
	ck_assert_int_eq(before, 32);
	for (int i = 0; i < 40; i++)
		close(client[i]);
}
END_TEST

START_TEST(a_slot_remembers_what_was_asked_for)
{
	for (int i = 0; i < 2; i++) {
		struct ringd_sqe *sqe;
		int client, fd;

		if (!i)
			setup(_i);
		client = come();
		accept_sqe(4, 0)->accept_flags = i ? SOCK_NONBLOCK : 0;
		ck_assert_int_eq(rd_tc_run(&c), 0);
		sqe = rd_tc_sqe(&c, RINGD_OP_FIXED_FD_INSTALL);
		sqe->fd = 3;
		sqe->flags = RINGD_SQE_FIXED_FILE;
		fd = rd_tc_run(&c);
		ck_assert_int_eq(fcntl(fd, F_GETFL), O_RDWR | (i ? O_NONBLOCK : 0));
		close(fd);
		close(client);
	}
}
END_TEST

START_TEST(a_listener_that_lingers_does_not_keep_anybody_waiting)
{
	const struct linger slow = { .l_onoff = 1, .l_linger = 1000 };
	int client, fd;
	struct ringd_cqe cqe;

	setup(_i);
	fd = mine >= 0 ? mine : c.ring->ctx.files.slots[LISTENER]->fd;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &slow, sizeof(slow)), 0);
	/* each is lost, and is closed */
	peer = NULL;
	want_peer(accept_sqe(RINGD_FILE_INDEX_ALLOC, 0), -1);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	client = come();
	ck_assert_int_eq(rd_tc_wait(&c).res, -EINVAL);
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	cqe = rd_tc_wait(&c);
	ck_assert_int_eq(cqe.res, 0);
	close(client);
}
END_TEST

static void add_both(Suite *s, const char *name, void (*set_up)(void))
{
	const TTest *const tests[] = {
		a_connection_becomes_a_descriptor, more_pending_is_told, many_by_one_request, many_descriptors, fields_of_accept,
		who_does_not_want_to_wait_does_not, what_does_not_listen, what_cannot_listen, without_a_slot_the_connection_stays,
		without_budget_the_connection_stays, without_a_table_the_connection_stays, the_peer_is_told, each_peer_is_told,
		a_peer_that_cannot_be_told_is_lost, a_listener_that_is_shut_down, a_listener_that_is_closed_goes_on,
		a_ring_may_die_at_any_time, one_connection_is_for_one_request, who_ends_leaves_the_rest_to_others,
		a_full_cq_ends_it, unix_connections, stopped_on_its_way_back_it_does_not_go_on, a_slot_remembers_what_was_asked_for,
		a_listener_that_lingers_does_not_keep_anybody_waiting,
	};
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, set_up, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_loop_test(tc, tests[i], 0, KINDS);
	tcase_add_test(tc, others_have_their_turn);
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("ops_accept");

	add_both(s, "sync", setup_sync);
	if (rd_th_backend_works(RD_BACKEND_URING))
		add_both(s, "uring", setup_uring);
	return rd_suite_main(s);
}
