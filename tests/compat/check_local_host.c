/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process as its own host: memory that is not there, numbers that mean something else by now, descriptors, locks, signals. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "client-lib/compat/local/process.h"
#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "tests/unit/suite.h"
#include "tests/unit/testhost.h"

#define BAD	((void *)0x10)	/* nothing is there, ever */

static struct rd_testhost th;
static struct rd_local_host lh;
static struct rd_testclient c;
static struct rd_local_ring as_ring;
static int ring_number = -1;
static char dir[] = "/tmp/ringd-host-XXXXXX";

/* --- what the rest of the library would be --- */

struct rd_local_ring *rd_local_ring_of(int fd)
{
	as_ring.ring = c.ring;
	return fd >= 0 && fd == ring_number ? &as_ring : NULL;
}

bool rd_local_hidden(int fd)
{
	return rd_private_fd_min && fd >= rd_private_fd_min;
}

void rd_local_ring_wake(struct rd_host *host, struct rd_ring *ring)
{
	(void)host;
	(void)ring;
}

void rd_local_ring_dead(struct rd_host *host, struct rd_ring *ring, uint32_t reason)
{
	(void)host;
	(void)ring;
	(void)reason;
}

void rd_local_ring_gone(struct rd_host *host, struct rd_ring *ring)
{
	struct rd_testclient *client = ring->host_data;

	(void)host;
	client->ring = NULL;
}

/* --- fixture --- */

static void setup(void)
{
	struct rd_engine_config cfg;

	rd_engine_config_default(&cfg);
	cfg.backend = RD_BACKEND_SYNC;
	rd_th_init_config(&th, &cfg);
	rd_local_host_init(&lh, &th.engine);
	memset(&c, 0, sizeof(c));
	c.th = &th;
	c.params = (struct ringd_params){ .sq_entries = 64, .flags = RINGD_SETUP_NO_SQARRAY };
	ck_assert_int_eq(rd_layout_compute(&c.layout, &c.params), 0);
	c.mem.rings = mmap(NULL, c.layout.rings_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	c.mem.sqes = mmap(NULL, c.layout.sqes_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_int_eq(rd_ring_new(&c.ring, &th.engine, &lh.host, &c.params, &c.layout, &c.mem), 0);
	c.ring->host_data = &c;
	c.hot = (struct ringd_hot *)(void *)((char *)c.mem.rings + c.layout.hot_off);
	c.cqes = (struct ringd_cqe *)(void *)((char *)c.mem.rings + c.params.cq_off.cqes);
	c.sqes = c.mem.sqes;
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char cmd[64];

	rd_tc_close(&c);
	rd_th_deinit(&th);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void submit(void)
{
	uint32_t n = c.unsubmitted;

	rd_local_files_begin(&lh);
	ck_assert_int_eq(rd_tc_submit(&c), (int32_t)n);
	rd_local_files_end(&lh);
}

static int32_t run(void)
{
	struct ringd_cqe cqe;

	submit();
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, c.user_data);
	return cqe.res;
}

static struct ringd_sqe *prep_rw(uint8_t op, int fd, const void *buf, uint32_t len, uint64_t off)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, op);

	sqe->fd = fd;
	sqe->addr = (uintptr_t)buf;
	sqe->len = len;
	sqe->off = off;
	return sqe;
}

static int32_t run_rw(uint8_t op, int fd, const void *buf, uint32_t len, uint64_t off)
{
	prep_rw(op, fd, buf, len, off);
	return run();
}

static const char *path(const char *name)
{
	static char buf[2][128];
	static int which;

	which ^= 1;
	snprintf(buf[which], sizeof(buf[which]), "%s/%s", dir, name);
	return buf[which];
}

