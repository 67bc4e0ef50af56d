/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Context and lifetime */
#include "cf.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "daemon/common/util.h"

/* --- who holds a file --- */

static int32_t close_number(struct cf_ring *ring, int fd)
{
	cf_sqe(ring, RINGD_OP_CLOSE)->fd = fd;
	return cf_run(ring);
}

CF_TEST(a_closed_pipe_ends_with_the_cqe, 423,
	"Close of the client's only write end by a CLOSE request -> a reader of the pipe sees EOF as soon as the CQE is visible")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char byte;
	int fds[2];

	for (int i = 0; i < 20; i++) {
		cf_pipe(fds);
		cf_lend(ring, fds[1]);
		ck_assert_int_eq(close_number(ring, fds[1]), 0);
		ck_assert(cf_fd_ready(fds[0], POLLHUP));
		ck_assert_int_eq(read(fds[0], &byte, 1), 0);
		ck_assert_int_eq(fcntl(fds[1], F_GETFD), -1);
		close(fds[0]);
	}
}

CF_TEST(a_completed_read_holds_no_socket, 424,
	"Completed read from a socket, then close by the client -> the peer sees FIN at once, no hidden reference remains")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;
	int pair[2];

	cf_files(ring, 1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cf_file(ring, 0, pair[0]);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	sqe = cf_sqe(ring, RINGD_OP_READ);
	sqe->fd = 0;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->addr = cf_addr(cf_alloc(8, 0));
	sqe->len = 8;
	ck_assert_int_eq(cf_run(ring), 1);
	close(pair[0]);
	ck_assert(!cf_fd_ready(pair[1], POLLHUP));	/* the slot has it */
	sqe = cf_sqe(ring, RINGD_OP_CLOSE);
	sqe->fd = 0;
	sqe->file_index = 1;
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert(cf_fd_ready(pair[1], POLLHUP));
	close(pair[1]);
}

CF_TEST(a_program_written_through_the_ring_can_run, 425,
	"Open for writing and close through the ring, then exec of that file -> no ETXTBSY")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;
	int to, from, n;
	char buf[4096];

	from = open("/bin/true", O_RDONLY);
	ck_assert_int_ge(from, 0);
	sqe = cf_sqe(ring, RINGD_OP_OPENAT);
	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(cf_path("program"));
	sqe->open_flags = O_CREAT | O_WRONLY | O_CLOEXEC;
	sqe->len = 0700;
	to = cf_run(ring);
	ck_assert_int_ge(to, 0);
	while ((n = (int)read(from, buf, sizeof(buf))) > 0)
		ck_assert_int_eq(write(to, buf, (size_t)n), n);
	close(from);
	cf_lend(ring, to);
	ck_assert_int_eq(close_number(ring, to), 0);
	ck_assert_int_eq(system(cf_path("program")), 0);
}

CF_TEST(a_slot_is_looked_at_when_the_request_starts, 436,
	"Request on a registered slot emptied and refilled while waiting behind a link -> the refilled file is used")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int one = cf_make_file("one", 5, O_RDONLY), two = cf_make_file("two", 9, O_RDONLY), fds[2];
	char *buf = cf_alloc(64, 0);
	struct ringd_sqe *sqe;

	cf_pipe(fds);
	cf_files(ring, 2);
	cf_file(ring, 0, one);
	cf_file(ring, 1, fds[0]);
	sqe = cf_sqe_ud(ring, RINGD_OP_READ, 1, RINGD_SQE_FIXED_FILE | RINGD_SQE_IO_HARDLINK);
	sqe->fd = 1;
	sqe->addr = cf_addr(buf);
	sqe->len = 1;
	sqe = cf_sqe_ud(ring, RINGD_OP_READ, 2, RINGD_SQE_FIXED_FILE);
	sqe->fd = 0;
	sqe->addr = cf_addr(buf);
	sqe->len = 64;
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_file(ring, 0, -1);
	cf_file(ring, 0, two);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 9, 0);
	close(one);
	close(two);
}

