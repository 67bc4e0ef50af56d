/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The in-process host: memory that is not there, numbers that mean something else by now, record locks. */
#include <check.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "localtest.h"
#include "tests/unit/suite.h"

#define BAD	((void *)0x10)	/* nothing is there, ever */

/* Two pages, the second with these rights. */
static char *pages(int prot)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	memset(p, 'x', 8192);
	ck_assert_int_eq(mprotect(p + 4096, 4096, prot), 0);
	return p;
}

/* --- memory --- */

START_TEST(memory_that_is_not_there_is_a_fault)
{
	char *none = pages(PROT_NONE), *ro = pages(PROT_READ), buf[64], stack[32] = "on the stack";
	uint64_t at = (uintptr_t)none + 4096 - 8;

	ck_assert_int_eq(rd_local_copy_in(buf, (uintptr_t)stack, sizeof(stack)), 0);
	ck_assert_str_eq(buf, "on the stack");
	ck_assert_int_eq(rd_local_copy_in(buf, at, 8), 0);
	ck_assert_int_eq(rd_local_copy_in(buf, at, 9), -EFAULT);
	ck_assert_int_eq(rd_local_copy_in(buf, (uintptr_t)BAD, 1), -EFAULT);
	ck_assert_int_eq(rd_local_copy_in(buf, UINT64_MAX - 3, 8), -EFAULT);
	ck_assert_int_eq(rd_local_copy_in(buf, (uintptr_t)ro + 4096 - 8, 16), 0);
	ck_assert_int_eq(rd_local_copy_out(at, buf, 8), 0);
	ck_assert_int_eq(rd_local_copy_out(at, buf, 9), -EFAULT);
	ck_assert_int_eq(rd_local_copy_out((uintptr_t)ro + 4096, buf, 1), -EFAULT);
	ck_assert_int_eq(rd_local_copy_out((uintptr_t)stack, "new", 4), 0);
	ck_assert_str_eq(stack, "new");
	ck_assert_int_eq(rd_local_copy_in(BAD, (uintptr_t)BAD, 0), 0);
	munmap(none, 8192);
	munmap(ro, 8192);
}
END_TEST

START_TEST(long_copies_stop_at_what_is_missing)
{
	size_t len = 1 << 20;
	char *src = mmap(NULL, len + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *dst = malloc(len + 4096);

	memset(src, 7, len);
	munmap(src + len, 4096);
	ck_assert_int_eq(rd_local_copy_in(dst, (uintptr_t)src, len), 0);
	ck_assert_mem_eq(dst, src, len);
	ck_assert_int_eq(rd_local_copy_in(dst, (uintptr_t)src, len + 1), -EFAULT);
	ck_assert_int_eq(rd_local_copy_out((uintptr_t)src, dst, len + 1), -EFAULT);
	munmap(src, len);
	free(dst);
}
END_TEST

START_TEST(strings_end_before_what_is_missing)
{
	char *p = pages(PROT_NONE), buf[64];

	strcpy(p + 4096 - 4, "abc");
	ck_assert_int_eq(rd_local_copy_str(buf, (uintptr_t)p + 4096 - 4, sizeof(buf)), 3);
	ck_assert_str_eq(buf, "abc");
	p[4095] = 'd';
	ck_assert_int_eq(rd_local_copy_str(buf, (uintptr_t)p + 4096 - 4, sizeof(buf)), -EFAULT);
	ck_assert_int_eq(rd_local_copy_str(buf, (uintptr_t)p, sizeof(buf)), -ENAMETOOLONG);
	ck_assert_int_eq(rd_local_copy_str(buf, (uintptr_t)BAD, sizeof(buf)), -EFAULT);
	munmap(p, 8192);
}
END_TEST

/* As in containers that forbid to look into processes, even one's own. */
START_TEST(where_processes_must_not_be_looked_into_a_pipe_helps)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_writev, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { RD_ARRAY_SIZE(code), code };
	char *none = pages(PROT_NONE), *ro = pages(PROT_READ), *much = calloc(1, 100000);
	uint64_t at = (uintptr_t)none + 4096 - 8;

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return;
	ck_assert_int_eq(rd_local_copy_out(at, "12345678", 8), 0);
	ck_assert_mem_eq(none + 4096 - 8, "12345678", 8);
	ck_assert_int_eq(rd_local_copy_out(at, "123456789", 9), -EFAULT);
	ck_assert_int_eq(rd_local_copy_out((uintptr_t)ro + 4096, "1", 1), -EFAULT);
	ck_assert_int_eq(rd_local_copy_in(much, (uintptr_t)much + 50000, 50000), 0);
	ck_assert_int_eq(rd_local_copy_in(much, (uintptr_t)none, 8192), -EFAULT);
	munmap(none, 8192);
	munmap(ro, 8192);
	free(much);
}
END_TEST

