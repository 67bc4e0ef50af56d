/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control messages: what becomes of those that are to be sent, and what fits into a client's room. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "daemon/engine/ops/cmsg.h"
#include "daemon/engine/rsrc/file.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_file *files[RD_FDS_MAX];
static uint32_t nr;
static _Alignas(struct cmsghdr) char data[RD_CMSG_SEND_MAX];
static size_t len;

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
	memset(data, 0x5a, sizeof(data));
	len = nr = 0;
}

static void put_files(void)
{
	for (uint32_t i = 0; i < nr; i++)
		rd_file_put(files[i]);
	nr = 0;
}

static void teardown(void)
{
	put_files();
	rd_th_deinit(&th);
}

/* One more message of n bytes of value. */
static void add(int level, int type, const void *value, size_t n)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)(data + len);

	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n), .cmsg_level = level, .cmsg_type = type };
	if (n)
		memcpy(CMSG_DATA(c), value, n);
	len += CMSG_SPACE(n);
}

static int import(void)
{
	return rd_cmsg_import(&th.host, data, len, files, &nr);
}

static const char bytes[300];

static const struct {
	int level, type;
	size_t n;
	int res;	/* 0: it passes */
} sent[] = {
	{ SOL_SOCKET, SO_MARK, 4, 0 },
	{ SOL_SOCKET, SO_MARK, 8, -EINVAL },
	{ SOL_SOCKET, SO_MARK, 0, -EINVAL },
	{ SOL_SOCKET, 61, 8, 0 },			/* SCM_TXTIME */
	{ SOL_SOCKET, 61, 4, -EINVAL },
	{ SOL_SOCKET, 3, 4, -EOPNOTSUPP },		/* SCM_SECURITY */
	{ SOL_SOCKET, 4, 4, -EOPNOTSUPP },		/* SCM_PIDFD */
	{ SOL_SOCKET, 79, 4, -EOPNOTSUPP },		/* SCM_DEVMEM_DMABUF */
	{ IPPROTO_IP, IP_TOS, 1, 0 },
	{ IPPROTO_IP, IP_TOS, 4, 0 },
	{ IPPROTO_IP, IP_TOS, 5, -EINVAL },
	{ IPPROTO_IP, IP_PKTINFO, 12, 0 },
	{ IPPROTO_IP, IP_RETOPTS, 8, -EOPNOTSUPP },
	{ IPPROTO_IPV6, IPV6_PKTINFO, 20, 0 },
	{ IPPROTO_IPV6, IPV6_HOPLIMIT, 4, 0 },
	{ IPPROTO_IPV6, IPV6_TCLASS, 4, 0 },
	{ IPPROTO_IPV6, IPV6_RTHDR, 24, -EOPNOTSUPP },
	{ IPPROTO_UDP, 103, 2, 0 },			/* UDP_SEGMENT */
	{ IPPROTO_UDP, 103, 4, -EINVAL },
	{ IPPROTO_UDP, 104, 4, -EOPNOTSUPP },
	{ IPPROTO_TCP, 1, 4, -EOPNOTSUPP },
	{ 4711, 1, 4, -EOPNOTSUPP },
	{ SOL_SOCKET, SCM_RIGHTS, 0, 0 },
	{ SOL_SOCKET, SCM_RIGHTS, 3, 0 },
	{ SOL_SOCKET, SCM_CREDENTIALS, 8, -EINVAL },
	{ SOL_SOCKET, SCM_CREDENTIALS, 12, -EPERM },
};

START_TEST(what_may_be_sent)
{
	add(sent[_i].level, sent[_i].type, bytes, sent[_i].n);
	ck_assert_int_eq(import(), sent[_i].res ? sent[_i].res : (int)CMSG_SPACE(sent[_i].n));
	/* and behind another one */
	len = 0;
	add(IPPROTO_IP, IP_TTL, bytes, 4);
	add(sent[_i].level, sent[_i].type, bytes, sent[_i].n);
	ck_assert_int_eq(import(), sent[_i].res ? sent[_i].res : (int)(CMSG_SPACE(4) + CMSG_SPACE(sent[_i].n)));
}
END_TEST