CF_TEST(a_slot_keeps_a_connection, 439, "FIXED_FILE slot of a socket, original fd closed -> peer stays connected until the slot is emptied")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int pair[2];

	cf_files(ring, 1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cf_file(ring, 0, pair[0]);
	close(pair[0]);
	ck_assert(!cf_fd_ready(pair[1], POLLHUP));
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	cf_file(ring, 0, -1);
	cf_wait_fd(pair[1], POLLHUP);
	close(pair[1]);
}

static struct ringd_sqe *read_fd(struct cf_ring *ring, uint64_t user_data, int fd, void *buf, unsigned int len)
{
	struct ringd_sqe *sqe = cf_prep_rw(ring, RINGD_OP_READ, fd, buf, len, UINT64_MAX);

	sqe->user_data = user_data;
	return sqe;
}

static struct ringd_sqe *poll_fd(struct cf_ring *ring, uint64_t user_data, int fd)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_POLL_ADD, user_data, 0);

	cf_sqe_fd(ring, sqe, fd);
	sqe->poll32_events = POLLIN;
	return sqe;
}

/* --- files that depend on who asks --- */

CF_TEST(a_signalfd_is_the_clients, 426, "Poll of a signalfd -> fires for a signal pending in the client process")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_files_update up = { 0 };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	if (cf_on(CF_RINGD)) {
		up.fds = cf_addr(&fd);
		cf_files(ring, 1);
		ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES_UPDATE, &up, 1), -EBADF);
		return;
	}
	poll_fd(ring, 1, fd);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect_none(ring);
	kill(getpid(), SIGUSR1);
	cf_expect(ring, 1, POLLIN, 0);
}
CF_DIFFERS(a_signalfd_is_the_clients, CF_RINGD,
	   "a signalfd shows the signals of the process that looks, which would be the engine: it cannot be registered")

CF_TEST(counters_are_read_as_eight_bytes, 427, "Read of an eventfd or timerfd with a 16-byte buffer -> 8")
{
	struct itimerspec its = { .it_value = { 0, 1000 } };
	struct cf_ring *ring = cf_ring_new(8, 0);
	int event = eventfd(3, EFD_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t *buf = cf_alloc(16, 0);

	ck_assert_int_ge(event, 0);
	ck_assert_int_ge(timer, 0);
	read_fd(ring, 1, event, buf, 16);
	ck_assert_int_eq(cf_run(ring), 8);
	ck_assert_uint_eq(buf[0], 3);
	ck_assert_uint_eq(buf[1], 0);
	ck_assert_int_eq(timerfd_settime(timer, 0, &its, NULL), 0);
	read_fd(ring, 1, timer, buf, 16);
	ck_assert_int_eq(cf_run(ring), 8);
	ck_assert_uint_eq(buf[0], 1);
}

CF_TEST(vectors_are_copied_at_submission, 428, "Request that reads iovec memory the client overwrites after enter -> old contents used")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *good = cf_alloc(16, 0), *bad = cf_alloc(16, 0);
	struct iovec iov = { good, 4 }, *v = cf_in(&iov, sizeof(iov));
	int fd[2];

	cf_pipe(fd);
	cf_prep_rw(ring, RINGD_OP_READV, fd[0], v, 1, 0)->user_data = 1;
	ck_assert_int_eq(cf_submit(ring), 1);
	*v = (struct iovec){ bad, 1 };
	ck_assert_int_eq(write(fd[1], "data", 4), 4);
	cf_expect(ring, 1, 4, 0);
	ck_assert_mem_eq(good, "data", 4);
	ck_assert_int_eq(bad[0], 0);
}

/* --- ends of clients --- */