static void *copies_on_a_thread(void *arg)
{
	char buf[16], local[16] = "thread";

	(void)arg;
	ck_assert_int_eq(rd_local_copy_in(buf, (uintptr_t)local, 16), 0);
	ck_assert_str_eq(buf, "thread");
	ck_assert_int_eq(rd_local_copy_in(buf, (uintptr_t)BAD, 16), -EFAULT);
	return NULL;
}

START_TEST(threads_have_stacks_of_their_own)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, copies_on_a_thread, NULL), 0);
	pthread_join(t, NULL);
}
END_TEST

START_TEST(what_is_registered_is_there)
{
	char *none = pages(PROT_NONE), *ro = pages(PROT_READ);

	ck_assert_int_eq(rd_local_pin((uintptr_t)none, 4096), 0);
	ck_assert_int_eq(rd_local_pin((uintptr_t)none, 4097), -EFAULT);
	ck_assert_int_eq(rd_local_pin((uintptr_t)ro, 8192), -EFAULT);
	ck_assert_int_eq(rd_local_pin(UINT64_MAX - 100, 4096), -EFAULT);
	ck_assert_int_eq(rd_local_pin((uintptr_t)BAD, 1), -EFAULT);
	munmap(none, 8192);
	munmap(ro, 8192);
}
END_TEST

/* Each request with one address that means nothing. */
START_TEST(requests_with_bad_addresses_are_faults)
{
	int fd = rd_lt_file("f", "text"), p[2], ep = epoll_create1(EPOLL_CLOEXEC);
	struct iovec iov = { .iov_base = BAD, .iov_len = 4 };
	struct ringd_sqe *sqe;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_READ, fd, BAD, 4, 0), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_WRITE, fd, BAD, 4, 0), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_READV, fd, BAD, 1, 0), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_READV, fd, &iov, 1, 0), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_WRITE, p[1], BAD, 4, 0), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_OPENAT, AT_FDCWD, BAD, 0, 0), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_STATX, AT_FDCWD, "/", STATX_TYPE, 0x10), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_STATX, AT_FDCWD, BAD, STATX_TYPE, (uintptr_t)&iov), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_PIPE, 0, BAD, 0, 0), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_TIMEOUT, -1, BAD, 1, 0), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_MADVISE, -1, (void *)0x10000, 4096, 0), -ENOMEM);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_EPOLL_CTL, ep, BAD, EPOLL_CTL_ADD, (uint64_t)p[0]), -EFAULT);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_SENDMSG, p[0], BAD, 1, 0), -EFAULT);
	sqe = rd_lt_prep(RINGD_OP_FUTEX_WAIT, 0x2 | 0x80, (void *)0x1000, 0, 0);
	sqe->addr3 = UINT32_MAX;
	ck_assert_int_eq(rd_lt_run(), -EFAULT);
	sqe = rd_lt_prep(RINGD_OP_FUTEX_WAKE, 0x2, (void *)0x1000, 0, 1);
	sqe->addr3 = UINT32_MAX;
	ck_assert_int_eq(rd_lt_run(), -EFAULT);
	close(fd);
	close(ep);
	close(p[0]);
	close(p[1]);
}
END_TEST

/* --- what a number means --- */

