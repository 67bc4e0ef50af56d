/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd with the real daemon: names, attributes, advice, pipes, epoll sets and commands, all of them in the sandbox. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "client-lib/ringd.h"
#include "daemon/common/util.h"
#include "tests/hostile/daemon.h"
#include "tests/unit/connect.h"
#include "tests/unit/suite.h"

static struct rd_daemon ringd;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct ringd_arena *arena;
static char *mem;
static char dir[64];

static void setup(void)
{
	rd_daemon_start(&ringd, NULL);
	ck_assert_int_eq(rd_connect_patiently(&rd, ringd.socket), 0);
	ck_assert_int_eq(ringd_arena_new(rd, &arena, 1u << 20, 0), 0);
	mem = ringd_arena_base(arena);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, 0), 0);
	strcpy(dir, "/tmp/ringd-names-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void teardown(void)
{
	char command[96];

	ringd_close(rd);
	rd_daemon_stop(&ringd);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct ringd_sqe *get(void)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ck_assert_ptr_nonnull(sqe);
	return sqe;
}

static int32_t finish(void)
{
	struct ringd_cqe *cqe;
	int32_t res;

	ck_assert_int_eq(ringd_submit_and_wait(ring, 1), 1);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	res = cqe->res;
	ringd_cqe_seen(ring, cqe);
	return res;
}

static void lend(int fd)
{
	ck_assert_int_eq(ringd_fd_lend(rd, &fd, 1), 1);
}

START_TEST(names)
{
	RD_CLOSE int file = open("file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	RD_CLOSE int at = open(".", O_PATH | O_CLOEXEC);
	char text[16] = "";
	struct stat st;

	ck_assert_int_ge(file, 0);
	lend(at);
	umask(022);
	ringd_prep_mkdirat(ring, get(), AT_FDCWD, "d", 0777);
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(stat("d", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ringd_prep_linkat(ring, get(), AT_FDCWD, "file", at, "d/hard", 0);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_symlinkat(ring, get(), "file", at, "link");
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(readlink("link", text, sizeof(text)), 4);
	ringd_prep_linkat(ring, get(), at, "link", AT_FDCWD, "d/followed", AT_SYMLINK_FOLLOW);
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(fstat(file, &st), 0);
	ck_assert_uint_eq(st.st_nlink, 3);
	ringd_prep_renameat(ring, get(), at, "d/hard", AT_FDCWD, "moved", 0);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_renameat(ring, get(), AT_FDCWD, "moved", at, "link", RENAME_NOREPLACE);
	ck_assert_int_eq(finish(), -EEXIST);
	ringd_prep_unlinkat(ring, get(), at, "moved", 0);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_unlinkat(ring, get(), AT_FDCWD, "d", AT_REMOVEDIR);
	ck_assert_int_eq(finish(), -ENOTEMPTY);
	ringd_prep_unlinkat(ring, get(), AT_FDCWD, "d/followed", 0);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_unlinkat(ring, get(), at, "d", AT_REMOVEDIR);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_mkdirat(ring, get(), 999, "d", 0777);
	ck_assert_int_eq(finish(), -EBADF);
}
END_TEST

START_TEST(a_file_that_was_opened_here_gets_a_name)
{
	struct stat st;
	int32_t fd, r;

	ringd_prep_openat(ring, get(), AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0600);
	fd = finish();
	if (fd < 0)
		return;		/* this file system has no such files */
	lend(fd);
	ringd_prep_linkat(ring, get(), fd, "", AT_FDCWD, "named", AT_EMPTY_PATH);
	r = finish();
	/* whoever opened it may link it, from Linux 6.10 on */
	ck_assert_msg(r == 0 || r == -ENOENT, "%d", r);
	if (r == 0)
		ck_assert_int_eq(stat("named", &st), 0);
	close(fd);
}
END_TEST

START_TEST(attributes)
{
	RD_CLOSE int file = open("file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	static char big[20000];

	if (fsetxattr(file, "user.probe", "x", 1, 0) < 0)
		return;		/* none on this file system */
	ck_assert_int_eq(symlink("file", "link"), 0);
	lend(file);
	ringd_prep_setxattr(ring, get(), "user.a", "by path", "link", XATTR_CREATE, 7);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_fgetxattr(ring, get(), file, "user.a", mem, 100);
	ck_assert_int_eq(finish(), 7);
	ck_assert_mem_eq(mem, "by path", 7);
	ringd_prep_fsetxattr(ring, get(), file, "user.a", "by number", XATTR_REPLACE, 9);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_getxattr(ring, get(), "user.a", mem, "file", 100);
	ck_assert_int_eq(finish(), 9);
	ck_assert_mem_eq(mem, "by number", 9);
	ringd_prep_getxattr(ring, get(), "user.a", NULL, "file", 0);
	ck_assert_int_eq(finish(), 9);
	/* not copied, and not in an arena */
	ringd_prep_fsetxattr(ring, get(), file, "user.big", big, 0, sizeof(big));
	ck_assert_int_eq(finish(), -EFAULT);
	ringd_prep_getxattr(ring, get(), "user.a", mem, "/proc/self/exe", 100);
	ck_assert_int_eq(finish(), -ELOOP);
}
END_TEST

START_TEST(advice)
{
	RD_CLOSE int file = open("file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	static const int good[] = { MADV_NORMAL, MADV_WILLNEED, MADV_DONTNEED, MADV_REMOVE };
	void *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	lend(file);
	ringd_prep_fadvise(get(), file, 0, 0, POSIX_FADV_SEQUENTIAL);
	ck_assert_int_eq(finish(), 0);
	for (size_t i = 0; i < RD_ARRAY_SIZE(good); i++) {
		mem[5000] = 'x';
		ringd_prep_madvise(get(), mem + 4096, 8192, good[i]);
		ck_assert_int_eq(finish(), 0);
		ck_assert_int_eq(mem[5000], good[i] == MADV_REMOVE ? 0 : 'x');
	}
	ringd_prep_madvise(get(), mem, 4096, MADV_DONTFORK);
	ck_assert_int_eq(finish(), -EINVAL);
	/* memory that the engine does not know */
	ringd_prep_madvise(get(), own, 4096, MADV_DONTNEED);
	ck_assert_int_eq(finish(), -ENOMEM);
}
END_TEST

START_TEST(pipes)
{
	RD_CLOSE int file = open("file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	char buf[32] = "";
	int p[2], q[2];

	ck_assert_int_eq(write(file, "content", 7), 7);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(q, O_CLOEXEC), 0);
	lend(file);
	for (int i = 0; i < 2; i++) {
		lend(p[i]);
		lend(q[i]);
	}
	ringd_prep_splice(get(), file, 0, p[1], -1, 100, 0);
	ck_assert_int_eq(finish(), 7);
	ringd_prep_tee(get(), p[0], q[1], 100, 0);
	ck_assert_int_eq(finish(), 7);
	ringd_prep_splice(get(), p[0], -1, file, 7, 100, SPLICE_F_MOVE);
	ck_assert_int_eq(finish(), 7);
	ck_assert_int_eq(pread(file, buf, 31, 0), 14);
	ck_assert_str_eq(buf, "contentcontent");
	ck_assert_int_eq(read(q[0], buf, 31), 7);
	ringd_prep_splice(get(), p[0], -1, q[1], -1, 100, SPLICE_F_NONBLOCK);
	ck_assert_int_eq(finish(), -EAGAIN);
	/* from a slot */
	ck_assert_int_eq(ringd_register_files(ring, &file, 1), 0);
	ringd_prep_splice(get(), 0, 3, q[1], -1, 4, RINGD_SPLICE_F_FD_IN_FIXED);
	ck_assert_int_eq(finish(), 4);
}
END_TEST

START_TEST(epoll_sets)
{
	RD_CLOSE int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 99 };
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	lend(ep);
	lend(p[0]);
	ringd_prep_epoll_ctl(ring, get(), ep, p[0], EPOLL_CTL_ADD, &event);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_epoll_ctl(ring, get(), ep, p[0], EPOLL_CTL_ADD, &event);
	ck_assert_int_eq(finish(), -EEXIST);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	event.data.u64 = 0;
	ck_assert_int_eq(epoll_wait(ep, &event, 1, 5000), 1);
	ck_assert_uint_eq(event.data.u64, 99);
	ringd_prep_epoll_ctl(ring, get(), ep, p[0], EPOLL_CTL_DEL, NULL);
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(epoll_wait(ep, &event, 1, 0), 0);
	ringd_prep_epoll_ctl(ring, get(), ep, p[1], EPOLL_CTL_DEL, NULL);
	ck_assert_int_eq(finish(), -EBADF);	/* this one was not lent */
}
END_TEST

START_TEST(tables)
{
	int *list = (int *)(void *)mem, p[2];
	struct ringd_sqe *sqe;
	char buf[16] = "";

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	lend(p[1]);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 4), 0);
	ringd_prep_files_update(ring, get(), (int[]){ -2, p[1], -1 }, 3, 1);
	ck_assert_int_eq(finish(), 3);
	strcpy(mem + 4096, "slot");
	sqe = get();
	ringd_prep_write(sqe, 2, mem + 4096, 5, 0);
	ringd_sqe_set_flags(sqe, RINGD_SQE_FIXED_FILE);
	ck_assert_int_eq(finish(), 5);
	ck_assert_int_eq(read(p[0], buf, sizeof(buf)), 5);
	ck_assert_str_eq(buf, "slot");
	list[0] = list[1] = p[1];
	ringd_prep_files_update(ring, get(), list, 2, RINGD_FILE_INDEX_ALLOC);
	ck_assert_int_eq(finish(), 2);
	ck_assert(list[0] != 2 && list[1] != 2 && list[0] != list[1] && list[0] < 4 && list[1] < 4);
	ringd_prep_files_update(ring, get(), &p[0], 1, 0);
	ck_assert_int_eq(finish(), -EBADF);	/* this one was not lent */
}
END_TEST

START_TEST(sockets)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	RD_CLOSE int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in *name = (void *)mem;
	socklen_t *len = (void *)(mem + 4096);
	int on = 1;

	ck_assert_int_eq(bind(s, (struct sockaddr *)&sin, sizeof(sin)), 0);
	lend(s);
	*len = 128;
	ringd_prep_cmd_getsockname(get(), s, (void *)name, len, 0);
	ck_assert_int_eq(finish(), 0);
	ck_assert_uint_eq(*len, sizeof(sin));
	ck_assert_uint_eq(name->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	ck_assert_int_eq(sendto(s, "12345", 5, 0, (struct sockaddr *)name, *len), 5);
	ringd_prep_cmd_sock(ring, get(), RINGD_SOCKET_OP_SIOCINQ, s, 0, 0, NULL, 0);
	ck_assert_int_eq(finish(), 5);
	ringd_prep_cmd_sock(ring, get(), RINGD_SOCKET_OP_SIOCOUTQ, s, 0, 0, NULL, 0);
	ck_assert_int_ge(finish(), 0);
	ringd_prep_cmd_sock(ring, get(), RINGD_SOCKET_OP_SETSOCKOPT, s, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	ck_assert_int_eq(finish(), 0);
	ringd_prep_cmd_sock(ring, get(), RINGD_SOCKET_OP_GETSOCKOPT, s, SOL_SOCKET, SO_BROADCAST, mem, sizeof(on));
	ck_assert_int_eq(finish(), sizeof(on));
	ck_assert_int_eq(*(int *)(void *)mem, 1);
}
END_TEST

START_TEST(results_in_huge_pages)
{
	struct ringd_arena *huge;
	RD_CLOSE int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t *len;

	if (ringd_arena_new(rd, &huge, 2u << 20, RINGD_ARENA_F_HUGE) < 0)
		return;		/* there are none */
	len = ringd_arena_base(huge);
	*len = 128;
	lend(s);
	ringd_prep_cmd_getsockname(get(), s, (void *)(len + 4), len, 0);
	ck_assert_int_eq(finish(), 0);
	ck_assert_uint_eq(*len, sizeof(struct sockaddr_in));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		names, a_file_that_was_opened_here_gets_a_name, attributes, advice, pipes, epoll_sets, tables, sockets,
		results_in_huge_pages,
	};
	const char *missing = rd_daemon_missing();
	TCase *t;
	Suite *s;

	if (missing)
		return rd_suite_skip(missing);
	s = suite_create("names and the rest");
	t = tcase_create("service");
	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	return rd_suite_main(s);
}