/* A child with a ring of its own and a read of fd, a chain and a timeout in flight, which then ends by the signal */
static pid_t child_with_requests(int fd, int sig)
{
	struct rlimit core = { 1 << 20, 1 << 20 };
	struct cf_ring *ring;
	pid_t pid = cf_fork();
	struct ringd_sqe *sqe;

	if (pid)
		return pid;
	cf_forked();
	ring = cf_ring_new(8, 0);
	read_fd(ring, 1, fd, cf_alloc(16, 0), 16)->flags |= RINGD_SQE_IO_LINK;
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
	sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT, 3, 0);
	sqe->addr = cf_addr(cf_ts(1000000000000));
	sqe->len = 1;
	if (cf_submit(ring) != 3)
		cf_child_end(3);
	setrlimit(RLIMIT_CORE, &core);
	signal(sig, SIG_DFL);
	raise(sig);
	cf_child_end(4);
}

CF_TEST(a_killed_client_lets_go_of_everything, 429,
	"Client killed with requests in flight -> exits without delay, files and sockets are released, the peer sees hang-up")
{
	uint64_t start = cf_now_ns();
	int pair[2];
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = child_with_requests(pair[0], SIGKILL);
	close(pair[0]);
	ck_assert_int_eq(cf_child_wait(pid), 128 + SIGKILL);
	cf_wait_fd(pair[1], POLLHUP);
	ck_assert_uint_lt(cf_now_ns() - start, CF_PATIENCE_MS * 1000000ull / 2);
}

CF_TEST(a_client_that_dumps_core_ends, 430, "Client core-dumps with requests in flight -> the dump completes")
{
	char *dir = cf_path(".");
	int pair[2];

	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(cf_child_wait(child_with_requests(pair[0], SIGABRT)), 128 + SIGABRT);
	close(pair[0]);
	cf_wait_fd(pair[1], POLLHUP);
}

/* --- fork --- */

CF_TEST(a_child_uses_the_inherited_ring, 431,
	"Child after fork submits on the inherited ring -> works, fds are the child's, CQE visible to both")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *buf = cf_alloc(16, 0);
	int fd = cf_make_file("f", 100, O_RDONLY);
	pid_t pid = cf_fork();

	if (pid == 0) {
		int other = -1;

		if (!cf_on(CF_RINGD)) {
			other = cf_make_file("g", 7, O_RDONLY);
			read_fd(ring, 1, other, buf, 16);
			/* waits, and leaves it there: one that is under way when its process ends is another matter */
			cf_child_end(cf_submit_and_wait(ring, 1) == 1 && other > fd ? 0 : 1);
		}
		cf_child_end(0);
	}
	ck_assert_int_eq(cf_child_wait(pid), 0);
	if (!cf_on(CF_RINGD)) {
		cf_expect(ring, 1, 7, 0);
		return;
	}
	read_fd(ring, 2, fd, buf, 16);
	ck_assert_int_eq(cf_run(ring), 16);
}
CF_DIFFERS(a_child_uses_the_inherited_ring, CF_RINGD,
	   "a connection belongs to the process that made it: the child must not use it, and what it does not use is not harmed")

CF_TEST(a_ring_lives_while_a_child_holds_it, 432, "Parent closes a ring that the child still holds -> the ring and its requests live on")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2], go[2];
	struct cf_cqe cqe;
	pid_t pid;
	char c;

	signal(SIGPIPE, SIG_IGN);
	cf_pipe(fd);
	cf_pipe(go);
	read_fd(ring, 1, fd[0], cf_alloc(16, 0), 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	pid = cf_fork();
	if (pid == 0) {
		close(fd[0]);
		close(go[1]);
		if (read(go[0], &c, 1) < 0)
			cf_child_end(1);
		cf_child_end(cf_on(CF_RINGD) || (cf_wait_cqe_for(ring, &cqe, CF_PATIENCE_MS) && cqe.res != -ECANCELED) ? 0 : 2);
	}
	close(fd[0]);
	cf_ring_free(ring);
	if (cf_on(CF_RINGD))
		cf_wait_fd(fd[1], 0);	/* POLLERR: the read has gone with the ring */
	else
		ck_assert_int_eq(write(fd[1], "x", 1), 1);
	close(go[1]);
	ck_assert_int_eq(cf_child_wait(pid), 0);
}
CF_DIFFERS(a_ring_lives_while_a_child_holds_it, CF_RINGD, "a ring ends when its client frees it, whoever has inherited its descriptors")