static int make_file(const char *name, const char *text)
{
	int fd = open(path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	return fd;
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

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
	int fd = make_file("f", "text"), p[2], ep = epoll_create1(EPOLL_CLOEXEC);
	struct iovec iov = { .iov_base = BAD, .iov_len = 4 };
	struct ringd_sqe *sqe;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(run_rw(RINGD_OP_READ, fd, BAD, 4, 0), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_WRITE, fd, BAD, 4, 0), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_READV, fd, BAD, 1, 0), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_READV, fd, &iov, 1, 0), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_WRITE, p[1], BAD, 4, 0), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_OPENAT, AT_FDCWD, BAD, 0, 0), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_STATX, AT_FDCWD, "/", STATX_TYPE, 0x10), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_STATX, AT_FDCWD, BAD, STATX_TYPE, (uintptr_t)&iov), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_PIPE, 0, BAD, 0, 0), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_TIMEOUT, -1, BAD, 1, 0), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_MADVISE, -1, (void *)0x10000, 4096, 0), -ENOMEM);
	ck_assert_int_eq(run_rw(RINGD_OP_EPOLL_CTL, ep, BAD, EPOLL_CTL_ADD, (uint64_t)p[0]), -EFAULT);
	ck_assert_int_eq(run_rw(RINGD_OP_SENDMSG, p[0], BAD, 1, 0), -EFAULT);
	sqe = prep_rw(RINGD_OP_FUTEX_WAIT, 0x2 | 0x80, (void *)0x1000, 0, 0);
	sqe->addr3 = UINT32_MAX;
	ck_assert_int_eq(run(), -EFAULT);
	sqe = prep_rw(RINGD_OP_FUTEX_WAKE, 0x2, (void *)0x1000, 0, 1);
	sqe->addr3 = UINT32_MAX;
	ck_assert_int_eq(run(), -EFAULT);
	close(fd);
	close(ep);
	close(p[0]);
	close(p[1]);
}
END_TEST

/* --- what a number means --- */

START_TEST(reads_make_no_descriptors)
{
	int fd = make_file("f", "some text"), n;
	char buf[16];

	ck_assert_int_eq(run_rw(RINGD_OP_READ, fd, buf, 4, 5), 4);
	n = count_fds();
	for (int i = 0; i < 100; i++)
		prep_rw(RINGD_OP_READ, fd, buf, 4, 5), i % 32 == 31 ? submit() : (void)0;
	submit();
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(rd_tc_wait(&c).res, 4);
	ck_assert_int_eq(count_fds(), n);
	ck_assert_mem_eq(buf, "text", 4);
	close(fd);
}
END_TEST

