/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readiness: every kind of descriptor, several polls on one, disarm, edges, files that cannot be waited for. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "daemon/engine/exec/poll.h"
#include "daemon/engine/exec/reactor.h"
#include "suite.h"

struct waiter {
	struct rd_poll poll;
	int fired;
	int rearm;		/* this many times more */
	int fd;
	struct rd_watched *watched;
	uint32_t revents;	/* of the last time */
	bool multi;
	struct waiter *victim;	/* disarmed when we fire */
};

static struct rd_reactor *reactor;
static int fds[2];
static struct rd_watched watched[2];

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(rd_reactor_new(&reactor, 0), 0);
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	rd_watched_init(&watched[0]);
	rd_watched_init(&watched[1]);
}

static void forget_close(struct rd_watched *of, int fd)
{
	rd_watched_forget(of, reactor);
	rd_close(fd);
}

static void teardown(void)
{
	forget_close(&watched[0], fds[0]);
	forget_close(&watched[1], fds[1]);
	rd_reactor_free(reactor);
}

static void loop(void)
{
	rd_reactor_events(reactor);
	rd_reactor_turn(reactor);
}

static void on_ready(struct rd_poll *poll)
{
	struct waiter *w = RD_CONTAINER_OF(poll, struct waiter, poll);

	ck_assert(!poll->armed);
	w->fired++;
	w->revents = poll->revents;
	if (w->victim)
		rd_poll_disarm(&w->victim->poll);
	if (w->rearm-- > 0)
		ck_assert_int_eq(rd_poll_arm(poll, reactor, w->watched, w->fd, EPOLLIN, on_ready), 0);
	if (w->multi)
		ck_assert_int_eq(rd_poll_again(poll, reactor, w->fd), 0);
}

START_TEST(fires_once_when_ready)
{
	struct waiter w = { 0 };

	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
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

	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, &watched[1], fds[1], EPOLLOUT, on_ready), 0);
	ck_assert_int_eq(w.fired, 0);
	loop();
	ck_assert_int_eq(w.fired, 1);
}
END_TEST

/* Of a pipe that was found empty: armed without a look, also when it has an entry already. */
START_TEST(news_is_what_happens_from_then_on)
{
	struct waiter w = { 0 };
	char c;

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(rd_poll_arm_news(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
		loop();
		ck_assert_int_eq(w.fired, i);
		ck_assert_int_eq(write(fds[1], "x", 1), 1);
		loop();
		ck_assert_int_eq(w.fired, i + 1);
		ck_assert(rd_poll_calm(&w.poll, EPOLLHUP) && !rd_poll_calm(&w.poll, EPOLLIN));
		ck_assert_int_eq(read(fds[0], &c, 1), 1);
	}
	/* an event that nobody waits for is one more that is not known */
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	loop();
	ck_assert(!rd_poll_calm(&w.poll, EPOLLHUP));
}
END_TEST

START_TEST(what_is_about_to_be_told_is_news)
{
	struct waiter first = { 0 }, w = { 0 };

	ck_assert_int_eq(rd_poll_arm(&first.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	rd_polls_look(&reactor->polls);
	ck_assert_int_eq(rd_poll_arm_news(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	loop();
	ck_assert_int_eq(w.fired, 1);
}
END_TEST

START_TEST(soon_asks_nobody)
{
	struct waiter w = { 0 };

	rd_poll_soon(&w.poll, reactor, &watched[0], on_ready);
	ck_assert(w.poll.armed && w.fired == 0);
	loop();
	ck_assert_int_eq(w.fired, 1);
	ck_assert(!rd_poll_calm(&w.poll, EPOLLHUP));
	rd_poll_soon(&w.poll, reactor, &watched[0], on_ready);
	rd_poll_disarm(&w.poll);
	loop();
	ck_assert_int_eq(w.fired, 1);
}
END_TEST

START_TEST(who_is_deaf_does_not_hear_the_other_side_finish)
{
	struct waiter w = { 0 };
	struct rd_watched wsk;
	char block[4096] = { 0 };
	int sk[2];

	rd_watched_init(&wsk);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sk), 0);
	while (write(sk[0], block, sizeof(block)) > 0)
		;
	ck_assert_int_eq(shutdown(sk[1], SHUT_WR), 0);
	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, &wsk, sk[0], EPOLLOUT | RD_POLL_DEAF, on_ready), 0);
	loop();
	ck_assert_int_eq(w.fired, 0);
	while (read(sk[1], block, sizeof(block)) > 0)
		;
	loop();
	ck_assert_int_eq(w.fired, 1);
	forget_close(&wsk, sk[0]);
	close(sk[1]);
}
END_TEST

START_TEST(several_polls_on_one_descriptor_all_fire)
{
	struct waiter w[5] = { 0 }, out = { 0 };
	struct rd_watched wsk;
	int sk[2];

	rd_watched_init(&wsk);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sk), 0);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(rd_poll_arm(&w[i].poll, reactor, &wsk, sk[0], EPOLLIN, on_ready), 0);
	ck_assert_int_eq(rd_poll_arm(&out.poll, reactor, &wsk, sk[0], EPOLLOUT, on_ready), 0);
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
	forget_close(&wsk, sk[0]);
	close(sk[1]);
}
END_TEST