START_TEST(reads_make_no_descriptors)
{
	int fd = rd_lt_file("f", "some text"), n;
	char buf[16];

	ck_assert_int_eq(rd_lt_rw(RINGD_OP_READ, fd, buf, 4, 5), 4);
	n = rd_lt_fds();
	for (int i = 0; i < 100; i++)
		rd_lt_prep(RINGD_OP_READ, fd, buf, 4, 5), i % 32 == 31 ? rd_lt_submit() : (void)0;
	rd_lt_submit();
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(rd_tc_wait(&lt.c).res, 4);
	ck_assert_int_eq(rd_lt_fds(), n);
	ck_assert_mem_eq(buf, "text", 4);
	close(fd);
}
END_TEST

START_TEST(a_number_may_mean_something_else_next_time)
{
	int fd = rd_lt_file("f", "file"), p[2], ev = eventfd(1, EFD_CLOEXEC);
	char buf[16];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(rd_lt_rw(RINGD_OP_READ, fd, buf, 4, 0), 4);
		ck_assert_mem_eq(buf, "file", 4);
		/* now a pipe, without anybody being told */
		ck_assert_int_eq(write(p[1], "pipe", 4), 4);
		ck_assert_int_eq(dup2(p[0], fd), fd);
		ck_assert_int_eq(rd_lt_rw(RINGD_OP_READ, fd, buf, 8, 2), 4);
		ck_assert_mem_eq(buf, "pipe", 4);
		/* and a file again, which is read where it was asked to be */
		close(fd);
		ck_assert_int_eq(open(rd_lt_path("f"), O_RDWR | O_CLOEXEC), fd);
		ck_assert_int_eq(rd_lt_rw(RINGD_OP_READ, fd, buf, 4, 2), 2);
		ck_assert_mem_eq(buf, "le", 2);
	}
	ck_assert_int_eq(dup2(ev, fd), fd);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_READ, fd, buf, 8, 0), 8);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_RECV, fd, buf, 8, 0), -ENOTSOCK);
	close(fd);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_READ, fd, buf, 4, 0), -EBADF);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_FSYNC, fd, NULL, 0, 0), -EBADF);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_READ, -1, buf, 4, 0), -EBADF);
	rd_tc_sqe(&lt.c, RINGD_OP_NOP)->nop_flags = RINGD_NOP_FILE;
	lt.c.sqes[(lt.c.sq_tail) & (lt.c.layout.sq_entries - 1)].fd = fd;
	ck_assert_int_eq(rd_lt_run(), -EBADF);
	close(ev);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(a_place_is_no_open_file)
{
	int at = open(lt.dir, O_PATH | O_CLOEXEC);
	struct ringd_sqe *sqe = rd_lt_prep(RINGD_OP_NOP, at, NULL, 0, 0);

	sqe->nop_flags = RINGD_NOP_FILE;
	ck_assert_int_eq(rd_lt_run(), -EBADF);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_FSYNC, at, NULL, 0, 0), -EBADF);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_POLL_ADD, at, NULL, 0, 0), -EBADF);
	close(at);
}
END_TEST

START_TEST(a_socket_may_become_another)
{
	int tcp[2], un[2], fd;
	char buf[16];

	rd_th_sockets(AF_INET, SOCK_STREAM, tcp);
	rd_th_sockets(AF_UNIX, SOCK_DGRAM, un);
	fd = fcntl(tcp[0], F_DUPFD_CLOEXEC, 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(rd_lt_rw(RINGD_OP_SEND, fd, "tcp", 3, 0), 3);
		ck_assert_int_eq(rd_lt_rw(RINGD_OP_RECV, tcp[1], buf, 16, 0), 3);
		ck_assert_int_eq(dup2(un[0], fd), fd);
		ck_assert_int_eq(rd_lt_rw(RINGD_OP_SEND, fd, "unix", 4, 0), 4);
		ck_assert_int_eq(rd_lt_rw(RINGD_OP_RECV, un[1], buf, 16, 0), 4);
		ck_assert_int_eq(dup2(tcp[0], fd), fd);
	}
	for (int i = 0; i < 2; i++) {
		close(tcp[i]);
		close(un[i]);
	}
	close(fd);
}
END_TEST