START_TEST(a_number_may_mean_something_else_next_time)
{
	int fd = make_file("f", "file"), p[2], ev = eventfd(1, EFD_CLOEXEC);
	char buf[16];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(run_rw(RINGD_OP_READ, fd, buf, 4, 0), 4);
		ck_assert_mem_eq(buf, "file", 4);
		/* now a pipe, without anybody being told */
		ck_assert_int_eq(write(p[1], "pipe", 4), 4);
		ck_assert_int_eq(dup2(p[0], fd), fd);
		ck_assert_int_eq(run_rw(RINGD_OP_READ, fd, buf, 8, 2), 4);
		ck_assert_mem_eq(buf, "pipe", 4);
		/* and a file again, which is read where it was asked to be */
		close(fd);
		ck_assert_int_eq(open(path("f"), O_RDWR | O_CLOEXEC), fd);
		ck_assert_int_eq(run_rw(RINGD_OP_READ, fd, buf, 4, 2), 2);
		ck_assert_mem_eq(buf, "le", 2);
	}
	ck_assert_int_eq(dup2(ev, fd), fd);
	ck_assert_int_eq(run_rw(RINGD_OP_READ, fd, buf, 8, 0), 8);
	ck_assert_int_eq(run_rw(RINGD_OP_RECV, fd, buf, 8, 0), -ENOTSOCK);
	close(fd);
	ck_assert_int_eq(run_rw(RINGD_OP_READ, fd, buf, 4, 0), -EBADF);
	ck_assert_int_eq(run_rw(RINGD_OP_FSYNC, fd, NULL, 0, 0), -EBADF);
	ck_assert_int_eq(run_rw(RINGD_OP_READ, -1, buf, 4, 0), -EBADF);
	rd_tc_sqe(&c, RINGD_OP_NOP)->nop_flags = RINGD_NOP_FILE;
	c.sqes[(c.sq_tail) & (c.layout.sq_entries - 1)].fd = fd;
	ck_assert_int_eq(run(), -EBADF);
	close(ev);
	close(p[0]);
	close(p[1]);
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
		ck_assert_int_eq(run_rw(RINGD_OP_SEND, fd, "tcp", 3, 0), 3);
		ck_assert_int_eq(run_rw(RINGD_OP_RECV, tcp[1], buf, 16, 0), 3);
		ck_assert_int_eq(dup2(un[0], fd), fd);
		ck_assert_int_eq(run_rw(RINGD_OP_SEND, fd, "unix", 4, 0), 4);
		ck_assert_int_eq(run_rw(RINGD_OP_RECV, un[1], buf, 16, 0), 4);
		ck_assert_int_eq(dup2(tcp[0], fd), fd);
	}
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
		prep_rw(RINGD_OP_READ, p[0], buf, 16, 0);
		submit();
		rd_tc_expect_none(&c);
		if (i == 0)
			close(p[0]);
		ck_assert_int_eq(write(p[1], "12", 2), 2);
		rd_tc_expect(&c, c.user_data, 2, 0);
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
		prep_rw(RINGD_OP_READ, p[i][0], buf, 16, 0);
	submit();
	rd_tc_expect_none(&c);
	/* the last number is still the program's, and the limit is what it was */
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_le(fd, top + 1);
	ck_assert_int_ge(fd, 0);
	close(fd);
	getrlimit(RLIMIT_NOFILE, &few);
	ck_assert_uint_eq(few.rlim_cur, (rlim_t)top + 2);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(write(p[i][1], "1", 1), 1);
		ck_assert_int_eq(rd_tc_wait(&c).res, 1);
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
	const char *file = path(name);
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
	int fd = make_file("f", "locked");
	char buf[16];

	lock(fd, F_WRLCK);
	ck_assert(is_locked("f"));
	ck_assert_int_eq(run_rw(RINGD_OP_FSYNC, fd, NULL, 0, 0), 0);
	ck_assert_int_eq(run_rw(RINGD_OP_WRITE, fd, "LOCK", 4, 0), 4);
	prep_rw(RINGD_OP_READ, fd, buf, 6, 0)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(run(), 6);
	ck_assert_mem_eq(buf, "LOCKed", 6);
	ck_assert(is_locked("f"));
	close(fd);
	ck_assert(!is_locked("f"));
}
END_TEST

START_TEST(a_duplicate_of_what_was_locked_meanwhile_is_parked)
{
	int fd = make_file("f", "locked"), n = count_fds();
	struct rd_file *file;

	ck_assert_int_eq(rd_local_file(&lh.host, fd, &file), 0);
	ck_assert_int_ne(file->fd, fd);
	lock(fd, F_RDLCK);
	rd_file_put(file);
	ck_assert(is_locked("f"));
	ck_assert_int_eq(count_fds(), n + 1);
	lock(fd, F_UNLCK);
	ck_assert_int_eq(rd_local_file(&lh.host, fd, &file), 0);
	rd_file_put(file);
	ck_assert_int_eq(count_fds(), n);
	close(fd);
}
END_TEST

START_TEST(a_lent_number_is_duplicated_when_the_program_closes_it)
{
	int fd = make_file("f", "locked"), n = count_fds();
	struct rd_file *file;
	char buf[8];

	lock(fd, F_WRLCK);
	ck_assert_int_eq(rd_local_file(&lh.host, fd, &file), 0);
	ck_assert_int_eq(file->fd, fd);
	ck_assert(rd_local_files_concerned(&lh, fd));
	rd_local_files_closing(&lh, fd);
	close(fd);
	ck_assert_int_ne(file->fd, fd);
	ck_assert_int_eq(pread(file->fd, buf, 6, 0), 6);
	rd_file_put(file);
	ck_assert_int_eq(count_fds(), n - 1);
}
END_TEST