/* What lies between messages does not go on. */
START_TEST(gaps_are_cleared)
{
	add(IPPROTO_UDP, 103, "ab", 2);
	memset(data + CMSG_LEN(2), 0x5a, 6);
	len = CMSG_LEN(2);
	ck_assert_int_eq(import(), CMSG_SPACE(2));
	ck_assert_mem_eq(data + CMSG_LEN(0), "ab\0\0\0\0\0\0", 8);
}
END_TEST

START_TEST(numbers_become_ours)
{
	int fds[2] = { 0, 0 }, got;

	rd_th_lend(&th, 0);
	add(SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds));
	add(SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds[0]));
	ck_assert_int_eq(import(), CMSG_SPACE(8) + CMSG_SPACE(4));
	ck_assert_uint_eq(nr, 3);
	for (size_t i = 0; i < 3; i++) {
		memcpy(&got, data + (i < 2 ? CMSG_LEN(4 * i) : CMSG_SPACE(8) + CMSG_LEN(0)), sizeof(got));
		ck_assert_int_eq(got, th.lent[0].file->fd);
		ck_assert_ptr_eq(files[i], th.lent[0].file);
	}
	put_files();
	/* what came before a number that is none is the caller's to give back */
	len = 0;
	fds[1] = 54321;
	add(SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds));
	ck_assert_int_eq(import(), -EBADF);
	ck_assert_uint_eq(nr, 1);
}
END_TEST

START_TEST(nobody_elses_name)
{
	struct ucred cred = { .pid = RD_TH_PID, .uid = 1, .gid = 2 }, got;

	add(SOL_SOCKET, SCM_CREDENTIALS, &cred, sizeof(cred));
	ck_assert_int_eq(import(), CMSG_SPACE(sizeof(cred)));
	memcpy(&got, data + CMSG_LEN(0), sizeof(got));
	ck_assert_int_eq(got.pid, getpid());
	ck_assert_uint_eq(got.uid, 1);		/* the kernel's to judge */
	for (int i = 0; i < 3; i++) {
		const pid_t pids[] = { getpid(), 0, -1 };

		cred.pid = pids[i];
		len = 0;
		add(SOL_SOCKET, SCM_CREDENTIALS, &cred, sizeof(cred));
		ck_assert_int_eq(import(), -EPERM);
	}
}
END_TEST

/* --- received --- */

static struct rd_cmsg_in in;

/* The message that data holds has come. */
static void came(int flags)
{
	struct msghdr mh = { .msg_flags = flags };

	ck_assert_int_eq(rd_cmsg_begin(&in, &th.engine), 0);
	rd_cmsg_room(&in, &mh);
	memcpy(in.buf, data, len);
	mh.msg_controllen = len;
	rd_cmsg_end(&in, &th.engine, &mh);
}

static void fit(char *dst, size_t room, struct rd_cmsg_fit *f)
{
	memset(dst, 0x77, 200);
	rd_cmsg_fit(&in, dst, room, in.fds, f);
}

START_TEST(what_is_known_passes_and_the_rest_is_told_of)
{
	struct rd_cmsg_fit f;
	char dst[200];

	add(IPPROTO_IP, IP_TTL, "abcd", 4);
	add(SOL_SOCKET, 79, "abcd", 4);
	add(IPPROTO_IPV6, IPV6_TCLASS, "efgh", 4);
	came(0);
	fit(dst, sizeof(dst), &f);
	ck_assert_uint_eq(f.len, 2 * CMSG_SPACE(4));
	ck_assert(f.cut);
	ck_assert_mem_eq(dst + CMSG_LEN(0), "abcd\0\0\0\0", 8);
	ck_assert_mem_eq(dst + CMSG_SPACE(4) + CMSG_LEN(0), "efgh\0\0\0\0\x77", 9);
	rd_cmsg_drop(&in);
}
END_TEST