START_TEST(disarmed_by_another_of_the_same_round)
{
	struct waiter w[2] = { 0 };

	w[0].victim = &w[1];
	w[1].victim = &w[0];
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rd_poll_arm(&w[i].poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	loop();
	loop();
	ck_assert_int_eq(w[0].fired + w[1].fired, 1);
}
END_TEST

START_TEST(can_be_armed_again_from_ready)
{
	struct waiter w = { .rearm = 3, .fd = fds[0], .watched = &watched[0] };

	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	for (int i = 0; i < 6; i++)
		loop();
	ck_assert_int_eq(w.fired, 4);
}
END_TEST

START_TEST(an_eventfd_is_waited_for)
{
	struct waiter w = { 0 };
	struct rd_watched wefd;
	int efd = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;

	rd_watched_init(&wefd);
	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, &wefd, efd, EPOLLIN, on_ready), 0);
	loop();
	ck_assert_int_eq(w.fired, 0);
	ck_assert_int_eq(write(efd, &one, sizeof(one)), sizeof(one));
	loop();
	ck_assert_int_eq(w.fired, 1);
	forget_close(&wefd, efd);
}
END_TEST

START_TEST(a_hangup_wakes_readers_and_writers)
{
	struct waiter in = { 0 }, out = { 0 };
	struct rd_watched wsk, wp;
	int sk[2], p[2];
	char c = 0;

	rd_watched_init(&wsk);
	rd_watched_init(&wp);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sk), 0);
	ck_assert_int_eq(pipe2(p, O_NONBLOCK), 0);
	while (write(p[1], &c, 1) == 1)
		;
	ck_assert_int_eq(rd_poll_arm(&in.poll, reactor, &wsk, sk[0], EPOLLIN, on_ready), 0);
	ck_assert_int_eq(rd_poll_arm(&out.poll, reactor, &wp, p[1], EPOLLOUT, on_ready), 0);
	loop();
	ck_assert_int_eq(in.fired + out.fired, 0);
	close(sk[1]);
	close(p[0]);
	loop();
	ck_assert_int_eq(in.fired, 1);
	ck_assert_int_eq(out.fired, 1);
	ck_assert_uint_eq(in.revents & EPOLLHUP, EPOLLHUP);
	ck_assert_uint_eq(out.revents & EPOLLERR, EPOLLERR);
	forget_close(&wsk, sk[0]);
	forget_close(&wp, p[1]);
}
END_TEST

static const char *const no_poll[] = { "/", "/dev/null", "/proc/self/exe" };

START_TEST(files_that_are_always_ready_are_refused)
{
	RD_CLOSE int fd = open(no_poll[_i], O_RDONLY);
	struct waiter w = { 0 };
	struct rd_watched wfd;

	rd_watched_init(&wfd);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(rd_poll_look(fd, EPOLLIN | EPOLLPRI), EPOLLIN);
	ck_assert_int_eq(rd_poll_look_and_arm(&w.poll, reactor, &wfd, fd, EPOLLIN, on_ready), -EPERM);
	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, &wfd, fd, EPOLLIN, on_ready), -EPERM);
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

	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	rd_poll_disarm(&w.poll);
	rd_watched_forget(&watched[0], reactor);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(dup2(p[0], fds[0]), fds[0]);
	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	loop();
	ck_assert_int_eq(w.fired, 1);
	close(p[0]);
	close(p[1]);
}
END_TEST

