/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reactor's loop: work comes back from any thread, pollers doze and wake, nothing is lost on the way to sleep. */
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "daemon/common/clock.h"
#include "daemon/engine/exec/reactor.h"
#include "suite.h"

#define THREADS 3
#define PER_THREAD 20000

static struct rd_reactor *reactor;

static void setup(void)
{
	ck_assert_int_eq(rd_reactor_new(&reactor, 20), 0);
}

static void teardown(void)
{
	reactor = rd_reactor_free(reactor);
}

struct item {
	struct rd_work work;
	unsigned int thread, number;
};

static struct item items[THREADS][PER_THREAD];
static unsigned int next_number[THREADS], total;

static void item_done(struct rd_work *work)
{
	struct item *item = RD_CONTAINER_OF(work, struct item, work);

	/* of one thread in the order it was pushed */
	ck_assert_uint_eq(item->number, next_number[item->thread]++);
	if (++total == THREADS * PER_THREAD)
		rd_reactor_stop(reactor);
}

static void *pusher(void *arg)
{
	unsigned int t = (unsigned int)(uintptr_t)arg;

	for (unsigned int i = 0; i < PER_THREAD; i++) {
		items[t][i] = (struct item){ .work.done = item_done, .thread = t, .number = i };
		rd_reactor_return(reactor, &items[t][i].work);
		if (i % 64 == 0)
			sched_yield();	/* lets the reactor fall asleep now and then */
	}
	return NULL;
}

START_TEST(returned_work_is_done_once_and_in_order)
{
	pthread_t threads[THREADS];

	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, pusher, (void *)(uintptr_t)i), 0);
	rd_reactor_run(reactor);	/* hangs, and Check's time limit ends the test, when a wake-up is lost */
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(total, THREADS * PER_THREAD);
}
END_TEST

/* A poller fed by another thread that honours NEED_WAKEUP: the doorbell handshake with real memory ordering. */
struct fed {
	struct rd_poller poller;
	_Atomic uint32_t tail, need_wakeup, head;
	uint32_t limit;
	int pipe[2];
	struct event *event;
	unsigned int dozes;
};

static unsigned int fed_look(struct rd_poller *p)
{
	struct fed *f = RD_CONTAINER_OF(p, struct fed, poller);
	uint32_t n = atomic_load_explicit(&f->tail, memory_order_acquire) - atomic_load(&f->head);

	if (n)
		atomic_fetch_add(&f->head, n);
	if (atomic_load(&f->head) == f->limit)
		rd_reactor_stop(reactor);
	return n;
}

static void fed_doze(struct rd_poller *p)
{
	struct fed *f = RD_CONTAINER_OF(p, struct fed, poller);

	f->dozes++;
	atomic_store_explicit(&f->need_wakeup, 1, memory_order_relaxed);
}

static bool fed_pending(struct rd_poller *p)
{
	struct fed *f = RD_CONTAINER_OF(p, struct fed, poller);

	return atomic_load_explicit(&f->tail, memory_order_acquire) != atomic_load(&f->head);
}

static void fed_wake(struct rd_poller *p)
{
	atomic_store_explicit(&RD_CONTAINER_OF(p, struct fed, poller)->need_wakeup, 0, memory_order_relaxed);
}

static void fed_publish(struct rd_poller *p)
{
	(void)p;
}

static void fed_doorbell(evutil_socket_t fd, short what, void *arg)
{
	char c[64];

	(void)what;
	ck_assert_int_gt(read(fd, c, sizeof(c)), 0);
	rd_poller_wake(reactor, arg);
}

static void *feeder(void *arg)
{
	struct fed *f = arg;

	for (uint32_t i = 1; i <= f->limit; i++) {
		atomic_store_explicit(&f->tail, i, memory_order_relaxed);
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load_explicit(&f->need_wakeup, memory_order_relaxed))
			ck_assert_int_eq(write(f->pipe[1], "x", 1), 1);
		/* wait until it was taken, so that the reactor has the chance to doze between any two */
		while (atomic_load(&f->head) != i)
			sched_yield();
		/* and now and then until it has dozed: it may look for longer than we take */
		while (i % 64 == 0 && i != f->limit && !atomic_load(&f->need_wakeup))
			sched_yield();
	}
	return NULL;
}

