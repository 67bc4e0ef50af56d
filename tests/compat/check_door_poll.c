// SPDX-License-Identifier: GPL-2.0-or-later
/* Rings among the descriptors of poll(), select() and epoll sets. */
#undef _FORTIFY_SOURCE		/* what it would call is called by name */

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/compat/door/next.h"
#include "fake_local.h"
#include "sanitized.h"
#include "tests/unit/suite.h"

#define PATIENCE_MS	100000

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t size);
extern const void *const rd_local_interposed;

static const struct timespec patience = { PATIENCE_MS / 1000, 0 }, none;

static struct fake_fd *ring(int *fd)
{
	*fd = fake_ring();
	ck_assert_int_ge(*fd, 0);
	return &fake_local.fd[*fd];
}

START_TEST(a_ring_is_exact_before_it_is_polled)
{
	struct pollfd p = { .events = POLLIN };
	struct fake_fd *f = ring(&p.fd);

	ck_assert_int_eq(poll(&p, 1, 0), 0);
	f->readable = true;
	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(p.revents, POLLIN);
	ck_assert_int_eq(ppoll(&p, 1, &patience, NULL), 1);
	f->readable = false;
	ck_assert_int_eq(ppoll(&p, 1, &none, NULL), 0);
	ck_assert_int_eq(__poll_chk(&p, 1, 0, sizeof(p)), 0);
	ck_assert_int_eq(__ppoll_chk(&p, 1, &none, NULL, sizeof(p)), 0);
	ck_assert_uint_eq(f->syncs, 6);
}
END_TEST

START_TEST(room_is_reported_at_once)
{
	int efd = eventfd(0, EFD_CLOEXEC);
	struct pollfd p[3] = { { .events = POLLOUT }, { .fd = efd, .events = POLLIN }, { .fd = -1, .events = POLLOUT } };
	struct fake_fd *f = ring(&p[0].fd);

	ck_assert_int_eq(poll(p, 3, 0), 0);
	f->room = true;
	ck_assert_int_eq(poll(p, 3, -1), 1);
	ck_assert_int_eq(p[0].revents, POLLOUT);
	ck_assert_int_eq(p[1].revents, 0);
	f->readable = true;
	p[0].events = POLLIN | POLLOUT | POLLWRNORM;
	ck_assert_int_eq(ppoll(p, 3, NULL, NULL), 1);
	ck_assert_int_eq(p[0].revents, POLLIN | POLLOUT | POLLWRNORM);
	p[0].events = POLLIN;
	ck_assert_int_eq(poll(p, 3, -1), 1);
	ck_assert_int_eq(p[0].revents, POLLIN);
}
END_TEST

START_TEST(a_bad_size_is_caught)
{
	struct pollfd p = { .fd = -1 };

	__poll_chk(&p, 1, 0, sizeof(p) - 1);
}
END_TEST

START_TEST(rings_in_select)
{
	fd_set in, out;
	int fd;
	struct fake_fd *f = ring(&fd);
	struct timeval zero = { 0 };

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd, &in);
	f->readable = true;
	ck_assert_int_eq(select(fd + 1, &in, NULL, NULL, NULL), 1);
	ck_assert(FD_ISSET(fd, &in));
	f->readable = false;
	ck_assert_int_eq(select(fd + 1, &in, NULL, NULL, &zero), 0);
	ck_assert(!FD_ISSET(fd, &in));
	ck_assert_uint_eq(f->syncs, 2);
	FD_SET(fd, &out);
	f->room = true;
	ck_assert_int_eq(select(fd + 1, &in, &out, NULL, NULL), 1);
	ck_assert(FD_ISSET(fd, &out));
	f->readable = true;
	FD_SET(fd, &in);
	ck_assert_int_eq(pselect(fd + 1, &in, &out, NULL, NULL, NULL), 2);
	ck_assert(FD_ISSET(fd, &in));
	ck_assert(FD_ISSET(fd, &out));
	f->room = false;
	ck_assert_int_eq(pselect(fd + 1, &in, &out, NULL, &patience, NULL), 1);
	ck_assert(!FD_ISSET(fd, &out));
	/* beyond nfds nobody looks */
	FD_SET(fd, &out);
	f->room = true;
	ck_assert_int_eq(select(fd, NULL, &out, NULL, &zero), 0);
}
END_TEST

static int set_with(int fd, uint32_t events)
{
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = events, .data.fd = fd };

	ck_assert_int_ge(epfd, 0);
	ck_assert_int_eq(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev), 0);
	return epfd;
}

