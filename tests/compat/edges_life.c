/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways in which a process with rings ends, becomes another one or makes others, each in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edges.h"

#define PATIENCE_S	120

static int pipes[2];
static char buf[8];

static void sqe_read(void)
{
	io_uring_prep_read(io_uring_get_sqe(&edge), pipes[0], buf, sizeof(buf), (__u64)-1);
	ck_assert_int_eq(io_uring_submit(&edge), 1);
}

static void works(void)
{
	io_uring_prep_nop(io_uring_get_sqe(&edge));
	ck_assert_int_eq(edge_run(&edge), 0);
}

/* What waited all the time comes to its end. */
static void read_works(void)
{
	ck_assert_int_eq(write(pipes[1], "abc", 3), 3);
	ck_assert_int_eq(edge_result(&edge), 3);
}

/* How a process ends that has a ring, a pending read, and does this. */
static int ends(void (*how)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const struct rlimit none = { 0 };

		setrlimit(RLIMIT_CORE, &none);
		alarm(PATIENCE_S);
		ck_assert_int_eq(io_uring_queue_init(8, &edge, 0), 0);
		ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
		sqe_read();
		how();
		_exit(99);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

#define EXITS(status)	((status) << 8)

/* A thread that waits for a CQE, and does. */
static atomic_bool about_to_wait;

static void *wait_for_ever(void *arg)
{
	struct io_uring_cqe *cqe;

	atomic_store(&about_to_wait, true);
	(void)io_uring_wait_cqe(&edge, &cqe);
	return arg;
}

static bool sleeps(pid_t tid)
{
	char name[64], line[256] = "";
	FILE *f;

	snprintf(name, sizeof(name), "/proc/self/task/%d/stat", tid);
	f = fopen(name, "r");
	if (f && fgets(line, sizeof(line), f)) {
		const char *state = strrchr(line, ')');

		fclose(f);
		return state && state[2] == 'S';
	}
	return false;
}

static pid_t waiter_tid;

static void *announced_wait(void *arg)
{
	__atomic_store_n(&waiter_tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	return wait_for_ever(arg);
}

static void start_waiter(void)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, announced_wait, NULL), 0);
	while (!atomic_load(&about_to_wait) || !sleeps(__atomic_load_n(&waiter_tid, __ATOMIC_SEQ_CST)))
		sched_yield();
}

static void by_exit(void)
{
	start_waiter();
	exit(3);
}

static void by__exit(void)
{
	start_waiter();
	_exit(4);
}

static void by_quick_exit(void)
{
	start_waiter();
	quick_exit(5);
}

static void by_system_call(void)
{
	start_waiter();
	syscall(SYS_exit_group, 6);
}

static void by_signal(void)
{
	start_waiter();
	raise(SIGUSR2);
}

START_TEST(exits_while_a_thread_waits)
{
	ck_assert_int_eq(ends(by_exit), EXITS(3));
	ck_assert_int_eq(ends(by__exit), EXITS(4));
	ck_assert_int_eq(ends(by_quick_exit), EXITS(5));
	ck_assert_int_eq(ends(by_system_call), EXITS(6));
	ck_assert_int_eq(ends(by_signal), SIGUSR2);
}
END_TEST

static void on_exit_signal(int sig)
{
	(void)sig;
	exit(7);
}

static void on__exit_signal(int sig)
{
	(void)sig;
	_exit(8);
}

static void on_abort_signal(int sig)
{
	(void)sig;
	abort();
}

/* The handler runs in the middle of a wait. */
static void wait_with(void (*handler)(int))
{
	struct io_uring_cqe *cqe;
	pid_t me = getpid(), child;

	signal(SIGUSR1, handler);
	child = fork();
	if (child == 0) {
		char name[64], line[256];

		for (;;) {
			FILE *f;
			const char *state;

			snprintf(name, sizeof(name), "/proc/%d/stat", me);
			f = fopen(name, "r");
			state = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
			if (f)
				fclose(f);
			if (!state || state[2] == 'S')
				break;
			sched_yield();
		}
		kill(me, SIGUSR1);
		_exit(0);
	}
	(void)io_uring_wait_cqe(&edge, &cqe);
}

