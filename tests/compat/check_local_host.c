/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The in-process host: descriptors, paths, messages, signals, all of them the program's. */
#include <check.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "localtest.h"
#include "tests/unit/suite.h"

/* --- new descriptors --- */

static int32_t run_open(const char *name, uint32_t flags, uint32_t mode, uint32_t file_index)
{
	struct ringd_sqe *sqe = rd_lt_prep(RINGD_OP_OPENAT, AT_FDCWD, name, mode, 0);

	sqe->open_flags = flags;
	sqe->file_index = file_index;
	return rd_lt_run();
}

static int run_open2(const char *name, struct open_how how, uint8_t flags)
{
	struct ringd_sqe *sqe = rd_lt_prep(RINGD_OP_OPENAT2, AT_FDCWD, name, sizeof(how), (uintptr_t)&how);

	sqe->flags |= flags;
	return rd_lt_run();
}

/* RESOLVE_CACHED of the program's own: also on a worker it is asked for, and other errors are what they are. */
START_TEST(opens_what_is_cached)
{
	const struct open_how cached = { .flags = O_RDONLY, .resolve = RESOLVE_CACHED };
	const char *name = rd_lt_path("there");
	int fd;

	close(rd_lt_file("there", "x"));
	ck_assert_int_eq(run_open2(name, (struct open_how){ .flags = 4, .resolve = RESOLVE_CACHED }, 0), -EINVAL);
	fd = (int)syscall(SYS_openat2, AT_FDCWD, name, &cached, sizeof(cached));
	if (fd < 0)
		return;		/* not on this kernel or file system */
	close(fd);
	fd = run_open2(name, cached, RINGD_SQE_ASYNC);
	ck_assert_int_ge(fd, 0);
	close(fd);
}
END_TEST

START_TEST(opens_as_the_program_would)
{
	int lowest = dup(0), fd;
	struct stat st;
	char buf[32], own[32];

	close(lowest);
	fd = run_open("/proc/self/stat", O_RDONLY | O_CLOEXEC, 0, 0);
	ck_assert_int_eq(fd, lowest);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_gt(read(fd, buf, sizeof(buf)), 8);
	snprintf(own, sizeof(own), "%d ", getpid());
	ck_assert_int_eq(strncmp(buf, own, strlen(own)), 0);
	close(fd);
	umask(027);
	fd = run_open(rd_lt_path("new"), O_RDWR | O_CREAT, 0666, 0);
	umask(022);
	ck_assert_int_eq(fd, lowest);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	close(run_open(buf, O_RDONLY, 0, 0));
	close(fd);
	ck_assert_int_eq(run_open(rd_lt_path("none"), O_RDONLY, 0, 0), -ENOENT);
	ck_assert_int_eq(run_open(rd_lt_path("none/x"), O_RDWR | O_CREAT, 0600, 0), -ENOENT);
}
END_TEST

START_TEST(paths_start_at_the_programs_directories)
{
	int at = open(lt.dir, O_PATH | O_CLOEXEC), n;
	struct statx st;
	struct ringd_sqe *sqe;

	close(rd_lt_file("f", "here"));
	n = rd_lt_fds();
	sqe = rd_lt_prep(RINGD_OP_STATX, at, "f", STATX_SIZE, (uintptr_t)&st);
	ck_assert_int_eq(rd_lt_run(), 0);
	ck_assert_uint_eq(st.stx_size, 4);
	sqe = rd_lt_prep(RINGD_OP_RENAMEAT, at, "f", (uint32_t)at, (uintptr_t)"g");
	ck_assert_int_eq(rd_lt_run(), 0);
	ck_assert_int_eq(chdir(lt.dir), 0);
	sqe = rd_lt_prep(RINGD_OP_LINKAT, AT_FDCWD, "g", (uint32_t)AT_FDCWD, (uintptr_t)"h");
	ck_assert_int_eq(rd_lt_run(), 0);
	sqe = rd_lt_prep(RINGD_OP_SYMLINKAT, AT_FDCWD, "h", 0, (uintptr_t)"s");
	ck_assert_int_eq(rd_lt_run(), 0);
	sqe = rd_lt_prep(RINGD_OP_MKDIRAT, at, "d", 0700, 0);
	ck_assert_int_eq(rd_lt_run(), 0);
	sqe = rd_lt_prep(RINGD_OP_UNLINKAT, at, "d", 0, 0);
	sqe->unlink_flags = AT_REMOVEDIR;
	ck_assert_int_eq(rd_lt_run(), 0);
	ck_assert_int_eq(access(rd_lt_path("s"), F_OK), 0);
	ck_assert_int_eq(access(rd_lt_path("d"), F_OK), -1);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_UNLINKAT, 9999, "x", 0, 0), -EBADF);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rd_lt_fds(), n);
	close(at);
}
END_TEST

