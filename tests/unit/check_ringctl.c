/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringctl: quantiles and words, and what it makes of a manager that answers well, badly or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "ringctl/ringctl.h"
#include "tests/unit/suite.h"

START_TEST(quantile_of_nothing_is_zero)
{
	uint32_t none[RINGD_LATENCY_BUCKETS] = { 0 };

	ck_assert_uint_eq(rc_latency_quantile(none, RINGD_LATENCY_BUCKETS, 0.5), 0);
	ck_assert_uint_eq(rc_latency_samples(none, RINGD_LATENCY_BUCKETS), 0);
}
END_TEST

START_TEST(quantile_lies_in_its_bucket)
{
	uint32_t b[RINGD_LATENCY_BUCKETS] = { [10] = 98, [20] = 2 };

	ck_assert_uint_eq(rc_latency_samples(b, RINGD_LATENCY_BUCKETS), 100);
	ck_assert_uint_eq(rc_latency_quantile(b, RINGD_LATENCY_BUCKETS, 0.49), 1024 + 512);
	ck_assert_uint_ge(rc_latency_quantile(b, RINGD_LATENCY_BUCKETS, 0.99), 1u << 20);
	ck_assert_uint_lt(rc_latency_quantile(b, RINGD_LATENCY_BUCKETS, 0.99), 1u << 21);
	ck_assert_uint_eq(rc_latency_quantile(b, RINGD_LATENCY_BUCKETS, 1.0), 1u << 21);
}
END_TEST

START_TEST(counters_near_their_limit_do_not_wrap)
{
	uint32_t b[RINGD_LATENCY_BUCKETS];

	for (unsigned int i = 0; i < RINGD_LATENCY_BUCKETS; i++)
		b[i] = UINT32_MAX;
	ck_assert_uint_eq(rc_latency_samples(b, RINGD_LATENCY_BUCKETS), (uint64_t)UINT32_MAX * RINGD_LATENCY_BUCKETS);
	ck_assert_uint_ge(rc_latency_quantile(b, RINGD_LATENCY_BUCKETS, 0.999), 1ull << 39);
}
END_TEST

START_TEST(durations_have_units)
{
	char s[32];

	rc_format_ns(s, sizeof(s), 850);
	ck_assert_str_eq(s, "850 ns");
	rc_format_ns(s, sizeof(s), 1234);
	ck_assert_str_eq(s, "1.23 us");
	rc_format_ns(s, sizeof(s), 45600000);
	ck_assert_str_eq(s, "45.6 ms");
	rc_format_ns(s, sizeof(s), 12000000000ull);
	ck_assert_str_eq(s, "12 s");
	rc_format_uptime(s, sizeof(s), 59999);
	ck_assert_str_eq(s, "59s");
	rc_format_uptime(s, sizeof(s), 3600000ull * 26);
	ck_assert_str_eq(s, "1d 2h");
}
END_TEST

START_TEST(every_opcode_has_its_own_name)
{
	for (unsigned int i = 0; i < RINGD_STATUS_OPS; i++)
		for (unsigned int j = 0; j < i; j++) {
			char *name = strdup(rc_op_name(i));

			ck_assert_str_ne(name, rc_op_name(j));
			free(name);
		}
	ck_assert_str_eq(rc_op_name(RINGD_OP_READ), "read");
	ck_assert_str_eq(rc_op_name(200), "op_200");
}
END_TEST

/* --- a manager of a few lines, in a child --- */

enum lie {
	HONEST, NO_ENGINES, MUTE_ENGINE, REFUSES, CUT_HEADER, WRONG_SEQ, WRONG_TYPE, WRONG_SIZE_FIELD, FLAGS, SHORT_STATUS,
	HANGS_UP, ENDLESS, RING_TEXT, RING_TOO_LONG, RING_OTHER_TYPE,
};

static char dir[] = "/tmp/check_ringctl.XXXXXX";
static char path[64];
static pid_t manager;

static void refuse(int fd)
{
	const struct ringd_error e = { .msg = { .size = sizeof(e), .type = RINGD_MSG_HELLO, .seq = 1, .res = -EPERM },
				       .text = "not for \033you" };

	send(fd, &e, sizeof(e), 0);
}