static void exit_in_handler(void)
{
	wait_with(on_exit_signal);
}

static void _exit_in_handler(void)
{
	wait_with(on__exit_signal);
}

static void abort_in_handler(void)
{
	wait_with(on_abort_signal);
}

START_TEST(ends_in_a_signal_handler)
{
	ck_assert_int_eq(ends(exit_in_handler), EXITS(7));
	ck_assert_int_eq(ends(_exit_in_handler), EXITS(8));
	ck_assert_int_eq(ends(abort_in_handler), SIGABRT);
}
END_TEST

static void *goes_on(void *arg)
{
	pthread_join(*(pthread_t *)arg, NULL);
	for (int i = 0; i < 3; i++)
		works();
	/* the main thread's read suffers as it does in the kernel: nothing is said before its event; this one is ours */
	sqe_read();
	ck_assert_int_eq(write(pipes[1], "abcdefgh", 8), 8);
	ck_assert_int_eq(edge_result(&edge), 8);
	io_uring_queue_exit(&edge);
	exit(9);
}

static void main_thread_ends(void)
{
	static pthread_t me, t;

	ck_assert_int_eq(write(pipes[1], "abc", 3), 3);
	ck_assert_int_eq(edge_result(&edge), 3);
	me = pthread_self();
	ck_assert_int_eq(pthread_create(&t, NULL, goes_on, &me), 0);
	pthread_exit(NULL);
}

START_TEST(the_main_thread_ends_and_others_go_on)
{
	ck_assert_int_eq(ends(main_thread_ends), EXITS(9));
}
END_TEST

static void children_by_vfork(void)
{
	for (volatile int i = 0; i < 10; i++) {
		int status;
		pid_t pid = vfork();

		if (pid == 0) {
			for (int fd = 3; fd < 1024; fd++)
				close(fd);
			execl("/bin/sh", "sh", "-c", "exit 11", (char *)NULL);
			_exit(1);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, EXITS(11));
		works();
	}
	read_works();
	_exit(0);
}

static void children_by_spawn(void)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 12", NULL };
	posix_spawn_file_actions_t fa;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, 1, edge.ring_fd);
	posix_spawn_file_actions_addclose(&fa, pipes[0]);
	ck_assert_int_eq(posix_spawn(&pid, "/bin/sh", &fa, NULL, argv, environ), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, EXITS(12));
	works();
	read_works();
	_exit(0);
}

static void children_by_libc(void)
{
	FILE *f;

	ck_assert_int_eq(system("exit 13"), EXITS(13));
	works();
	f = popen("exit 14", "r");
	ck_assert_ptr_nonnull(f);
	works();
	ck_assert_int_eq(pclose(f), EXITS(14));
	/* nothing of ours is passed on */
	ck_assert_int_eq(system("! ls -l /proc/self/fd | grep -q -e io_uring -e eventpoll -e eventfd"), 0);
	read_works();
	_exit(0);
}

START_TEST(children_of_all_kinds)
{
	ck_assert_int_eq(ends(children_by_vfork), 0);
	ck_assert_int_eq(ends(children_by_spawn), 0);
	ck_assert_int_eq(ends(children_by_libc), 0);
}
END_TEST

