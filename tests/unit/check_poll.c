/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One-shot readiness: every kind of descriptor, several polls on one, disarm, files that cannot be waited for. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "daemon/engine/exec/poll.h"
#include "daemon/engine/exec/reactor.h"
#include "suite.h"

struct waiter {
	struct rd_poll poll;
	int fired;
	int rearm;		/* this many times more */
	int fd;
	struct waiter *victim;	/* disarmed when we fire */
};

static struct rd_reactor *reactor;
static int fds[2];

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(rd_reactor_new(&reactor, 0), 0);
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
}

static void teardown(void)
{
	rd_reactor_free(reactor);
	rd_close(fds[0]);
	rd_close(fds[1]);
}

static void loop(void)
{
	event_base_loop(reactor->base, EVLOOP_NONBLOCK);
}

static void on_ready(struct rd_poll *poll)
{
	struct waiter *w = RD_CONTAINER_OF(poll, struct waiter, poll);

	ck_assert(!poll->armed);
	w->fired++;
	if (w->victim)
		rd_poll_disarm(&w->victim->poll);
	if (w->rearm-- > 0)
		ck_assert_int_eq(rd_poll_arm(poll, reactor, w->fd, EV_READ, on_ready), 0);
}

START_TEST(fires_once_when_ready)
{
	struct waiter w = { 0 };

	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, fds[0], EV_READ, on_ready), 0);
	loop();
	ck_assert_int_eq(w.fired, 0);
	ck_assert(w.poll.armed);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	loop();
	loop();
	ck_assert_int_eq(w.fired, 1);
}
END_TEST

START_TEST(already_ready_fires_in_the_next_loop)
{
	struct waiter w = { 0 };

	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, fds[1], EV_WRITE, on_ready), 0);
	ck_assert_int_eq(w.fired, 0);
	loop();
	ck_assert_int_eq(w.fired, 1);
}
END_TEST

START_TEST(several_polls_on_one_descriptor_all_fire)
{
	struct waiter w[5] = { 0 }, out = { 0 };
	int sk[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sk), 0);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(rd_poll_arm(&w[i].poll, reactor, sk[0], EV_READ, on_ready), 0);
	ck_assert_int_eq(rd_poll_arm(&out.poll, reactor, sk[0], EV_WRITE, on_ready), 0);
	loop();
	ck_assert_int_eq(out.fired, 1);
	ck_assert_int_eq(w[0].fired, 0);
	rd_poll_disarm(&w[3].poll);
	rd_poll_disarm(&w[3].poll);	/* not armed: nothing */
	ck_assert_int_eq(write(sk[1], "x", 1), 1);
	loop();
	loop();
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(w[i].fired, i != 3);
	close(sk[0]);
	close(sk[1]);
}
END_TEST

START_TEST(disarmed_by_another_of_the_same_round)
{
	struct waiter w[2] = { 0 };

	w[0].victim = &w[1];
	w[1].victim = &w[0];
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rd_poll_arm(&w[i].poll, reactor, fds[0], EV_READ, on_ready), 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	loop();
	loop();
	ck_assert_int_eq(w[0].fired + w[1].fired, 1);
}
END_TEST

START_TEST(can_be_armed_again_from_ready)
{
	struct waiter w = { .rearm = 3, .fd = fds[0] };

	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, fds[0], EV_READ, on_ready), 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	for (int i = 0; i < 6; i++)
		loop();
	ck_assert_int_eq(w.fired, 4);
}
END_TEST

START_TEST(an_eventfd_is_waited_for)
{
	struct waiter w = { 0 };
	RD_CLOSE int efd = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;

	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, efd, EV_READ, on_ready), 0);
	loop();
	ck_assert_int_eq(w.fired, 0);
	ck_assert_int_eq(write(efd, &one, sizeof(one)), sizeof(one));
	loop();
	ck_assert_int_eq(w.fired, 1);
}
END_TEST

START_TEST(a_hangup_wakes_readers_and_writers)
{
	struct waiter in = { 0 }, out = { 0 };
	int sk[2], p[2];
	char c;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sk), 0);
	ck_assert_int_eq(pipe2(p, O_NONBLOCK), 0);
	while (write(p[1], &c, 1) == 1)
		;
	ck_assert_int_eq(rd_poll_arm(&in.poll, reactor, sk[0], EV_READ, on_ready), 0);
	ck_assert_int_eq(rd_poll_arm(&out.poll, reactor, p[1], EV_WRITE, on_ready), 0);
	loop();
	ck_assert_int_eq(in.fired + out.fired, 0);
	close(sk[1]);
	close(p[0]);
	loop();
	ck_assert_int_eq(in.fired, 1);
	ck_assert_int_eq(out.fired, 1);
	close(sk[0]);
	close(p[1]);
}
END_TEST

static const char *const no_poll[] = { "/", "/dev/null", "/proc/self/exe" };

START_TEST(files_that_are_always_ready_are_refused)
{
	RD_CLOSE int fd = open(no_poll[_i], O_RDONLY);
	struct waiter w = { 0 };

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, fd, EV_READ, on_ready), -EPERM);
	ck_assert(!w.poll.armed);
	rd_poll_disarm(&w.poll);
	loop();
	ck_assert_int_eq(w.fired, 0);
}
END_TEST

START_TEST(a_number_can_be_another_file_later)
{
	struct waiter w = { 0 };
	int p[2];

	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, fds[0], EV_READ, on_ready), 0);
	rd_poll_disarm(&w.poll);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(dup2(p[0], fds[0]), fds[0]);
	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, fds[0], EV_READ, on_ready), 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	loop();
	ck_assert_int_eq(w.fired, 1);
	close(p[0]);
	close(p[1]);
}
END_TEST

static void quiet(int severity, const char *msg)
{
	(void)severity;
	(void)msg;
}

int main(void)
{
	Suite *s = suite_create("poll");
	TCase *tc = tcase_create("poll");

	event_set_log_callback(quiet);	/* it warns of every file that epoll refuses */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, fires_once_when_ready);
	tcase_add_test(tc, already_ready_fires_in_the_next_loop);
	tcase_add_test(tc, several_polls_on_one_descriptor_all_fire);
	tcase_add_test(tc, disarmed_by_another_of_the_same_round);
	tcase_add_test(tc, can_be_armed_again_from_ready);
	tcase_add_test(tc, an_eventfd_is_waited_for);
	tcase_add_test(tc, a_hangup_wakes_readers_and_writers);
	tcase_add_loop_test(tc, files_that_are_always_ready_are_refused, 0, (int)RD_ARRAY_SIZE(no_poll));
	tcase_add_test(tc, a_number_can_be_another_file_later);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