/* What was received of a message is all there is of it, what was received of a stream may be less. */
START_TEST(a_message_socket_may_become_a_stream)
{
	int tcp[2], un[2], fd;
	char buf[16];

	rd_th_sockets(AF_INET, SOCK_STREAM, tcp);
	rd_th_sockets(AF_UNIX, SOCK_DGRAM, un);
	fd = fcntl(un[0], F_DUPFD_CLOEXEC, 0);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_SEND, fd, "unix", 4, 0), 4);
	ck_assert_int_eq(dup2(tcp[0], fd), fd);
	ck_assert_int_eq(write(tcp[1], "123", 3), 3);
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1), 1);
	rd_lt_prep(RINGD_OP_RECV, fd, buf, 6, 0)->msg_flags = MSG_WAITALL;
	rd_lt_submit();
	rd_tc_expect_none(&lt.c);
	ck_assert_int_eq(write(tcp[1], "456", 3), 3);
	rd_tc_expect(&lt.c, lt.c.user_data, 6, 0);
	for (int i = 0; i < 2; i++) {
		close(tcp[i]);
		close(un[i]);
	}
	close(fd);
}
END_TEST

START_TEST(who_waits_survives_the_close_and_lets_go_when_it_is_done)
{
	char buf[16];
	int p[2];

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
		rd_lt_prep(RINGD_OP_READ, p[0], buf, 16, 0);
		rd_lt_submit();
		rd_tc_expect_none(&lt.c);
		if (i == 0)
			close(p[0]);
		ck_assert_int_eq(write(p[1], "12", 2), 2);
		rd_tc_expect(&lt.c, lt.c.user_data, 2, 0);
		if (i == 1)
			close(p[0]);
		/* nobody reads any more, at this very moment */
		ck_assert_int_eq(write(p[1], "34", 2), -1);
		ck_assert_int_eq(errno, EPIPE);
		close(p[1]);
	}
}
END_TEST

START_TEST(descriptors_of_ours_do_not_use_up_the_programs)
{
	struct rlimit old, few;
	int p[20][2], top = 0, fd;
	char buf[16];

	getrlimit(RLIMIT_NOFILE, &old);
	if (old.rlim_max < 2048)
		return;
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(pipe2(p[i], O_CLOEXEC), 0);
		top = RD_MAX(top, p[i][1]);
	}
	few = old;
	few.rlim_cur = (rlim_t)top + 2;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int i = 0; i < 20; i++)
		rd_lt_prep(RINGD_OP_READ, p[i][0], buf, 16, 0);
	rd_lt_submit();
	rd_tc_expect_none(&lt.c);
	/* the last number is still the program's, and the limit is what it was */
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_le(fd, top + 1);
	ck_assert_int_ge(fd, 0);
	close(fd);
	getrlimit(RLIMIT_NOFILE, &few);
	ck_assert_uint_eq(few.rlim_cur, (rlim_t)top + 2);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(write(p[i][1], "1", 1), 1);
		ck_assert_int_eq(rd_tc_wait(&lt.c).res, 1);
	}
	setrlimit(RLIMIT_NOFILE, &old);
	for (int i = 0; i < 20; i++) {
		close(p[i][0]);
		close(p[i][1]);
	}
}
END_TEST

/* --- record locks --- */

static void lock(int fd, short type)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET };

	ck_assert_int_eq(fcntl(fd, F_SETLK, &fl), 0);
}

/* As another process sees it. */
static bool is_locked(const char *name)
{
	const char *file = rd_lt_path(name);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int fd = open(file, O_RDWR);

		_exit(fd >= 0 && fcntl(fd, F_GETLK, &fl) == 0 && fl.l_type != F_UNLCK);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

START_TEST(record_locks_stay)
{
	int fd = rd_lt_file("f", "locked");
	char buf[16];

	lock(fd, F_WRLCK);
	ck_assert(is_locked("f"));
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_FSYNC, fd, NULL, 0, 0), 0);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_WRITE, fd, "LOCK", 4, 0), 4);
	rd_lt_prep(RINGD_OP_READ, fd, buf, 6, 0)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_lt_run(), 6);
	ck_assert_mem_eq(buf, "LOCKed", 6);
	ck_assert(is_locked("f"));
	close(fd);
	ck_assert(!is_locked("f"));
}
END_TEST