/* daemon(): the process that made the ring ends, and its child goes on with it. */
static void becomes_a_daemon(void)
{
	int out[2];
	char byte = 0;
	pid_t pid;

	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		ck_assert_int_eq(io_uring_queue_init(8, &edge, 0), 0);
		ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
		works();
		ck_assert_int_eq(daemon(1, 1), 0);
		alarm(PATIENCE_S);	/* nobody else ends it */
		works();
		sqe_read();
		read_works();
		ck_assert_int_eq(write(out[1], &byte, 1), 1);
		_exit(0);
	}
	close(out[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(read(out[0], &byte, 1), 1);
	_exit(15);
}

START_TEST(a_daemon_keeps_its_ring)
{
	ck_assert_int_eq(ends(becomes_a_daemon), EXITS(15));
}
END_TEST

static void unshares_its_table(void)
{
	ck_assert_int_eq(unshare(CLONE_FILES), 0);
	works();
	read_works();
	_exit(0);
}

static void closes_all(void)
{
	closefrom(3);
	io_uring_prep_nop(io_uring_get_sqe(&edge));
	ck_assert_int_eq(io_uring_submit(&edge), -EBADF);
	ck_assert_int_eq(io_uring_queue_init(8, &edge, 0), 0);
	works();
	_exit(0);
}

/* By system calls, which nobody hears of. On ours the ring is lost then; what must not be is that anybody waits for ever. */
static void closes_what_is_not_its_own(void)
{
	struct io_uring_cqe *cqe;
	int r;

	syscall(SYS_close_range, pipes[1] + 1, ~0u, 0);
	r = write(pipes[1], "abc", 3) == 3 ? io_uring_wait_cqe(&edge, &cqe) : 1;
	_exit(r == 0 || (r == -EBADF && !edge_on_kernel()) ? 0 : 1);
}

START_TEST(tables_that_change)
{
	ck_assert_int_eq(ends(unshares_its_table), 0);
	ck_assert_int_eq(ends(closes_all), 0);
	ck_assert_int_eq(ends(closes_what_is_not_its_own), 0);
}
END_TEST

/* --- when there is nothing to be had --- */

static int read_async(int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&edge);

	io_uring_prep_read(sqe, fd, buf, sizeof(buf), 0);
	sqe->flags |= IOSQE_ASYNC;
	return edge_run(&edge);
}

static void without_threads(void)
{
	const struct rlimit one = { 1, 1 };
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	/* somebody who has no other process, so that a thread is one too many */
	ck_assert_int_eq(setresuid(54321, 54321, 54321), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &one), 0);
	/* what ends by itself is done in the call instead of being cancelled */
	ck_assert_int_eq(read_async(fd), edge_on_kernel() ? -ECANCELED : (int)sizeof(buf));
	works();
	read_works();
	_exit(0);
}

START_TEST(no_threads_are_to_be_had)
{
	if (geteuid() == 0)
		ck_assert_int_eq(ends(without_threads), 0);
}
END_TEST

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* With room for so many descriptors. True: it works. */
static bool works_with(int room)
{
	const int before = open_fds(), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct rlimit old, limit;
	int r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = (struct rlimit){ .rlim_cur = (rlim_t)(file + 1 + room), .rlim_max = old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	r = io_uring_queue_init(8, &edge, 0);
	if (r == 0) {
		works();
		r = read_async(file);
		ck_assert(r == (int)sizeof(buf) || r == -EMFILE);
		sqe_read();
		ck_assert_int_eq(write(pipes[1], "abc", 3), 3);
		r = edge_result(&edge);
		if (r < 0) {
			ck_assert_int_eq(r, -EMFILE);
			ck_assert_int_eq(read(pipes[0], buf, 3), 3);
		}
		io_uring_queue_exit(&edge);
	} else {
		ck_assert_int_eq(r, -EMFILE);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(file);
	ck_assert_int_eq(open_fds(), before);
	return r > 0;
}

static void with_few_descriptors(void)
{
	int room = 0;

	read_works();
	io_uring_queue_exit(&edge);
	while (!works_with(room))
		ck_assert_int_lt(room++, 64);
	/* and at once when there is room again */
	_exit(works_with(200) ? 0 : 1);
}

START_TEST(few_descriptors_are_to_be_had)
{
	ck_assert_int_eq(ends(with_few_descriptors), 0);
}
END_TEST

TCase *edges_life(void)
{
	TCase *tc = tcase_create("life");

	tcase_add_test(tc, exits_while_a_thread_waits);
	tcase_add_test(tc, ends_in_a_signal_handler);
	tcase_add_test(tc, the_main_thread_ends_and_others_go_on);
	tcase_add_test(tc, children_of_all_kinds);
	tcase_add_test(tc, a_daemon_keeps_its_ring);
	tcase_add_test(tc, tables_that_change);
	tcase_add_test(tc, no_threads_are_to_be_had);
	tcase_add_test(tc, few_descriptors_are_to_be_had);
	return tc;
}