CF_TEST(requests_of_a_dead_child_are_cancelled, 433,
	"Child process submits a read on the inherited ring and exits -> the parent sees -ECANCELED for it when data arrives")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];
	pid_t pid;

	cf_pipe(fd);
	if (cf_on(CF_RINGD)) {
		read_fd(ring, 1, fd[0], cf_alloc(16, 0), 1);
		ck_assert_int_eq(cf_submit(ring), 1);
	}
	pid = cf_fork();
	if (pid == 0) {
		if (!cf_on(CF_RINGD)) {
			read_fd(ring, 1, fd[0], cf_alloc(16, 0), 1);
			cf_child_end(cf_submit(ring) == 1 ? 0 : 1);
		}
		cf_child_end(0);
	}
	ck_assert_int_eq(cf_child_wait(pid), 0);
	ck_assert_uint_eq(cf_cq_ready(ring), 0);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	cf_expect(ring, 1, cf_on(CF_RINGD) ? 1 : -ECANCELED, 0);
}
CF_DIFFERS(requests_of_a_dead_child_are_cancelled, CF_RINGD,
	   "a child cannot submit on its parent's connection; its end leaves the parent's requests alone")

CF_TEST(timers_outlive_a_child, 433, "Child process submits a timeout with a link on the inherited ring and exits -> -ETIME when it is due")
{
	uint64_t seconds = cf_on(CF_KERNEL) ? 1 : 3600;
	struct cf_ring *ring = cf_ring_new(8, 0);
	pid_t pid = cf_fork();

	if (pid == 0) {
		if (!cf_on(CF_RINGD)) {
			struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_TIMEOUT, 1, RINGD_SQE_IO_LINK);

			sqe->addr = cf_addr(cf_ts(seconds * 1000000000u));
			sqe->len = 1;
			cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
			cf_child_end(cf_submit(ring) == 2 ? 0 : 1);
		}
		cf_child_end(0);
	}
	ck_assert_int_eq(cf_child_wait(pid), 0);
	if (cf_on(CF_RINGD))
		return;
	cf_expect(ring, 1, cf_on(CF_KERNEL) ? -ETIME : -ECANCELED, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}
CF_DIFFERS(timers_outlive_a_child, CF_RINGD | CF_LOCAL,
	   "a child cannot submit on a connection to the service; in-process its timers end with it, at once with -ECANCELED")

/* --- threads --- */

enum { WRITES = 32 };

static int submit_here(void *arg)
{
	return cf_submit(arg);
}

CF_TEST(writes_outlive_their_thread, 434, "Thread that submitted file writes exits at once -> all writes complete with their full count")
{
	struct cf_ring *ring = cf_ring_new(WRITES, 0);
	int fd = cf_make_file("f", 0, O_RDWR);
	char *buf = cf_alloc(65536, 4096);

	for (unsigned int i = 0; i < WRITES; i++)
		cf_prep_rw(ring, RINGD_OP_WRITE, fd, buf, 65536, i * 65536ull);
	ck_assert_int_eq(cf_in_thread(submit_here, ring), WRITES);
	for (unsigned int i = 0; i < WRITES; i++)
		cf_expect(ring, 0, 65536, 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), WRITES * 65536);
}

/* --- identity --- */