/* --- new descriptors --- */

static int32_t run_open(const char *name, uint32_t flags, uint32_t mode, uint32_t file_index)
{
	struct ringd_sqe *sqe = prep_rw(RINGD_OP_OPENAT, AT_FDCWD, name, mode, 0);

	sqe->open_flags = flags;
	sqe->file_index = file_index;
	return run();
}

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
	fd = run_open(path("new"), O_RDWR | O_CREAT, 0666, 0);
	umask(022);
	ck_assert_int_eq(fd, lowest);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	close(run_open(buf, O_RDONLY, 0, 0));
	close(fd);
	ck_assert_int_eq(run_open(path("none"), O_RDONLY, 0, 0), -ENOENT);
	ck_assert_int_eq(run_open(path("none/x"), O_RDWR | O_CREAT, 0600, 0), -ENOENT);
}
END_TEST

START_TEST(paths_start_at_the_programs_directories)
{
	int at = open(dir, O_PATH | O_CLOEXEC), n;
	struct statx st;
	struct ringd_sqe *sqe;

	close(make_file("f", "here"));
	n = count_fds();
	sqe = prep_rw(RINGD_OP_STATX, at, "f", STATX_SIZE, (uintptr_t)&st);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(st.stx_size, 4);
	sqe = prep_rw(RINGD_OP_RENAMEAT, at, "f", (uint32_t)at, (uintptr_t)"g");
	ck_assert_int_eq(run(), 0);
	ck_assert_int_eq(chdir(dir), 0);
	sqe = prep_rw(RINGD_OP_LINKAT, AT_FDCWD, "g", (uint32_t)AT_FDCWD, (uintptr_t)"h");
	ck_assert_int_eq(run(), 0);
	sqe = prep_rw(RINGD_OP_SYMLINKAT, AT_FDCWD, "h", 0, (uintptr_t)"s");
	ck_assert_int_eq(run(), 0);
	sqe = prep_rw(RINGD_OP_MKDIRAT, at, "d", 0700, 0);
	ck_assert_int_eq(run(), 0);
	sqe = prep_rw(RINGD_OP_UNLINKAT, at, "d", 0, 0);
	sqe->unlink_flags = AT_REMOVEDIR;
	ck_assert_int_eq(run(), 0);
	ck_assert_int_eq(access(path("s"), F_OK), 0);
	ck_assert_int_eq(access(path("d"), F_OK), -1);
	ck_assert_int_eq(run_rw(RINGD_OP_UNLINKAT, 9999, "x", 0, 0), -EBADF);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(count_fds(), n);
	close(at);
}
END_TEST

