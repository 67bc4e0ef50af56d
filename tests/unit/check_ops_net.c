/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SEND and RECV with segments of their own. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static int sv[2] = { -1, -1 };
static char *buf;

static void make_pair(int family, int type)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(addr);
	int l;

	rd_close(sv[0]);
	rd_close(sv[1]);
	if (family == AF_UNIX) {
		ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv), 0);
		return;
	}
	l = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(l, 0);
	ck_assert_int_eq(bind(l, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&addr, &len), 0);
	sv[0] = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(connect(sv[0], (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (type == SOCK_STREAM) {
		sv[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
		close(l);
		return;
	}
	sv[1] = l;
	ck_assert_int_eq(getsockname(sv[0], (struct sockaddr *)&addr, &len), 0);
	ck_assert_int_eq(connect(sv[1], (struct sockaddr *)&addr, sizeof(addr)), 0);
}

static void setup(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	buf = rd_th_alloc(&th, 1 << 20);
}

static void setup_sync(void)
{
	setup(RD_BACKEND_SYNC);
}

static void setup_uring(void)
{
	setup(RD_BACKEND_URING);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	rd_close(sv[0]);
	rd_close(sv[1]);
	sv[0] = sv[1] = -1;
}

static struct ringd_sqe *net(uint8_t opcode, int fd, const void *addr, uint32_t len)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	return sqe;
}

static const struct {
	int family, type;
} kinds[] = { { AF_UNIX, SOCK_STREAM }, { AF_INET, SOCK_STREAM }, { AF_UNIX, SOCK_DGRAM }, { AF_INET, SOCK_DGRAM },
	      { AF_UNIX, SOCK_SEQPACKET } };

START_TEST(data_comes_and_goes)
{
	make_pair(kinds[_i].family, kinds[_i].type);
	strcpy(buf, "hello");
	net(RINGD_OP_SEND, sv[0], buf, 5);
	ck_assert_int_eq(rd_tc_run(&c), 5);
	net(RINGD_OP_RECV, sv[1], buf + 100, 50);
	ck_assert_int_eq(rd_tc_run(&c), 5);
	ck_assert_str_eq(buf + 100, "hello");
}
END_TEST

START_TEST(a_recv_waits_for_data)
{
	make_pair(kinds[_i].family, kinds[_i].type);
	for (int i = 0; i < 3; i++) {
		net(RINGD_OP_RECV, sv[1], buf, 50);
		rd_tc_submit_waiting(&c);
		ck_assert_int_eq(send(sv[0], "late", 4, 0), 4);
		ck_assert_int_eq(rd_tc_wait(&c).res, 4);
		ck_assert_mem_eq(buf, "late", 4);
	}
}
END_TEST

static Suite *net_suite(void)
{
	static void (*const setups[])(void) = { setup_sync, setup_uring };
	static const char *const names[] = { "sync", "uring" };
	Suite *s = suite_create("ops_net");

	for (int i = 0; i < 2; i++) {
		TCase *tc = tcase_create(names[i]);

		if (i && !rd_th_backend_works(RD_BACKEND_URING))
			continue;
		tcase_add_checked_fixture(tc, setups[i], teardown);
		tcase_add_loop_test(tc, data_comes_and_goes, 0, RD_ARRAY_SIZE(kinds));
		tcase_add_loop_test(tc, a_recv_waits_for_data, 0, RD_ARRAY_SIZE(kinds));
		suite_add_tcase(s, tc);
	}
	return s;
}

int main(void)
{
	return rd_suite_main(net_suite());
}
