/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings in words, through a real manager: what is told, to whom, and what a tenant can make of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "tests/hostile/daemon.h"
#include "tests/hostile/raw.h"
#include "tests/unit/suite.h"

#define OTHER_UID 12001

static struct rd_daemon d;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static char text[256 << 10];

static void setup(void)
{
	rd_daemon_start(&d, NULL);
	raw_connect(&raw, d.socket);
	raw_ring(&ring, &raw, 64, 0);
	raw_arena(&arena, &raw, RD_RAW_ARENA, 1u << 20);
}

static void teardown(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	rd_daemon_expect_idle(&d, geteuid());
	rd_daemon_stop(&d);
}

static int ask(uint32_t kind, uint32_t engine, uint32_t nr)
{
	const struct ringd_hello hello = {
		.msg = { .size = sizeof(hello), .type = RINGD_MSG_HELLO, .seq = 1 },
		.magic = RINGD_WIRE_MAGIC, .version_min = RINGD_WIRE_VERSION, .version_max = RINGD_WIRE_VERSION,
		.kind = kind, .engine_pid = engine, .ring = nr,
	};
	int sock = raw_socket(d.socket);

	ck_assert_int_eq(send(sock, &hello, sizeof(hello), MSG_NOSIGNAL), sizeof(hello));
	return sock;
}

/* All that is said about a ring goes to text. How many packets came before the last. */
static unsigned int read_text(uint32_t engine, uint32_t nr)
{
	int sock = ask(RINGD_HELLO_RING, engine, nr);
	unsigned int packets = 0;
	size_t len = 0;

	for (;; packets++) {
		struct ringd_ring_info info;

		ck_assert_int_eq(recv(sock, &info, sizeof(info), 0), sizeof(info));
		ck_assert_uint_eq(info.msg.type, RINGD_MSG_RING_INFO);
		ck_assert_int_eq(info.msg.res, 0);
		ck_assert_uint_le(info.len, sizeof(info.text));
		if (!info.engine_pid)
			break;
		ck_assert_uint_eq(info.uid, geteuid());
		ck_assert_uint_lt(len + info.len, sizeof(text));
		memcpy(text + len, info.text, info.len);
		len += info.len;
	}
	text[len] = 0;
	close(sock);
	return packets;
}

static void expect(const char *line)
{
	ck_assert_msg(strstr(text, line), "'%s' is not in\n%s", line, text);
}

START_TEST(a_list_names_all_rings)
{
	struct raw_ring second;
	char line[64];

	raw_ring(&second, &raw, 8, RINGD_SETUP_SQPOLL | RINGD_SETUP_R_DISABLED);
	ck_assert_uint_eq(read_text(0, 0), 1);
	snprintf(line, sizeof(line), "ring 1  client %d  id %u  sq 64  cq 128  in flight 0", getpid(), ring.id);
	expect(line);
	expect("\nring 2  ");
	expect("sqpoll  disabled");
	raw_ring_drop(&second);
}
END_TEST

START_TEST(a_ring_tells_what_is_in_it)
{
	const uint64_t iov[2][2] = { { RD_RAW_ARENA, 4096 }, { 0, 0 } };
	int fds[3], pipefd[2];
	struct ringd_sqe *sqe;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/ringd-\033[2J-%d", getpid());
	ck_assert_int_eq(pipe(pipefd), 0);
	fds[0] = pipefd[0];
	fds[1] = -1;
	fds[2] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fds[2], 0);
	ck_assert_int_eq(raw_register_files(&ring, fds, 3), 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_BUFFERS, 2, 0, iov, sizeof(iov), NULL, 0), 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_PERSONALITY, 0, 0, NULL, 0, NULL, 0), 1);
	sqe = raw_sqe(&ring);
	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE, .addr = RD_RAW_ARENA, .len = 8,
				   .user_data = 4242 };
	*raw_sqe(&ring) = (struct ringd_sqe){ .opcode = RINGD_OP_NOP, .user_data = 17 };
	ck_assert_int_eq(raw_submit(&ring), 2);
	*raw_sqe(&ring) = (struct ringd_sqe){ .opcode = RINGD_OP_WRITE, .fd = -5, .off = 99, .addr = 0xabc, .user_data = 18 };
	raw_enter(&ring, 0, 0);		/* seen, not taken */
	read_text(0, 1);
	expect("\nSqMask:\t0x3f\n");
	expect("SQEs:\t1\n    2: opcode:write, fd:-5, flags:0, off:99, addr:0xabc, rw_flags:0x0, buf_index:0 user_data:18\n");
	expect("CQEs:\t1\n    0: user_data:17, res:0, flag:0\n");
	expect("UserFiles:\t3\n    0: pipe:[");
	expect("\n    2: /tmp/ringd-?[2J-");
	expect("UserBufs:\t2\n    0: 0x10000000000/4096\n");
	expect("Personalities:\n    1\n");
	expect("InFlight:\t1\n  op=read, user_data=4242, flags=1, state=readiness, age=");
	expect("CqOverflowList:\n");
	ck_assert_ptr_null(strchr(text, '\033'));
	close(pipefd[0]);
	close(pipefd[1]);
	close(fds[2]);
	unlink(path);
}
END_TEST