START_TEST(sockets_pipes_and_closes)
{
	struct ringd_sqe *sqe = prep_rw(RINGD_OP_SOCKET, AF_NETLINK, NULL, 0, SOCK_RAW);
	int fd = run(), p[2], lowest = dup(0);

	(void)sqe;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	close(lowest);
	ck_assert_int_eq(run_rw(RINGD_OP_PIPE, 0, p, 0, 0), 0);
	ck_assert_int_eq(p[0], lowest);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	ck_assert_int_eq(run_rw(RINGD_OP_CLOSE, fd, NULL, 0, 0), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(run_rw(RINGD_OP_CLOSE, fd, NULL, 0, 0), -EBADF);
	ring_number = p[0];
	ck_assert_int_eq(run_rw(RINGD_OP_CLOSE, p[0], NULL, 0, 0), -EBADF);
	ring_number = -1;
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
	ck_assert_int_eq(run_rw(RINGD_OP_PIPE, 0, p, 0, 0), -EMFILE);
	ck_assert_int_eq(run_rw(RINGD_OP_SOCKET, AF_UNIX, NULL, 0, SOCK_STREAM), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
}
END_TEST

START_TEST(slots_are_out_of_the_way)
{
	int low = dup(0);

	close(low);
	rd_tc_files(&c, 4);
	rd_private_fd_min = 500;
	ck_assert_int_eq(run_open("/dev/null", O_RDONLY, 0, 2), 0);
	prep_rw(RINGD_OP_SOCKET, AF_UNIX, NULL, 0, SOCK_STREAM)->file_index = 3;
	ck_assert_int_eq(run(), 0);
	ck_assert_int_eq(dup(0), low);
	ck_assert_int_ge(c.ring->ctx.files.slots[1]->fd, 500);
	ck_assert_int_ge(c.ring->ctx.files.slots[2]->fd, 500);
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
	ring_number = p[1];
	ck_assert_int_eq(run_rw(RINGD_OP_SENDMSG, sv[0], &mh, 1, 0), -EINVAL);
	ring_number = -1;
	ck_assert_int_eq(run_rw(RINGD_OP_SENDMSG, sv[0], &mh, 1, 0), 1);
	memset(control, 0, sizeof(control));
	low = dup(0);
	close(low);
	ck_assert_int_eq(run_rw(RINGD_OP_RECVMSG, sv[1], &mh, 1, 0), 1);
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
	prep_rw(RINGD_OP_RECVMSG, a, &mh, 1, 0);
	submit();
	rd_tc_expect_none(&c);
	ck_assert_int_eq(sendto(b, "hello", 5, 0, (struct sockaddr *)&addr, len), 5);
	rd_tc_expect(&c, c.user_data, 5, 0);
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

	ck_assert_int_eq(run_rw(RINGD_OP_EPOLL_CTL, ep, &e, EPOLL_CTL_ADD, (uint64_t)ev), 0);
	prep_rw(RINGD_OP_EPOLL_WAIT, ep, got, 4, 0);
	submit();
	prep_rw(RINGD_OP_POLL_ADD, ep, NULL, 0, 0)->poll32_events = EPOLLIN;
	submit();
	rd_tc_expect_none(&c);
	ck_assert_int_eq(write(ev, &one, 8), 8);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rd_tc_wait(&c).res, 1);
	ck_assert_uint_eq(got[0].data.u64, 77);
	/* the entry has the program's own number */
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_DEL, ev, NULL), 0);
	ck_assert_int_eq(run_rw(RINGD_OP_EPOLL_WAIT, ev, got, 4, 0), -EINVAL);
	close(ep);
	close(ev);
}
END_TEST

START_TEST(private_futexes_are_woken_by_system_calls)
{
	uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ringd_sqe *sqe = prep_rw(RINGD_OP_FUTEX_WAIT, 0x2 | 0x80, word, 0, 0);

	sqe->addr3 = UINT32_MAX;
	submit();
	rd_tc_expect_none(&c);
	/* a shared one at the same place is another one */
	sqe = prep_rw(RINGD_OP_FUTEX_WAKE, 0x2, word, 0, 1);
	sqe->addr3 = UINT32_MAX;
	ck_assert_int_eq(run(), 0);
	__atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	ck_assert_int_eq(rd_tc_wait(&c).res, 0);
	munmap(word, 4096);
}
END_TEST