static void put(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

static void get(int fd)
{
	char c[64];

	ck_assert_int_gt(read(fd, c, sizeof(c)), 0);
}

START_TEST(what_is_there_already_is_seen_at_once)
{
	struct waiter w = { 0 };

	ck_assert_int_eq(rd_poll_look_or_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	rd_poll_disarm(&w.poll);
	put(fds[1]);
	ck_assert_int_eq(rd_poll_look_or_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN | EPOLLRDNORM, on_ready),
			 EPOLLIN | EPOLLRDNORM);
	ck_assert(!w.poll.armed);
	/* and so it is by one that only waits, whether epoll knows the file or not */
	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	loop();
	ck_assert_int_eq(w.fired, 1);
}
END_TEST

START_TEST(a_multishot_poll_fires_for_news_only)
{
	struct waiter w = { .multi = true, .fd = fds[0] }, other = { 0 };

	put(fds[1]);
	ck_assert_int_eq(rd_poll_look_and_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), EPOLLIN);
	loop();
	ck_assert_int_eq(w.fired, 0);
	/* another one on the same descriptor is none of its business, in whichever direction */
	ck_assert_int_eq(rd_poll_look_or_arm(&other.poll, reactor, &watched[0], fds[0], EPOLLPRI, on_ready), 0);
	loop();
	ck_assert_int_eq(w.fired, 0);
	for (int i = 1; i <= 3; i++) {
		put(fds[1]);
		loop();
		loop();
		ck_assert_int_eq(w.fired, i);
	}
	get(fds[0]);
	loop();
	ck_assert_int_eq(w.fired, 3);
	/* gone before we looked */
	put(fds[1]);
	get(fds[0]);
	loop();
	ck_assert_int_eq(w.fired, 3);
	rd_poll_disarm(&w.poll);
	rd_poll_disarm(&other.poll);
}
END_TEST

START_TEST(directions_do_not_disturb_each_other)
{
	struct waiter in = { .multi = true }, out = { .multi = true }, both = { .multi = true };
	struct rd_watched wsk;
	int sk[2];

	rd_watched_init(&wsk);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sk), 0);
	in.fd = out.fd = both.fd = sk[0];
	put(sk[1]);
	ck_assert_int_eq(rd_poll_look_and_arm(&in.poll, reactor, &wsk, sk[0], EPOLLIN, on_ready), EPOLLIN);
	ck_assert_int_eq(rd_poll_look_and_arm(&out.poll, reactor, &wsk, sk[0], EPOLLOUT, on_ready), EPOLLOUT);
	ck_assert_int_eq(rd_poll_look_and_arm(&both.poll, reactor, &wsk, sk[0], EPOLLIN | EPOLLOUT, on_ready),
			 EPOLLIN | EPOLLOUT);
	loop();
	ck_assert_int_eq(in.fired + out.fired + both.fired, 0);
	put(sk[1]);
	loop();
	ck_assert_int_eq(in.fired, 1);
	ck_assert_int_eq(out.fired, 0);
	ck_assert_int_eq(both.fired, 1);
	put(sk[0]);
	get(sk[1]);	/* room for us again */
	loop();
	ck_assert_int_eq(in.fired, 1);
	ck_assert_int_eq(out.fired, 1);
	ck_assert_int_eq(both.fired, 2);
	close(sk[1]);
	loop();
	ck_assert_int_eq(in.fired, 2);
	ck_assert_uint_eq(in.revents & EPOLLHUP, EPOLLHUP);
	rd_poll_disarm(&in.poll);
	rd_poll_disarm(&out.poll);
	rd_poll_disarm(&both.poll);
	forget_close(&wsk, sk[0]);
}
END_TEST