START_TEST(a_duplicate_of_what_was_locked_meanwhile_is_parked)
{
	int fd = rd_lt_file("f", "locked"), n = rd_lt_fds();
	struct rd_file *file;

	ck_assert_int_eq(rd_local_file(&lt.host.host, fd, &file), 0);
	ck_assert_int_ne(file->fd, fd);
	lock(fd, F_RDLCK);
	rd_file_put(file);
	ck_assert(is_locked("f"));
	ck_assert_int_eq(rd_lt_fds(), n + 1);
	lock(fd, F_UNLCK);
	ck_assert_int_eq(rd_local_file(&lt.host.host, fd, &file), 0);
	rd_file_put(file);
	ck_assert_int_eq(rd_lt_fds(), n);
	close(fd);
}
END_TEST

/* Where we hear of each close() regular files are lent, and one that is in use is used by all. */
START_TEST(a_number_is_lent_where_its_close_is_heard_of)
{
	int fd = rd_lt_file("f", "heard"), n = rd_lt_fds();
	struct rd_file *file, *same, *other;
	char buf[8];

	lt.host.hears = true;
	ck_assert_int_eq(rd_local_file(&lt.host.host, fd, &file), 0);
	ck_assert_int_eq(file->fd, fd);
	ck_assert_int_eq(rd_local_file(&lt.host.host, fd, &same), 0);
	ck_assert_ptr_eq(file, same);
	ck_assert_int_eq(rd_lt_rw(RINGD_OP_FSYNC, fd, NULL, 0, 0), 0);
	ck_assert_int_eq(rd_lt_fds(), n);
	rd_local_files_closing(&lt.host, fd);
	close(fd);
	ck_assert_int_eq(rd_local_file(&lt.host.host, fd, &other), -EBADF);
	ck_assert_int_eq(rd_lt_file("g", "else"), fd);
	ck_assert_int_eq(rd_local_file(&lt.host.host, fd, &other), 0);
	ck_assert_int_eq(other->fd, fd);
	ck_assert_int_eq(pread(file->fd, buf, 5, 0), 5);
	ck_assert_mem_eq(buf, "heard", 5);
	rd_file_put(file);
	rd_file_put(same);
	rd_file_put(other);
	ck_assert_uint_eq(lt.host.files.n_lent, 0);
	ck_assert_int_eq(rd_lt_fds(), n);
	lt.host.hears = false;
	close(fd);
}
END_TEST

START_TEST(a_table_has_a_descriptor_of_its_own)
{
	int fd = rd_lt_file("f", "locked");
	struct rd_file *file;
	char buf[8];

	lock(fd, F_WRLCK);
	ck_assert_int_eq(rd_host_keep(&lt.host.host, fd, &file), 0);
	ck_assert_int_ne(file->fd, fd);
	close(fd);
	ck_assert_int_eq(pread(file->fd, buf, 6, 0), 6);
	rd_file_put(file);
	ck_assert_int_eq(rd_host_keep(&lt.host.host, fd, &file), -EBADF);
}
END_TEST

START_TEST(a_lent_number_is_duplicated_when_the_program_closes_it)
{
	int fd = rd_lt_file("f", "locked"), n = rd_lt_fds();
	struct rd_file *file;
	char buf[8];

	lock(fd, F_WRLCK);
	ck_assert_int_eq(rd_local_file(&lt.host.host, fd, &file), 0);
	ck_assert_int_eq(file->fd, fd);
	rd_local_files_closing(&lt.host, fd);
	close(fd);
	ck_assert_int_ne(file->fd, fd);
	ck_assert_int_eq(pread(file->fd, buf, 6, 0), 6);
	rd_file_put(file);
	ck_assert_int_eq(rd_lt_fds(), n - 1);
}
END_TEST