START_TEST(descriptors_are_taken_out_and_come_last)
{
	struct rd_cmsg_fit f;
	char dst[200];
	int fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = dup(0);
	add(SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds));
	add(SOL_SOCKET, SCM_CREDENTIALS, "0123456789ab", 12);
	came(0);
	ck_assert_uint_eq(in.fds->n, 3);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_FILES], 3);
	fit(dst, sizeof(dst), &f);
	ck_assert_uint_eq(f.numbers, CMSG_SPACE(12) + CMSG_LEN(0));
	ck_assert_uint_eq(f.n_fds, 3);
	ck_assert_uint_eq(f.len, CMSG_SPACE(12) + CMSG_SPACE(12));
	ck_assert(!f.cut);
	ck_assert_mem_eq(dst + f.numbers, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\x77", 17);
	fit(dst, CMSG_SPACE(12) + CMSG_LEN(7), &f);
	ck_assert_uint_eq(f.n_fds, 1);
	ck_assert(f.cut);
	ck_assert_uint_eq(rd_fds_cut(in.fds, 1), 1);
	rd_cmsg_drop(&in);
	rd_th_settle(&th);
	for (int i = 0; i < 3; i++)
		ck_assert_int_lt(dup2(fds[i], fds[i]), 0);
}
END_TEST

/* A number that was made for us is none of the client's, and does not stay open. */
START_TEST(process_descriptors_are_closed)
{
	struct rd_cmsg_fit f;
	char dst[200];
	int fd = dup(0);

	add(SOL_SOCKET, 4, &fd, sizeof(fd));
	came(0);
	ck_assert_ptr_null(in.fds);
	fit(dst, sizeof(dst), &f);
	ck_assert_uint_eq(f.len, 0);
	ck_assert(f.cut);
	ck_assert_int_lt(dup2(fd, fd), 0);
	rd_cmsg_drop(&in);
}
END_TEST

START_TEST(nothing_is_kept_of_a_budget_that_has_no_room)
{
	struct rlimit rl, few;
	int fd = dup(0);

	th.engine.user.limit[RINGD_LIMIT_RINGS] = th.engine.user.limit[RINGD_LIMIT_CLIENTS] = 8;
	th.engine.user.limit[RINGD_LIMIT_FILES] = 0;
	add(SOL_SOCKET, SCM_RIGHTS, &fd, sizeof(fd));
	came(0);
	ck_assert_ptr_null(in.fds);
	/* one at a time */
	ck_assert_uint_eq(th.engine.strays, 1);
	ck_assert_int_eq(rd_cmsg_begin(&in, &th.engine), -EDQUOT);
	while (th.engine.strays)
		rd_th_turn(&th);
	ck_assert_int_lt(dup2(fd, fd), 0);
	ck_assert_int_eq(rd_cmsg_begin(&in, &th.engine), 0);
	/* a process that may have few files */
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	few = (struct rlimit){ .rlim_cur = 256, .rlim_max = rl.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_int_eq(rd_cmsg_begin(&in, &th.engine), -EDQUOT);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cmsg");
	TCase *tc = tcase_create("cmsg");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_may_be_sent, 0, RD_ARRAY_SIZE(sent));
	tcase_add_test(tc, gaps_are_cleared);
	tcase_add_test(tc, numbers_become_ours);
	tcase_add_test(tc, nobody_elses_name);
	tcase_add_test(tc, what_is_known_passes_and_the_rest_is_told_of);
	tcase_add_test(tc, descriptors_are_taken_out_and_come_last);
	tcase_add_test(tc, process_descriptors_are_closed);
	tcase_add_test(tc, nothing_is_kept_of_a_budget_that_has_no_room);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