static void answer(int fd, enum lie lie)
{
	static struct ringd_status s;
	size_t len = sizeof(s);

	s.msg = (struct ringd_msg){ .size = sizeof(s), .type = RINGD_MSG_STATUS, .seq = 1 };
	s.engine_pid = 4711;
	s.submitted = 10;
	s.completed = 7;
	memset(s.backend, 'x', sizeof(s.backend));	/* not terminated */
	switch (lie) {
	case REFUSES: refuse(fd); return;
	case HANGS_UP: return;
	case CUT_HEADER: len = 7; break;
	case WRONG_SEQ: s.msg.seq = 9; break;
	case WRONG_TYPE: s.msg.type = RINGD_MSG_REGISTER; break;
	case WRONG_SIZE_FIELD: s.msg.size = 12345; break;
	case FLAGS: s.msg.flags = RINGD_MSG_F_MORE; break;
	case SHORT_STATUS: s.msg.size = 64; len = 64; break;
	case MUTE_ENGINE: s.msg.res = -ETIMEDOUT; break;
	default: break;
	}
	do {
		if (lie != NO_ENGINES && send(fd, &s, len, MSG_NOSIGNAL) < 0)
			return;
	} while (lie == ENDLESS);
	s.engine_pid = 0;
	s.msg.res = 0;
	send(fd, &s, len, MSG_NOSIGNAL);
}

static void answer_ring(int fd, enum lie lie)
{
	static struct ringd_ring_info info;

	info.msg = (struct ringd_msg){ .size = sizeof(info), .type = RINGD_MSG_RING_INFO, .seq = 1 };
	info.engine_pid = 4711;
	info.len = lie == RING_TOO_LONG ? sizeof(info.text) + 1 : 12;
	info.more = 1;
	memcpy(info.text, "SqMask:\t\033x\n\377", 12);
	send(fd, &info, sizeof(info), MSG_NOSIGNAL);
	info.more = 0;
	send(fd, &info, sizeof(info), MSG_NOSIGNAL);
	info.engine_pid = 0;
	info.len = 0;
	send(fd, &info, sizeof(info), MSG_NOSIGNAL);
}

static void serve(int sock, enum lie lie)
{
	char buf[256];
	int fd = accept(sock, NULL, NULL);

	if (fd < 0 || recv(fd, buf, sizeof(buf), 0) != sizeof(struct ringd_hello))
		_exit(1);
	if (lie == RING_TEXT || lie == RING_TOO_LONG)
		answer_ring(fd, lie);
	else
		answer(fd, lie);
	_exit(0);
}