START_TEST(sockets_pipes_and_closes)
{
	struct ringd_sqe *sqe = rd_lt_prep(RINGD_OP_SOCKET, AF_NETLINK, NULL, 0, SOCK_RAW);
	int fd = rd_lt_run(), p[2], lowest = dup(0);

	(void)sqe;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	close(lowest);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_PIPE, 0, p, 0, 0), 0);
	ck_assert_int_eq(p[0], lowest);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_CLOSE, fd, NULL, 0, 0), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_CLOSE, fd, NULL, 0, 0), -EBADF);
	lt.ring_number = p[0];
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_CLOSE, p[0], NULL, 0, 0), -EBADF);
	lt.ring_number = -1;
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(no_more_descriptors_than_the_program_may_have)
{
	struct rlimit old, none;
	int p[2];

	ck_assert_int_eq(run_open("/dev/null", O_RDONLY, 0, 0), dup(0) - 1);
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	ck_assert_int_eq(run_open("/dev/null", O_RDONLY, 0, 0), -EMFILE);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_PIPE, 0, p, 0, 0), -EMFILE);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_SOCKET, AF_UNIX, NULL, 0, SOCK_STREAM), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
}
END_TEST

START_TEST(slots_are_out_of_the_way)
{
	int low = dup(0);

	close(low);
	rd_tc_files(&lt.c, 4);
	rd_private_fd_min = 500;
	ck_assert_int_eq(run_open("/dev/null", O_RDONLY, 0, 2), 0);
	rd_lt_prep(RINGD_OP_SOCKET, AF_UNIX, NULL, 0, SOCK_STREAM)->file_index = 3;
	ck_assert_int_eq(rd_lt_run(), 0);
	ck_assert_int_eq(dup(0), low);
	ck_assert_int_ge(lt.c.ring->ctx.files.slots[1]->fd, 500);
	ck_assert_int_ge(lt.c.ring->ctx.files.slots[2]->fd, 500);
	close(low);
	rd_private_fd_min = 0;
}
END_TEST

/* --- messages --- */

START_TEST(descriptors_come_and_go_in_messages)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((__aligned__(8))) = { 0 }, byte = 'b';
	struct iovec iov = { &byte, 1 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	int sv[2], p[2], got, low;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &p[1], sizeof(int));
	lt.ring_number = p[1];
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_SENDMSG, sv[0], &mh, 1, 0), -EINVAL);
	lt.ring_number = -1;
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_SENDMSG, sv[0], &mh, 1, 0), 1);
	memset(control, 0, sizeof(control));
	low = dup(0);
	close(low);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_RECVMSG, sv[1], &mh, 1, 0), 1);
	ck_assert_uint_eq(mh.msg_controllen, sizeof(control));
	memcpy(&got, CMSG_DATA(cm), sizeof(int));
	ck_assert_int_eq(got, low);
	ck_assert_int_eq(fcntl(got, F_GETFD), 0);
	ck_assert_int_eq(write(got, "y", 1), 1);
	ck_assert_int_eq(read(p[0], &byte, 1), 1);
	close(got);
	for (int i = 0; i < 2; i++) {
		close(sv[i]);
		close(p[i]);
	}
}
END_TEST

