// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptors of rings, and hidden ones, under what a program does to numbers. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/close_range.h>

#include "client-lib/compat/door/next.h"
#include "client-lib/compat/door/raw.h"
#include "fake_local.h"
#include "tests/unit/suite.h"

/* It keeps what a cancelled thread's stack looked like, and stumbles over that. */
#ifdef __SANITIZE_ADDRESS__
static const bool address_sanitizer = true;
#else
static const bool address_sanitizer = false;
#endif

static bool is_open(int fd)
{
	return rd_raw(SYS_fcntl, fd, F_GETFD, 0, 0, 0, 0) >= 0;
}

static int file(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static int ring(void)
{
	int fd = fake_ring();

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(a_ring_hears_of_its_close)
{
	int fd = ring(), other = file();

	ck_assert_int_eq(close(other), 0);
	ck_assert_uint_eq(rd_local_rings, 1);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_uint_eq(rd_local_rings, 0);
	ck_assert_int_eq(fake_local.fd[fd].closes, 1);
	ck_assert(!is_open(fd));
	ck_assert_int_eq(close(fd), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(duplicates_are_rings)
{
	int fd = ring(), a = dup(fd), b = fcntl(fd, F_DUPFD, 100), c = fcntl(fd, F_DUPFD_CLOEXEC, 200), d = dup2(fd, 300);
	int e = dup3(fd, 301, O_CLOEXEC), f = (fcntl)(fd, F_GETFD);

	ck_assert_int_gt(a, fd);
	ck_assert_int_eq(b, 100);
	ck_assert_int_eq(c, 200);
	ck_assert_int_eq(d, 300);
	ck_assert_int_eq(e, 301);
	ck_assert_int_eq(f, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(b, F_GETFD), 0);
	ck_assert_int_eq(fcntl(c, F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(fake_local.fd[fd].dups, 5);
	ck_assert_uint_eq(rd_local_rings, 6);
	ck_assert_int_eq(dup2(fd, fd), fd);
	ck_assert_uint_eq(rd_local_rings, 6);
}
END_TEST

START_TEST(a_number_that_is_taken_over_is_no_ring)
{
	int fd = ring(), other = file();

	/* what fails changes nothing */
	ck_assert_int_eq(dup2(999, fd), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(dup3(other, fd, O_APPEND), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(dup3(fd, fd, 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(rd_local_rings, 1);
	ck_assert_int_eq(dup2(other, fd), fd);
	ck_assert_uint_eq(rd_local_rings, 0);
	ck_assert_uint_eq(fake_local.fd[fd].closes, 1);
}
END_TEST

START_TEST(hidden_descriptors_are_not_there)
{
	int fd = ring(), hidden = fake_hidden(), other = file();

	ck_assert_int_eq(close(hidden), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(dup(hidden), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(dup2(hidden, 50), -1);
	ck_assert_int_eq(dup3(hidden, 50, 0), -1);
	ck_assert_int_eq(fcntl(hidden, F_GETFD), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(fcntl(hidden, F_DUPFD, 0), -1);
	ck_assert(is_open(hidden));
	/* the very number is wanted */
	ck_assert_int_eq(dup2(other, hidden), hidden);
	ck_assert_int_ge(fake_local.moved_to, FAKE_FDS / 4);
	ck_assert(is_open(fake_local.moved_to));
	ck_assert_int_eq(fcntl(hidden, F_GETFD), 0);
	ck_assert_int_eq(close(hidden), 0);
	ck_assert_int_eq(close(fake_local.moved_to), -1);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(ranges_go_around_what_is_hidden)
{
	int low = file(), fd = ring(), hidden = fake_hidden(), high = dup2(low, 400);

	ck_assert_int_eq(close_range((unsigned int)low, ~0u, 0), 0);
	ck_assert(!is_open(low));
	ck_assert(!is_open(fd));
	ck_assert(!is_open(high));
	ck_assert(is_open(hidden));
	ck_assert_uint_eq(fake_local.fd[fd].closes, 1);
	ck_assert_int_eq(close_range(5, 4, 0), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(a_range_that_begins_and_ends_hidden)
{
	int fd = ring(), first = fake_hidden(), low = file(), last = fake_hidden();

	ck_assert_int_eq(close_range((unsigned int)first, (unsigned int)last, 0), 0);
	ck_assert(is_open(first));
	ck_assert(is_open(last));
	ck_assert(!is_open(low));
	ck_assert(is_open(fd));
	ck_assert_int_eq(close_range((unsigned int)first, (unsigned int)first, 0), 0);
	ck_assert_int_eq(close_range((unsigned int)fd, (unsigned int)fd, 0x1000), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert(is_open(fd));
	ck_assert_int_eq(close_range((unsigned int)fd, (unsigned int)fd, CLOSE_RANGE_CLOEXEC), 0);
	ck_assert_uint_eq(rd_local_rings, 1);
}
END_TEST

START_TEST(closefrom_leaves_what_is_hidden)
{
	int low = file(), fd = ring(), hidden = fake_hidden(), high = dup2(low, 400);

	errno = 7;
	closefrom(low);
	ck_assert_int_eq(errno, 7);
	ck_assert(!is_open(low));
	ck_assert(!is_open(fd));
	ck_assert(!is_open(high));
	ck_assert(is_open(hidden));
	ck_assert_uint_eq(rd_local_rings, 0);
}
END_TEST

static void *unshares(void *arg)
{
	const int *fds = arg;

	ck_assert_int_eq(close_range((unsigned int)fds[0], ~0u, CLOSE_RANGE_UNSHARE), 0);
	ck_assert(!is_open(fds[0]));
	ck_assert(!is_open(fds[1]));
	ck_assert(is_open(fds[2]));
	return NULL;
}

START_TEST(an_unshared_table_takes_no_rings_with_it)
{
	int fds[3];
	pthread_t t;

	fds[0] = file();
	fds[1] = ring();
	fds[2] = fake_hidden();
	ck_assert_int_eq(pthread_create(&t, NULL, unshares, fds), 0);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert(is_open(fds[0]));
	ck_assert(is_open(fds[1]));
	ck_assert_uint_eq(rd_local_rings, 1);
}
END_TEST

/* It has our memory and a table of its own: what it closes there is no business of the ring. */
START_TEST(the_child_of_vfork_closes_its_own)
{
	int fd = ring(), hidden = fake_hidden(), status;
	pid_t pid = vfork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (close(fd) || close(hidden) || dup2(0, hidden) != hidden)
			_exit(1);
		closefrom(3);
		_exit(is_open(hidden) || is_open(fd) ? 2 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(is_open(fd));
	ck_assert(is_open(hidden));
	ck_assert_uint_eq(rd_local_rings, 1);
	ck_assert_int_eq(fake_local.fd[fd].closes, 0);
}
END_TEST

START_TEST(the_child_of_fork_has_rings_too)
{
	int fd = ring(), hidden = fake_hidden(), status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(close(hidden) != -1 || close(fd) || rd_local_rings);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(rd_local_rings, 1);
}
END_TEST

START_TEST(memory_of_a_ring)
{
	int fd = ring(), mem = memfd_create("x", MFD_CLOEXEC);
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0x10000000), *q;

	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_assert_int_eq(fake_local.args[1], 8192);
	ck_assert_int_eq(fake_local.args[5], 0x10000000);
	q = mmap64(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0x8000000);
	ck_assert_ptr_ne(q, MAP_FAILED);
	ck_assert_uint_eq(fake_local.maps, 2);
	ck_assert_ptr_eq(mmap(p, 4096, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	ck_assert_int_eq(errno, EINVAL);
	/* and of others */
	ck_assert_int_eq(ftruncate(mem, 4096), 0);
	q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	ck_assert_ptr_ne(q, MAP_FAILED);
	*q = 1;
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, fd, 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_assert_uint_eq(fake_local.maps, 3);
}
END_TEST

START_TEST(commands_of_fcntl_get_their_argument)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd, pipes[2];

	ring();
	fd = memfd_create("x", MFD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_SETLK, &lock), 0);
	ck_assert_int_eq(fcntl(fd, F_GETLK, &lock), 0);
	ck_assert_int_eq(lock.l_type, F_UNLCK);
	ck_assert_int_eq(fcntl64(fd, F_SETFL, O_APPEND), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_ge(fcntl(pipes[0], F_SETPIPE_SZ, 8192), 8192);
}
END_TEST

/* As the wrapped functions, ours are cancellation points. */
static void *closes_cancelled(void *arg)
{
	pthread_cancel(pthread_self());
	close(*(int *)arg);
	return NULL;
}

START_TEST(close_is_a_cancellation_point)
{
	int fd = file();
	pthread_t t;
	void *result;

	ring();
	ck_assert_int_eq(pthread_create(&t, NULL, closes_cancelled, &fd), 0);
	ck_assert_int_eq(pthread_join(t, &result), 0);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("door_fds");
	TCase *tc = tcase_create("numbers");

	tcase_add_test(tc, a_ring_hears_of_its_close);
	tcase_add_test(tc, duplicates_are_rings);
	tcase_add_test(tc, a_number_that_is_taken_over_is_no_ring);
	tcase_add_test(tc, hidden_descriptors_are_not_there);
	tcase_add_test(tc, ranges_go_around_what_is_hidden);
	tcase_add_test(tc, a_range_that_begins_and_ends_hidden);
	tcase_add_test(tc, closefrom_leaves_what_is_hidden);
	tcase_add_test(tc, an_unshared_table_takes_no_rings_with_it);
	tcase_add_test(tc, the_child_of_vfork_closes_its_own);
	tcase_add_test(tc, the_child_of_fork_has_rings_too);
	tcase_add_test(tc, memory_of_a_ring);
	tcase_add_test(tc, commands_of_fcntl_get_their_argument);
	if (!address_sanitizer)
		tcase_add_test(tc, close_is_a_cancellation_point);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