START_TEST(of_exclusive_ones_one_is_woken)
{
	struct waiter w[3] = { 0 }, plain = { 0 };

	for (int i = 0; i < 3; i++) {
		w[i].poll.exclusive = true;
		ck_assert_int_eq(rd_poll_look_or_arm(&w[i].poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	}
	ck_assert_int_eq(rd_poll_look_or_arm(&plain.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	for (int i = 1; i <= 3; i++) {
		put(fds[1]);
		loop();
		ck_assert_int_eq(w[0].fired + w[1].fired + w[2].fired, i);
		ck_assert_int_eq(plain.fired, 1);
	}
}
END_TEST

START_TEST(a_descriptor_that_nobody_waits_for_is_dropped)
{
	struct waiter w = { 0 };
	struct rd_watch *in = &watched[0].way[0];

	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(rd_poll_look_or_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
		rd_poll_disarm(&w.poll);
		for (int i = 0; i < 10; i++) {
			put(fds[1]);
			loop();
		}
		ck_assert_int_eq(in->fd, -1);
		get(fds[0]);
	}
	ck_assert_int_eq(rd_poll_look_or_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	put(fds[1]);
	loop();
	ck_assert_int_eq(w.fired, 1);
}
END_TEST

/* epoll would keep the entry, and with it a pointer to us, as long as anybody has the file open. */
START_TEST(a_forgotten_descriptor_brings_no_events)
{
	struct waiter w = { 0 };
	RD_CLOSE int copy = dup(fds[0]);

	ck_assert_int_ge(copy, 0);
	ck_assert_int_eq(rd_poll_look_or_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_ready), 0);
	rd_poll_disarm(&w.poll);
	put(fds[1]);
	rd_watched_forget(&watched[0], reactor);
	memset(&watched[0], 0xa5, sizeof(watched[0]));
	put(fds[1]);
	loop();
	rd_watched_init(&watched[0]);
	ck_assert_int_eq(w.fired, 0);
}
END_TEST

/* --- a reactor that goes to sleep --- */

#define WAKES 3000

static int asked[2];	/* a byte for each event that is wanted */

static void *maker(void *arg)
{
	uint64_t one = 1;
	char c;

	(void)arg;
	for (unsigned int i = 0; i < WAKES && read(asked[0], &c, 1) == 1; i++) {
		/* when it looks, before, on its way to sleep, and when it sleeps */
		for (unsigned int k = 0; k < (i % 64) * 20; k++)
			rd_cpu_relax();
		ck_assert_int_eq(write(fds[1], &one, 1), 1);
	}
	return NULL;
}

static void on_event(struct rd_poll *poll)
{
	struct waiter *w = RD_CONTAINER_OF(poll, struct waiter, poll);
	char c;

	ck_assert_int_eq(read(w->fd, &c, 1), 1);
	if (++w->fired == WAKES) {
		rd_reactor_stop(reactor);
		return;
	}
	ck_assert_int_eq(rd_poll_arm(poll, reactor, w->watched, w->fd, EPOLLIN, on_event), 0);
	ck_assert_int_eq(write(asked[1], "x", 1), 1);
}

START_TEST(no_event_is_lost_on_the_way_to_sleep)
{
	struct waiter w = { .fd = fds[0], .watched = &watched[0] };
	pthread_t thread;

	ck_assert_int_eq(pipe(asked), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, maker, NULL), 0);
	ck_assert_int_eq(rd_poll_arm(&w.poll, reactor, &watched[0], fds[0], EPOLLIN, on_event), 0);
	ck_assert_int_eq(write(asked[1], "x", 1), 1);
	rd_reactor_run(reactor);	/* hangs, and Check's time limit ends the test, when one is */
	pthread_join(thread, NULL);
	ck_assert_int_eq(w.fired, WAKES);
	close(asked[0]);
	close(asked[1]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("poll");
	TCase *tc = tcase_create("poll");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, fires_once_when_ready);
	tcase_add_test(tc, already_ready_fires_in_the_next_loop);
	tcase_add_test(tc, news_is_what_happens_from_then_on);
	tcase_add_test(tc, what_is_about_to_be_told_is_news);
	tcase_add_test(tc, soon_asks_nobody);
	tcase_add_test(tc, who_is_deaf_does_not_hear_the_other_side_finish);
	tcase_add_test(tc, several_polls_on_one_descriptor_all_fire);
	tcase_add_test(tc, disarmed_by_another_of_the_same_round);
	tcase_add_test(tc, can_be_armed_again_from_ready);
	tcase_add_test(tc, an_eventfd_is_waited_for);
	tcase_add_test(tc, a_hangup_wakes_readers_and_writers);
	tcase_add_loop_test(tc, files_that_are_always_ready_are_refused, 0, (int)RD_ARRAY_SIZE(no_poll));
	tcase_add_test(tc, a_number_can_be_another_file_later);
	tcase_add_test(tc, what_is_there_already_is_seen_at_once);
	tcase_add_test(tc, a_multishot_poll_fires_for_news_only);
	tcase_add_test(tc, directions_do_not_disturb_each_other);
	tcase_add_test(tc, of_exclusive_ones_one_is_woken);
	tcase_add_test(tc, a_descriptor_that_nobody_waits_for_is_dropped);
	tcase_add_test(tc, a_forgotten_descriptor_brings_no_events);
	tcase_add_test(tc, no_event_is_lost_on_the_way_to_sleep);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