START_TEST(rings_in_epoll_sets)
{
	struct epoll_event ev;
	int fd, unseen, epfd, outer;
	struct fake_fd *f = ring(&fd), *u = ring(&unseen);

	epfd = set_with(fd, EPOLLIN);
	outer = set_with(epfd, EPOLLIN);
	ck_assert_uint_eq(f->syncs, 1);
	ck_assert_int_eq(epoll_wait(epfd, &ev, 1, 0), 0);
	f->readable = true;
	ck_assert_int_eq(epoll_wait(outer, &ev, 1, PATIENCE_MS), 1);
	ck_assert_int_eq(ev.data.fd, epfd);
	ck_assert_int_eq(epoll_pwait(dup(epfd), &ev, 1, PATIENCE_MS, NULL), 1);
	ck_assert_int_eq(ev.data.fd, fd);
	f->readable = false;
	ck_assert_int_eq(epoll_pwait2(outer, &ev, 1, &none, NULL), 0);
	ck_assert_uint_eq(f->syncs, 5);
	ck_assert_uint_eq(u->syncs, 0);
	/* the number is given again */
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(epoll_wait(epfd, &ev, 1, 0), 0);
	ck_assert_uint_eq(f->syncs, 5);
	ck_assert_ptr_eq(ring(&fd), f);
	ck_assert_int_eq(epoll_wait(epfd, &ev, 1, 0), 0);
	ck_assert_uint_eq(f->syncs, 0);
	epfd = set_with(fd, EPOLLIN);
	f->readable = true;
	ck_assert_int_eq(epoll_wait(epfd, &ev, 1, PATIENCE_MS), 1);
}
END_TEST

/* More than one piece of the list holds. The kernel itself stops at 500 that are one file, so it is not asked for all. */
START_TEST(many_rings_in_one_set)
{
	int fd = fake_ring(), epfd = set_with(fd, EPOLLIN);
	struct epoll_event ev = { .events = EPOLLIN };

	for (int i = 0; i < 700; i++) {
		int more = dup(fd);

		ck_assert_int_ge(more, 0);
		ck_assert_int_eq(epoll_ctl(i < 100 ? epfd : -1, EPOLL_CTL_ADD, more, &ev), i < 100 ? 0 : -1);
	}
	for (int i = 0; i < FAKE_FDS; i++)
		fake_local.fd[i].syncs = 0;
	ck_assert_int_eq(epoll_wait(epfd, &ev, 1, 0), 0);
	for (int i = 0; i < FAKE_FDS; i++)
		ck_assert_uint_eq(fake_local.fd[i].syncs, fake_local.fd[i].ring ? 1 : 0);
}
END_TEST

START_TEST(errors_are_those_of_libc)
{
	struct epoll_event ev;
	int fd, file = eventfd(0, EFD_CLOEXEC);

	ring(&fd);
	ck_assert_int_eq(epoll_wait(file, &ev, 1, 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(epoll_ctl(999, EPOLL_CTL_ADD, fd, &ev), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(select(-1, NULL, NULL, NULL, NULL), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static void *waits_for_ever(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	poll(&p, 1, -1);
	return NULL;
}

START_TEST(a_sleep_in_poll_can_be_cancelled)
{
	pthread_t t;
	void *result;
	int fd;

	ring(&fd);
	ck_assert_int_eq(pthread_create(&t, NULL, waits_for_ever, &fd), 0);
	ck_assert_int_eq(pthread_cancel(t), 0);
	ck_assert_int_eq(pthread_join(t, &result), 0);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
}
END_TEST

START_TEST(rings_know_that_they_are_asked)
{
	ck_assert_ptr_eq(rd_local_interposed, dlsym(RTLD_DEFAULT, "poll"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("door_poll");
	TCase *tc = tcase_create("readiness");

	tcase_add_test(tc, a_ring_is_exact_before_it_is_polled);
	tcase_add_test(tc, room_is_reported_at_once);
	tcase_add_test_raise_signal(tc, a_bad_size_is_caught, SIGABRT);
	tcase_add_test(tc, rings_in_select);
	tcase_add_test(tc, rings_in_epoll_sets);
	tcase_add_test(tc, many_rings_in_one_set);
	tcase_add_test(tc, errors_are_those_of_libc);
	tcase_add_test(tc, a_sleep_in_poll_can_be_cancelled);
	tcase_add_test(tc, rings_know_that_they_are_asked);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