static void start(enum lie lie)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(bind(sock, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(listen(sock, 1), 0);
	manager = fork();
	if (manager == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(sock, lie);
	}
	close(sock);
}

static void stop(void)
{
	kill(manager, SIGKILL);
	waitpid(manager, NULL, 0);
	unlink(path);
	rmdir(dir);
}

static void quiet(void)
{
	int fd = open("/dev/null", O_WRONLY);

	dup2(fd, STDERR_FILENO);
	close(fd);
}

START_TEST(engines_of_an_honest_manager_arrive)
{
	struct ringd_status *s = NULL;
	size_t n = 0;

	start(HONEST);
	ck_assert_int_eq(rc_control_status(path, &s, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(s[0].engine_pid, 4711);
	ck_assert_uint_eq(rc_in_flight(&s[0]), 3);
	ck_assert_uint_eq(strlen(s[0].backend), sizeof(s[0].backend) - 1);
	free(s);
	stop();
}
END_TEST

START_TEST(an_engine_that_does_not_answer_is_listed)
{
	struct ringd_status *s = NULL;
	char text[4096] = "";
	size_t n = 0;
	FILE *f = fmemopen(text, sizeof(text), "w");

	start(MUTE_ENGINE);
	ck_assert_int_eq(rc_control_status(path, &s, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(s[0].msg.res, -ETIMEDOUT);
	ck_assert_int_eq(rc_status_print_text(f, s, n), 0);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "engine 4711"));
	ck_assert_ptr_nonnull(strstr(text, "does not answer"));
	free(s);
	stop();
}
END_TEST

START_TEST(no_engine_is_an_empty_list)
{
	struct ringd_status *s = NULL;
	size_t n = 99;

	start(NO_ENGINES);
	ck_assert_int_eq(rc_control_status(path, &s, &n), 0);
	ck_assert_uint_eq(n, 0);
	free(s);
	stop();
}
END_TEST

static const struct {
	enum lie lie;
	int r;
} lies[] = {
	{ REFUSES, -EPERM }, { CUT_HEADER, -EPROTO }, { WRONG_SEQ, -EPROTO }, { WRONG_TYPE, -EPROTO },
	{ WRONG_SIZE_FIELD, -EPROTO }, { FLAGS, -EPROTO }, { SHORT_STATUS, -EPROTO }, { HANGS_UP, -ECONNRESET },
	{ ENDLESS, -EPROTO },
};

START_TEST(a_lying_manager_is_an_error)
{
	struct ringd_status *s = NULL;
	size_t n = 0;

	quiet();
	start(lies[_i].lie);
	ck_assert_int_eq(rc_control_status(path, &s, &n), lies[_i].r);
	ck_assert_ptr_null(s);
	stop();
}
END_TEST

static void count_pieces(const struct ringd_ring_info *info, void *arg)
{
	ck_assert_uint_eq(info->engine_pid, 4711);
	(*(unsigned int *)arg)++;
}

START_TEST(pieces_of_a_ring_arrive)
{
	unsigned int n = 0;

	start(RING_TEXT);
	ck_assert_int_eq(rc_control_rings(path, 0, 1, count_pieces, &n), 0);
	ck_assert_uint_eq(n, 2);
	stop();
	quiet();
	start(RING_TOO_LONG);
	ck_assert_int_eq(rc_control_rings(path, 0, 1, count_pieces, &n), -EPROTO);
	stop();
	start(RING_OTHER_TYPE);
	ck_assert_int_eq(rc_control_rings(path, 0, 1, count_pieces, &n), -EPROTO);
	stop();
	ck_assert_uint_eq(n, 2);
}
END_TEST

START_TEST(control_bytes_do_not_reach_the_terminal)
{
	char option[96], out[64] = "", command[] = "ring", one[] = "1", *argv[] = { command, option, one, NULL };
	int save = dup(STDOUT_FILENO), pipefd[2];

	start(RING_TEXT);
	snprintf(option, sizeof(option), "--socket=%s", path);
	ck_assert_int_eq(pipe(pipefd), 0);
	fflush(stdout);
	dup2(pipefd[1], STDOUT_FILENO);
	ck_assert_int_eq(rc_ring_main(3, argv), 0);
	dup2(save, STDOUT_FILENO);
	close(pipefd[1]);
	ck_assert_int_gt(read(pipefd[0], out, sizeof(out) - 1), 0);
	ck_assert_ptr_null(strchr(out, '\033'));
	ck_assert_ptr_null(strchr(out, '\377'));
	ck_assert_ptr_nonnull(strstr(out, "SqMask:\t?x\n?"));
	stop();
}
END_TEST

START_TEST(no_socket_and_no_listener_differ)
{
	struct ringd_status *s = NULL;
	size_t n = 0;

	quiet();
	start(HONEST);
	ck_assert_int_eq(rc_control_status("/nonexistent/ringd.sock", &s, &n), -ENOENT);
	kill(manager, SIGKILL);
	waitpid(manager, NULL, 0);
	ck_assert_int_eq(rc_control_status(path, &s, &n), -ECONNREFUSED);
	unlink(path);
	rmdir(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ringctl");
	TCase *tc = tcase_create("words"), *wire = tcase_create("wire");

	tcase_add_test(tc, quantile_of_nothing_is_zero);
	tcase_add_test(tc, quantile_lies_in_its_bucket);
	tcase_add_test(tc, counters_near_their_limit_do_not_wrap);
	tcase_add_test(tc, durations_have_units);
	tcase_add_test(tc, every_opcode_has_its_own_name);
	suite_add_tcase(s, tc);
	tcase_add_test(wire, engines_of_an_honest_manager_arrive);
	tcase_add_test(wire, no_engine_is_an_empty_list);
	tcase_add_test(wire, an_engine_that_does_not_answer_is_listed);
	tcase_add_loop_test(wire, a_lying_manager_is_an_error, 0, (int)RD_ARRAY_SIZE(lies));
	tcase_add_test(wire, pieces_of_a_ring_arrive);
	tcase_add_test(wire, control_bytes_do_not_reach_the_terminal);
	tcase_add_test(wire, no_socket_and_no_listener_differ);
	suite_add_tcase(s, wire);
	return rd_suite_main(s);
}