START_TEST(a_received_message_says_who_sent_it)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } }, from = { 0 };
	socklen_t len = sizeof(addr);
	int a = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), b = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char buf[8];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr mh = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };

	ck_assert_int_eq(bind(a, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(getsockname(a, (struct sockaddr *)&addr, &len), 0);
	rd_lt_prep(RINGD_OP_RECVMSG, a, &mh, 1, 0);
	rd_lt_submit();
	rd_tc_expect_none(&lt.c);
	ck_assert_int_eq(sendto(b, "hello", 5, 0, (struct sockaddr *)&addr, len), 5);
	rd_tc_expect(&lt.c, lt.c.user_data, 5, 0);
	ck_assert_int_eq(getsockname(b, (struct sockaddr *)&addr, &len), 0);
	ck_assert_uint_eq(mh.msg_namelen, sizeof(from));
	ck_assert_uint_eq(from.sin_port, addr.sin_port);
	ck_assert_int_eq(mh.msg_flags, 0);
	ck_assert_uint_eq(mh.msg_controllen, 0);
	close(a);
	close(b);
}
END_TEST

/* --- the rest --- */

START_TEST(epoll_sets_are_the_programs)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 77 }, got[4];
	uint64_t one = 1;

	ck_assert_int_eq(rd_lt_rw(RINGD_OP_EPOLL_CTL, ep, &e, EPOLL_CTL_ADD, (uint64_t)ev), 0);
	rd_lt_prep(RINGD_OP_EPOLL_WAIT, ep, got, 4, 0);
	rd_lt_submit();
	rd_lt_prep(RINGD_OP_POLL_ADD, ep, NULL, 0, 0)->poll32_events = EPOLLIN;
	rd_lt_submit();
	rd_tc_expect_none(&lt.c);
	ck_assert_int_eq(write(ev, &one, 8), 8);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rd_tc_wait(&lt.c).res, 1);
	ck_assert_uint_eq(got[0].data.u64, 77);
	/* the entry has the program's own number */
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_DEL, ev, NULL), 0);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_EPOLL_WAIT, ev, got, 4, 0), -EINVAL);
	close(ep);
	close(ev);
}
END_TEST

START_TEST(private_futexes_are_woken_by_system_calls)
{
	uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ringd_sqe *sqe = rd_lt_prep(RINGD_OP_FUTEX_WAIT, 0x2 | 0x80, word, 0, 0);

	sqe->addr3 = UINT32_MAX;
	rd_lt_submit();
	rd_tc_expect_none(&lt.c);
	/* a shared one at the same place is another one */
	sqe = rd_lt_prep(RINGD_OP_FUTEX_WAKE, 0x2, word, 0, 1);
	sqe->addr3 = UINT32_MAX;
	ck_assert_int_eq(rd_lt_run(), 0);
	__atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	ck_assert_int_eq(rd_tc_wait(&lt.c).res, 0);
	munmap(word, 4096);
}
END_TEST

START_TEST(advice_is_given_to_the_programs_memory)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p[0] = 1;
	rd_lt_prep(RINGD_OP_MADVISE, -1, p, 4096, 0)->fadvise_advice = MADV_DONTNEED;
	ck_assert_int_eq(rd_lt_run(), 0);
	ck_assert_int_eq(p[0], 0);
	munmap(p, 4096);
}
END_TEST

START_TEST(children_are_the_programs)
{
	siginfo_t info = { 0 };
	struct ringd_sqe *sqe;
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	sqe = rd_lt_prep(RINGD_OP_WAITID, pid, NULL, P_PID, (uintptr_t)&info);
	sqe->file_index = WEXITED;
	ck_assert_int_eq(rd_lt_run(), 0);
	ck_assert_int_eq(info.si_status, 3);
}
END_TEST

static volatile sig_atomic_t pipes_broken;

static void on_pipe(int sig)
{
	(void)sig;
	pipes_broken = pipes_broken + 1;
}

START_TEST(a_broken_pipe_is_heard_of_as_from_write)
{
	int p[2], sv[2];

	signal(SIGPIPE, on_pipe);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	close(p[0]);
	close(sv[1]);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_WRITE, p[1], "x", 1, 0), -EPIPE);
	ck_assert_int_eq(pipes_broken, 1);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_WRITE, sv[0], "x", 1, 0), -EPIPE);
	ck_assert_int_eq(pipes_broken, 2);
	rd_lt_prep(RINGD_OP_WRITE, p[1], "x", 1, 0)->rw_flags = 0x100;	/* RWF_NOSIGNAL */
	ck_assert_int_eq(rd_lt_run(), -EPIPE);
	rd_lt_prep(RINGD_OP_WRITE, p[1], "x", 1, 0)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_lt_run(), -EPIPE);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_SEND, sv[0], "x", 1, 0), -EPIPE);
	ck_assert_int_eq(pipes_broken, 2);
	close(p[1]);
	close(sv[0]);
	signal(SIGPIPE, SIG_IGN);
}
END_TEST