CF_TEST(a_personality_makes_files_its_own, 437, "Request with O_CREAT as personality of uid 1000 -> the file belongs to uid 1000")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *path = cf_path("new");
	struct ringd_sqe *sqe;
	struct stat st;
	int id;

	if (geteuid() != 0)
		cf_skip("needs root");
	ck_assert_int_eq(chmod(cf_path("."), 0777), 0);
	cf_files(ring, 1);
	ck_assert_int_eq(seteuid(1000), 0);
	id = cf_register(ring, RINGD_REGISTER_PERSONALITY, NULL, 0);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_gt(id, 0);
	sqe = cf_sqe(ring, RINGD_OP_OPENAT);
	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(path);
	sqe->open_flags = O_CREAT | O_RDWR;
	sqe->len = 0600;
	sqe->file_index = 1;
	sqe->personality = (uint16_t)id;
	ck_assert_int_eq(cf_run(ring), cf_on(CF_LOCAL) ? -EPERM : 0);
	if (cf_on(CF_LOCAL))
		return;
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, cf_on(CF_RINGD) ? 0 : 1000);
}
CF_DIFFERS(a_personality_makes_files_its_own, CF_ENGINE,
	   "an engine serves one uid and has no other identity, whoever registered one; in-process a personality other than the thread's is -EPERM")

CF_TEST(proc_self_is_the_client, 438, "/proc/self opened through the ring -> the client's directory")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *buf = cf_alloc(256, 0);
	static const char path[] = "/proc/self/stat";
	struct ringd_sqe *sqe;

	cf_files(ring, 1);
	sqe = cf_sqe(ring, RINGD_OP_OPENAT);
	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(cf_in(path, sizeof(path)));
	sqe->file_index = 1;
	if (cf_on(CF_RINGD)) {
		ck_assert_int_eq(cf_run(ring), -EACCES);
		return;
	}
	ck_assert_int_eq(cf_run(ring), 0);
	sqe = cf_sqe(ring, RINGD_OP_READ);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->fd = 0;
	sqe->addr = cf_addr(buf);
	sqe->len = 255;
	ck_assert_int_gt(cf_run(ring), 0);
	ck_assert_int_eq(atoi(buf), getpid());
}
CF_DIFFERS(proc_self_is_the_client, CF_RINGD, "names are looked up by the engine, whose own /proc/self it would be: what is in procfs is refused")

/* --- odds and ends --- */

CF_TEST(user_data_is_any_number, 440, "64-bit user_data with all bits set -> returned unchanged")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_sqe(ring, RINGD_OP_NOP)->user_data = UINT64_MAX;
	cf_sqe(ring, RINGD_OP_NOP)->user_data = 0x8000000000000000ull;
	cf_sqe(ring, RINGD_OP_NOP)->user_data = 0;
	ck_assert_int_eq(cf_submit(ring), 3);
	cf_expect(ring, UINT64_MAX, 0, 0);
	cf_expect(ring, 0x8000000000000000ull, 0, 0);
	cf_expect(ring, 0, 0, 0);
}

CF_TEST(rings_that_poll_each_other_go, 441, "Two rings polling each other's fd -> both can be closed and are freed")
{
	struct cf_ring *a = cf_ring_new(8, 0), *b = cf_ring_new(8, 0);

	if (cf_on(CF_RINGD)) {
		cf_sqe_ud(a, RINGD_OP_POLL_ADD, 1, 0)->fd = b->fd;
		cf_sqe_ud(b, RINGD_OP_POLL_ADD, 1, 0)->fd = a->fd;
		ck_assert_int_eq(cf_run(a), -EBADF);
		ck_assert_int_eq(cf_run(b), -EBADF);
	} else {
		poll_fd(a, 1, b->fd);
		poll_fd(b, 1, a->fd);
		ck_assert_int_eq(cf_submit(a), 1);
		ck_assert_int_eq(cf_submit(b), 1);
	}
	cf_ring_free(a);
	cf_ring_free(b);
}
CF_DIFFERS(rings_that_poll_each_other_go, CF_RINGD,
	   "a ring is no descriptor here: polls of one are -EBADF, so rings cannot hold each other")
