/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings with IOPOLL: which requests they take, of which files, and that completions come when they are looked for. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "daemon/engine/ops/rw.h"
#include "daemon/engine/request/opdef.h"
#include "suite.h"
#include "testhost.h"

#define S(x) RINGD_SETUP_##x

static struct rd_testhost th;
static struct rd_testclient c;
static int direct, buffered, fds[2];
static char *buf;

/* Slots: 0 an O_DIRECT file, 1 the same buffered, 2 a pipe. */
static void setup(void)
{
	char path[] = "ringd-iopoll-XXXXXX";

	rd_th_init(&th, rd_th_backend_works(RD_BACKEND_URING) ? RD_BACKEND_URING : RD_BACKEND_SYNC);
	buffered = mkstemp(path);
	ck_assert_int_ge(buffered, 0);
	direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	unlink(path);
	ck_assert_int_eq(ftruncate(buffered, 65536), 0);
	ck_assert_int_eq(pipe(fds), 0);
	buf = rd_th_alloc(&th, 4096);
}

static void teardown(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
	close(direct);
	close(buffered);
	close(fds[0]);
	close(fds[1]);
}

static void open_ring(uint32_t flags)
{
	rd_tc_open(&c, &th, 8, flags | S(IOPOLL));
	rd_tc_files(&c, 3);
	if (direct >= 0)
		rd_tc_file(&c, 0, direct, 0);
	rd_tc_file(&c, 1, buffered, 0);
	rd_tc_file(&c, 2, fds[0], 0);
	rd_ring_doorbell(c.ring);
}

static uint32_t ready(void)
{
	return c.hot->cq_tail - c.hot->cq_head;
}

static struct ringd_sqe *put(uint8_t opcode, int slot)
{
	struct ringd_sqe *sqe = rd_tc_slot(&c, c.sq_tail++ & (c.layout.sq_entries - 1));

	*sqe = (struct ringd_sqe){ .opcode = opcode, .user_data = ++c.user_data, .flags = RINGD_SQE_FIXED_FILE, .fd = slot,
				   .addr = (uintptr_t)buf, .len = 4096 };
	c.hot->sq_tail = c.sq_tail;
	return sqe;
}

static int32_t result(void)
{
	ck_assert_int_ge(rd_tc_enter(&c, 1, RINGD_ENTER_GETEVENTS), 0);
	while (!ready())
		rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
	return rd_tc_wait(&c).res;
}

START_TEST(reads_and_writes_of_direct_files)
{
	if (direct < 0)
		return;
	open_ring(_i ? S(HYBRID_IOPOLL) : 0);
	memset(buf, 'x', 4096);
	ck_assert_int_eq((put(RINGD_OP_WRITE, 0), result()), 4096);
	memset(buf, 0, 4096);
	ck_assert_int_eq((put(RINGD_OP_READ, 0), result()), 4096);
	ck_assert_int_eq(buf[4095], 'x');
	put(RINGD_OP_READ, 0)->rw_flags = RD_RWF_HIPRI;	/* implied anyway */
	ck_assert_int_eq(result(), 4096);
}
END_TEST

START_TEST(completions_come_when_they_are_looked_for)
{
	if (direct < 0)
		return;
	open_ring(0);
	for (int i = 0; i < 8; i++)
		put(RINGD_OP_READ, 0);
	ck_assert_int_eq(rd_tc_enter(&c, 8, 0), 8);
	for (int i = 0; i < 1000 || c.hot->tasks != RINGD_TASKS_PENDING; i++)
		rd_th_turn(&th);
	usleep(20000);
	for (int i = 0; i < 100; i++)
		rd_th_turn(&th);
	ck_assert_uint_eq(ready(), 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, 0), 0);
	ck_assert_uint_eq(ready(), 0);
	for (uint32_t n = 0; n < 8; n = ready())
		ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	c.hot->cq_head += 8;
}
END_TEST

/* The thread of an SQPOLL ring polls for its client. */
START_TEST(sqpoll_ring_posts_by_itself)
{
	if (direct < 0)
		return;
	open_ring(S(SQPOLL));
	put(RINGD_OP_READ, 0);
	while (!ready())
		rd_th_turn(&th);
	ck_assert_int_eq(rd_tc_wait(&c).res, 4096);
}
END_TEST

START_TEST(other_files_cannot_be_polled)
{
	static const uint8_t ops[] = { RINGD_OP_READ, RINGD_OP_WRITE, RINGD_OP_READV, RINGD_OP_READ };

	open_ring(0);
	put(ops[_i], 1 + _i / 3);
	if (ops[_i] == RINGD_OP_READV) {
		*(struct iovec *)(void *)buf = (struct iovec){ .iov_base = buf, .iov_len = 4096 };
		rd_tc_slot(&c, 0)->len = 1;
	}
	ck_assert_int_eq(result(), -EOPNOTSUPP);
}
END_TEST

START_TEST(hipri_is_for_these_rings_only)
{
	rd_tc_open(&c, &th, 8, 0);
	rd_tc_files(&c, 2);
	rd_tc_file(&c, 1, buffered, 0);
	put(RINGD_OP_READ, 1)->rw_flags = RD_RWF_HIPRI;
	ck_assert_int_eq(result(), -EINVAL);
}
END_TEST

static const uint8_t allowed[] = {
	RINGD_OP_NOP, RINGD_OP_READV, RINGD_OP_WRITEV, RINGD_OP_READ_FIXED, RINGD_OP_WRITE_FIXED, RINGD_OP_FILES_UPDATE,
	RINGD_OP_READ, RINGD_OP_WRITE, RINGD_OP_PROVIDE_BUFFERS, RINGD_OP_REMOVE_BUFFERS, RINGD_OP_MSG_RING,
	RINGD_OP_URING_CMD, RINGD_OP_READV_FIXED, RINGD_OP_WRITEV_FIXED, RINGD_OP_NOP128, RINGD_OP_URING_CMD128,
};

START_TEST(only_these_opcodes)
{
	open_ring(0);
	for (uint8_t op = 0; op < RINGD_OP_LAST; op++) {
		bool good = memchr(allowed, op, sizeof(allowed));

		ck_assert_msg(!rd_ops[op].prep || !!rd_ops[op].iopoll == good, "opcode %u", op);
		if (!good) {
			put(op, 1);
			ck_assert_int_eq(result(), -EINVAL);
		}
	}
	put(RINGD_OP_NOP, 0);
	ck_assert_int_eq(result(), 0);
	put(RINGD_OP_URING_CMD, 2)->len = 0;
	ck_assert_int_eq(result(), -EOPNOTSUPP);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iopoll");
	TCase *tc = tcase_create("iopoll");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, reads_and_writes_of_direct_files, 0, 2);
	tcase_add_test(tc, completions_come_when_they_are_looked_for);
	tcase_add_test(tc, sqpoll_ring_posts_by_itself);
	tcase_add_loop_test(tc, other_files_cannot_be_polled, 0, 4);
	tcase_add_test(tc, hipri_is_for_these_rings_only);
	tcase_add_test(tc, only_these_opcodes);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