START_TEST(dozing_pollers_are_woken)
{
	struct fed f = { .limit = 20000 };
	pthread_t thread;

	ck_assert_int_eq(pipe(f.pipe), 0);
	rd_poller_init(&f.poller);
	f.poller.look = fed_look;
	f.poller.doze = fed_doze;
	f.poller.pending = fed_pending;
	f.poller.wake = fed_wake;
	f.poller.publish = fed_publish;
	reactor->spin_ns = 0;		/* doze whenever possible */
	atomic_store(&f.need_wakeup, 1);
	f.event = event_new(reactor->base, f.pipe[0], EV_READ | EV_PERSIST, fed_doorbell, &f.poller);
	event_add(f.event, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, feeder, &f), 0);
	rd_reactor_run(reactor);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(atomic_load(&f.head), f.limit);
	ck_assert_uint_gt(f.dozes, 0);
	event_free(f.event);
	close(f.pipe[0]);
	close(f.pipe[1]);
}
END_TEST

static unsigned int looks;

static unsigned int count_look(struct rd_poller *p)
{
	(void)p;
	looks++;
	return 1;
}

START_TEST(removed_pollers_are_not_looked_at)
{
	struct rd_poller p = { .look = count_look, .wake = fed_publish, .publish = fed_publish };

	rd_poller_init(&p);
	rd_poller_wake(reactor, &p);
	rd_poller_wake(reactor, &p);	/* twice is once */
	rd_reactor_turn(reactor);
	ck_assert_uint_eq(looks, 1);
	rd_poller_dirty(reactor, &p);
	rd_poller_remove(&p);
	rd_reactor_turn(reactor);
	ck_assert_uint_eq(looks, 1);
}
END_TEST

static unsigned int rings, busy;

/* A doorbell that is rung again each time it is heard. */
static void ring_again(evutil_socket_t fd, short what, void *arg)
{
	uint64_t one = 1;

	(void)what;
	(void)arg;
	rings++;
	ck_assert_int_eq(write(fd, &one, sizeof(one)), (ssize_t)sizeof(one));
}

static unsigned int look_between_rings(struct rd_poller *p)
{
	static unsigned int heard;

	(void)p;
	looks += rings != heard;
	heard = rings;
	if (looks == 5)
		rd_reactor_stop(reactor);
	return busy;
}

static bool always_pending(struct rd_poller *p)
{
	(void)p;
	return true;
}

START_TEST(a_storm_of_events_does_not_keep_pollers_waiting)
{
	struct rd_poller p = {
		.look = look_between_rings, .wake = fed_publish, .doze = fed_publish, .pending = always_pending,
		.publish = fed_publish,
	};
	int efd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	struct event *ev = event_new(reactor->base, efd, EV_READ | EV_ET | EV_PERSIST, ring_again, NULL);

	busy = _i ? 1 : 0;
	rd_poller_init(&p);
	rd_poller_wake(reactor, &p);
	event_add(ev, NULL);
	rd_reactor_run(reactor);	/* hangs, and Check's time limit ends the test, when events are heard as long as they come */
	ck_assert_uint_eq(looks, 5);
	event_free(ev);
	close(efd);
}
END_TEST

static unsigned int look_busy(struct rd_poller *p)
{
	uint64_t end = rd_now_ns() + 100000;

	(void)p;
	while (rd_now_ns() < end)
		;
	looks++;
	return 128;
}

static void stop_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	rd_reactor_stop(reactor);
}

START_TEST(a_busy_poller_does_not_keep_events_waiting)
{
	struct rd_poller p = { .look = look_busy, .wake = fed_publish, .publish = fed_publish };
	struct event *ev = event_new(reactor->base, -1, 0, stop_cb, NULL);

	rd_poller_init(&p);
	rd_poller_wake(reactor, &p);
	event_active(ev, EV_READ, 1);	/* as a doorbell of another ring */
	rd_reactor_run(reactor);
	ck_assert_uint_le(looks, 2);
	rd_poller_remove(&p);
	event_free(ev);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reactor");
	TCase *tc = tcase_create("loop");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, returned_work_is_done_once_and_in_order);
	tcase_add_test(tc, dozing_pollers_are_woken);
	tcase_add_test(tc, a_busy_poller_does_not_keep_events_waiting);
	tcase_add_test(tc, removed_pollers_are_not_looked_at);
	tcase_add_loop_test(tc, a_storm_of_events_does_not_keep_pollers_waiting, 0, 2);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