START_TEST(cancels_by_descriptor_find_what_waits_for_the_same_file)
{
	struct ringd_sqe *sqe;
	char buf[8];
	int p[2], q[2], other;

	ck_assert(pipe2(p, O_CLOEXEC) == 0 && pipe2(q, O_CLOEXEC) == 0);
	other = fcntl(p[0], F_DUPFD_CLOEXEC, 0);
	rd_lt_prep(RINGD_OP_READ, p[0], buf, 8, 0);
	rd_lt_submit();
	rd_tc_expect_none(&lt.c);
	for (int i = 0; i < 2; i++) {
		sqe = rd_lt_prep(RINGD_OP_ASYNC_CANCEL, i ? other : q[0], NULL, 0, 0);
		sqe->cancel_flags = RINGD_ASYNC_CANCEL_FD;
		rd_lt_submit();
		rd_tc_expect(&lt.c, lt.c.user_data, i ? 0 : -ENOENT, 0);
	}
	ck_assert_int_eq(rd_tc_wait(&lt.c).res, -ECANCELED);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	close(other);
}
END_TEST

/* By a system call of its own; and somebody here still means to wake by that number. */
START_TEST(a_number_the_program_has_closed_is_not_used_again)
{
	const int min = rd_private_fd_min, data = rd_lt_file("data", "text");
	const uint64_t one = 1;
	int woken, file;
	char buf[16];

	rd_private_fd_min = 200;
	woken = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	ck_assert_int_ge(woken, 200);
	ck_assert_int_eq(syscall(SYS_close, woken), 0);
	file = rd_private_dup(data);
	ck_assert_int_ge(file, 200);
	ck_assert_int_ne(file, woken);
	ck_assert(rd_private_fd_is(file) && rd_private_fd_is(woken));
	ck_assert_int_eq(write(woken, &one, sizeof(one)), sizeof(one));
	ck_assert_int_eq(pread(file, buf, sizeof(buf), 0), 4);
	rd_close(file);
	rd_close(woken);
	close(data);
	rd_private_fd_min = min;
}
END_TEST

int main(void)
{
	const TTest *const memory[] = {
		memory_that_is_not_there_is_a_fault, long_copies_stop_at_what_is_missing, strings_end_before_what_is_missing,
		where_processes_must_not_be_looked_into_a_pipe_helps, threads_have_stacks_of_their_own, what_is_registered_is_there, requests_with_bad_addresses_are_faults,
	};
	const TTest *const files[] = {
		reads_make_no_descriptors, a_number_may_mean_something_else_next_time, a_socket_may_become_another,
		a_message_socket_may_become_a_stream,
		a_place_is_no_open_file, a_number_the_program_has_closed_is_not_used_again,
		who_waits_survives_the_close_and_lets_go_when_it_is_done, descriptors_of_ours_do_not_use_up_the_programs,
		record_locks_stay, a_duplicate_of_what_was_locked_meanwhile_is_parked,
		a_number_is_lent_where_its_close_is_heard_of, a_table_has_a_descriptor_of_its_own, a_lent_number_is_duplicated_when_the_program_closes_it, cancels_by_descriptor_find_what_waits_for_the_same_file,
	};
	const struct {
		const char *name;
		const TTest *const *tests;
		size_t n;
	} groups[] = {
		{ "memory", memory, RD_ARRAY_SIZE(memory) }, { "files", files, RD_ARRAY_SIZE(files) },
	};
	Suite *s = suite_create("files of the process");

	for (size_t g = 0; g < RD_ARRAY_SIZE(groups); g++) {
		TCase *tc = tcase_create(groups[g].name);

		tcase_add_checked_fixture(tc, rd_lt_setup, rd_lt_teardown);
		for (size_t i = 0; i < groups[g].n; i++)
			tcase_add_test(tc, groups[g].tests[i]);
		suite_add_tcase(s, tc);
	}
	return rd_suite_main(s);
}