START_TEST(long_lists_are_cut)
{
	int fds[200];

	for (size_t i = 0; i < RD_ARRAY_SIZE(fds); i++)
		fds[i] = i ? fds[0] : open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(raw_register_files(&ring, fds, 200), 0);
	for (int i = 0; i < 64; i++)
		raw_sqe(&ring)->user_data = UINT64_MAX;
	raw_enter(&ring, 0, 0);
	ck_assert_uint_gt(read_text(0, 1), 1);
	expect("  127: /dev/null\n  ... slots from 128 on\n");
	expect("SQEs:\t64\n");
	close(fds[0]);
}
END_TEST

START_TEST(words_that_lie_are_shown_and_not_believed)
{
	static const uint32_t lies[] = { 65, 1u << 20, UINT32_MAX - 128, 1u << 31 };

	/* the engine does not look before the doorbell rings */
	for (size_t i = 0; i < RD_ARRAY_SIZE(lies); i++) {
		__atomic_store_n(&ring.hot->sq_tail, lies[i], __ATOMIC_RELEASE);
		__atomic_store_n(&ring.hot->cq_head, lies[i], __ATOMIC_RELEASE);
		for (uint32_t slot = 0; slot < 64; slot++)
			ring.array[slot] = lies[i];
		read_text(0, 1);
		expect("SQEs:\t0\n");
		expect("CQEs:\t0\n");
	}
	__atomic_store_n(&ring.hot->sq_tail, 64, __ATOMIC_RELEASE);	/* good, but no index is */
	__atomic_store_n(&ring.hot->cq_head, 0, __ATOMIC_RELEASE);
	read_text(0, 1);
	expect("SQEs:\t64\nCQEs:\t0\n");
}
END_TEST

START_TEST(nothing_about_a_ring_that_is_not_there)
{
	ck_assert_uint_eq(read_text(0, 77), 0);
	ck_assert_uint_eq(read_text(raw.engine_pid, 1), read_text(0, 1));
	ck_assert_uint_eq(read_text(raw.engine_pid + 100000, 1), 0);
}
END_TEST

/* Only root may have the other uid's identity to try with. */
START_TEST(others_see_nothing)
{
	pid_t pid;
	int status;

	if (geteuid() != 0)
		return;
	pid = fork();
	if (!pid) {
		struct ringd_ring_info info;
		int sock;

		if (setresgid(OTHER_UID, OTHER_UID, OTHER_UID) < 0 || setresuid(OTHER_UID, OTHER_UID, OTHER_UID) < 0)
			_exit(2);
		sock = ask(RINGD_HELLO_RING, 0, 1);
		/* the end, at once */
		_exit(recv(sock, &info, sizeof(info), 0) == sizeof(info) && !info.engine_pid && !info.len ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(only_questions_about_rings_name_one)
{
	struct ringd_error e = { .msg = { 0 } };
	int sock = ask(_i % 2 ? RINGD_HELLO_STATUS : RINGD_HELLO_CLIENT, _i < 2 ? 1 : 0, _i < 2 ? 0 : 1);

	ck_assert_int_eq(recv(sock, &e, sizeof(e), 0), sizeof(e));
	ck_assert_int_eq(e.msg.res, -EPROTO);
	close(sock);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("ring-info");
	tc = tcase_create("info");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_list_names_all_rings);
	tcase_add_test(tc, a_ring_tells_what_is_in_it);
	tcase_add_test(tc, long_lists_are_cut);
	tcase_add_test(tc, words_that_lie_are_shown_and_not_believed);
	tcase_add_test(tc, nothing_about_a_ring_that_is_not_there);
	tcase_add_test(tc, others_see_nothing);
	tcase_add_loop_test(tc, only_questions_about_rings_name_one, 0, 4);
	suite_add_tcase(suite, tc);
	return rd_suite_main(suite);
}
