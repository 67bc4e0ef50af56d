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

static void setup(int kind)
{
	rd_tc_open(&c, &th, 64, 0);
	rd_tc_files(&c, TABLE);
	mine = -1;
	if (kind == OWN)
		listen_in_slot();
	else
		listen_mine(kind == NONBLOCKING ? SOCK_NONBLOCK : 0);
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

static void assert_cqe(uint64_t user_data, int32_t res, uint32_t flags)
{
	struct ringd_cqe cqe = rd_tc_wait(&c);

	ck_assert_uint_eq(cqe.user_data, user_data);
	ck_assert_int_eq(cqe.res, res);
	ck_assert_uint_eq(cqe.flags, flags);
}

static void assert_quiet(void)
{
	struct ringd_cqe cqe;

	for (int i = 0; i < 20; i++)
		rd_th_turn(&th);
	ck_assert_msg(!rd_tc_peek(&c, &cqe), "a CQE that nobody expected: %d", cqe.res);
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
	assert_quiet();
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
	assert_cqe(submit_accept(3, 0), 0, RINGD_CQE_F_SOCK_NONEMPTY);
	assert_cqe(submit_accept(4, 0), 0, 0);
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
	assert_cqe(id, 1 - (mine >= 0), RINGD_CQE_F_MORE | RINGD_CQE_F_SOCK_NONEMPTY);
	assert_cqe(id, 2 - (mine >= 0), RINGD_CQE_F_MORE);
	for (int i = 2; i < 5; i++) {
		assert_quiet();
		client[i] = come();
		assert_cqe(id, i + (mine < 0), RINGD_CQE_F_MORE);
	}
	cancel(id);
	assert_cqe(id + 1, 0, 0);
	assert_cqe(id, -ECANCELED, 0);
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

static void add_both(Suite *s, const char *name, void (*set_up)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, set_up, teardown);
	tcase_add_loop_test(tc, a_connection_becomes_a_descriptor, 0, KINDS);
	tcase_add_loop_test(tc, more_pending_is_told, 0, KINDS);
	tcase_add_loop_test(tc, many_by_one_request, 0, KINDS);
	tcase_add_loop_test(tc, many_descriptors, 0, KINDS);
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("ops: accept");

	add_both(s, "sync", setup_sync);
	if (rd_th_backend_works(RD_BACKEND_URING))
		add_both(s, "uring", setup_uring);
	return rd_suite_main(s);
}