START_TEST(advice_is_given_to_the_programs_memory)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p[0] = 1;
	prep_rw(RINGD_OP_MADVISE, -1, p, 4096, 0)->fadvise_advice = MADV_DONTNEED;
	ck_assert_int_eq(run(), 0);
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
	sqe = prep_rw(RINGD_OP_WAITID, pid, NULL, P_PID, (uintptr_t)&info);
	sqe->file_index = WEXITED;
	ck_assert_int_eq(run(), 0);
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
	ck_assert_int_eq(run_rw(RINGD_OP_WRITE, p[1], "x", 1, 0), -EPIPE);
	ck_assert_int_eq(pipes_broken, 1);
	ck_assert_int_eq(run_rw(RINGD_OP_WRITE, sv[0], "x", 1, 0), -EPIPE);
	ck_assert_int_eq(pipes_broken, 2);
	prep_rw(RINGD_OP_WRITE, p[1], "x", 1, 0)->rw_flags = 0x100;	/* RWF_NOSIGNAL */
	ck_assert_int_eq(run(), -EPIPE);
	prep_rw(RINGD_OP_WRITE, p[1], "x", 1, 0)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(run(), -EPIPE);
	ck_assert_int_eq(run_rw(RINGD_OP_SEND, sv[0], "x", 1, 0), -EPIPE);
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
	prep_rw(RINGD_OP_WRITE, p[1], much, sizeof(much), 0);
	submit();
	rd_tc_expect_none(&c);
	close(p[0]);
	ck_assert_int_eq(rd_tc_wait(&c).res, -EPIPE);
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
	prep_rw(RINGD_OP_SPLICE, q[1], NULL, 16, UINT64_MAX)->splice_off_in = UINT64_MAX;
	c.sqes[c.sq_tail & (c.layout.sq_entries - 1)].splice_fd_in = p[0];
	submit();
	prep_rw(RINGD_OP_ASYNC_CANCEL, -1, (void *)(uintptr_t)c.user_data, 0, 0);
	submit();
	for (int i = 0; i < 2; i++) {
		cqe = rd_tc_wait(&c);
		if (cqe.user_data == c.user_data)
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

START_TEST(cancels_by_descriptor_find_what_waits_for_the_same_file)
{
	struct ringd_sqe *sqe;
	char buf[8];
	int p[2], q[2], other;

	ck_assert(pipe2(p, O_CLOEXEC) == 0 && pipe2(q, O_CLOEXEC) == 0);
	other = fcntl(p[0], F_DUPFD_CLOEXEC, 0);
	prep_rw(RINGD_OP_READ, p[0], buf, 8, 0);
	submit();
	rd_tc_expect_none(&c);
	for (int i = 0; i < 2; i++) {
		sqe = prep_rw(RINGD_OP_ASYNC_CANCEL, i ? other : q[0], NULL, 0, 0);
		sqe->cancel_flags = RINGD_ASYNC_CANCEL_FD;
		submit();
		rd_tc_expect(&c, c.user_data, i ? 0 : -ENOENT, 0);
	}
	ck_assert_int_eq(rd_tc_wait(&c).res, -ECANCELED);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	close(other);
}
END_TEST

int main(void)
{
	const TTest *const memory[] = {
		memory_that_is_not_there_is_a_fault, long_copies_stop_at_what_is_missing, strings_end_before_what_is_missing,
		threads_have_stacks_of_their_own, what_is_registered_is_there, requests_with_bad_addresses_are_faults,
	};
	const TTest *const files[] = {
		reads_make_no_descriptors, a_number_may_mean_something_else_next_time, a_socket_may_become_another,
		who_waits_survives_the_close_and_lets_go_when_it_is_done, descriptors_of_ours_do_not_use_up_the_programs,
		record_locks_stay, a_duplicate_of_what_was_locked_meanwhile_is_parked,
		a_lent_number_is_duplicated_when_the_program_closes_it, cancels_by_descriptor_find_what_waits_for_the_same_file,
	};
	const TTest *const news[] = {
		opens_as_the_program_would, paths_start_at_the_programs_directories, sockets_pipes_and_closes,
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
		{ "memory", memory, RD_ARRAY_SIZE(memory) }, { "files", files, RD_ARRAY_SIZE(files) },
		{ "new descriptors", news, RD_ARRAY_SIZE(news) }, { "the rest", rest, RD_ARRAY_SIZE(rest) },
	};
	Suite *s = suite_create("local host");

	for (size_t g = 0; g < RD_ARRAY_SIZE(groups); g++) {
		TCase *tc = tcase_create(groups[g].name);

		tcase_add_checked_fixture(tc, setup, teardown);
		for (size_t i = 0; i < groups[g].n; i++)
			tcase_add_test(tc, groups[g].tests[i]);
		suite_add_tcase(s, tc);
	}
	return rd_suite_main(s);
}