START_TEST(a_write_that_waited_breaks_its_pipe_without_a_word)
{
	static char much[1 << 20];
	int p[2];

	signal(SIGPIPE, on_pipe);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(p[1], much, 4096) > 0)
		;
	rd_lt_prep(RINGD_OP_WRITE, p[1], much, sizeof(much), 0);
	rd_lt_submit();
	rd_tc_expect_none(&lt.c);
	close(p[0]);
	ck_assert_int_eq(rd_tc_wait(&lt.c).res, -EPIPE);
	ck_assert_int_eq(pipes_broken, 0);
	close(p[1]);
	signal(SIGPIPE, SIG_IGN);
}
END_TEST

static void on_urgent(int sig)
{
	(void)sig;
	abort();
}

START_TEST(workers_are_interrupted_by_a_signal_nobody_uses)
{
	struct sigaction sa;
	struct ringd_cqe cqe;
	int p[2], q[2];

	signal(SIGURG, on_urgent);
	signal(SIGRTMAX, on_urgent);
	ck_assert(pipe2(p, O_CLOEXEC) == 0 && pipe2(q, O_CLOEXEC) == 0);
	rd_lt_prep(RINGD_OP_SPLICE, q[1], NULL, 16, UINT64_MAX)->splice_off_in = UINT64_MAX;
	lt.c.sqes[lt.c.sq_tail & (lt.c.layout.sq_entries - 1)].splice_fd_in = p[0];
	rd_lt_submit();
	rd_lt_prep(RINGD_OP_ASYNC_CANCEL, -1, (void *)(uintptr_t)lt.c.user_data, 0, 0);
	rd_lt_submit();
	for (int i = 0; i < 2; i++) {
		cqe = rd_tc_wait(&lt.c);
		if (cqe.user_data == lt.c.user_data)
			ck_assert(cqe.res == -EALREADY || cqe.res == 0);
		else
			ck_assert(cqe.res == -EINTR || cqe.res == -ECANCELED);
	}
	ck_assert_int_eq(sigaction(SIGRTMAX, NULL, &sa), 0);
	ck_assert(sa.sa_handler == on_urgent);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}
END_TEST

int main(void)
{
	const TTest *const news[] = {
		opens_what_is_cached, opens_as_the_program_would, paths_start_at_the_programs_directories, sockets_pipes_and_closes,
		no_more_descriptors_than_the_program_may_have, slots_are_out_of_the_way, descriptors_come_and_go_in_messages,
		a_received_message_says_who_sent_it,
	};
	const TTest *const rest[] = {
		epoll_sets_are_the_programs, private_futexes_are_woken_by_system_calls, advice_is_given_to_the_programs_memory,
		children_are_the_programs, a_broken_pipe_is_heard_of_as_from_write,
		a_write_that_waited_breaks_its_pipe_without_a_word, workers_are_interrupted_by_a_signal_nobody_uses,
	};
	const struct {
		const char *name;
		const TTest *const *tests;
		size_t n;
	} groups[] = {
		{ "new descriptors", news, RD_ARRAY_SIZE(news) }, { "the rest", rest, RD_ARRAY_SIZE(rest) },
	};
	Suite *s = suite_create("the process as a host");

	for (size_t g = 0; g < RD_ARRAY_SIZE(groups); g++) {
		TCase *tc = tcase_create(groups[g].name);

		tcase_add_checked_fixture(tc, rd_lt_setup, rd_lt_teardown);
		for (size_t i = 0; i < groups[g].n; i++)
			tcase_add_test(tc, groups[g].tests[i]);
		suite_add_tcase(s, tc);
	}
	return rd_suite_main(s);
}
