/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sleeping until the engine has come as far as wanted. The wait word is armed, then the words it is about are looked at
 * once more: a store-buffering handshake. We store the wait word, full barrier, look at the target; the engine publishes,
 * full barrier, looks at the wait word. One of the two sees the other, so no wake-up is lost; the engine sends one byte per
 * sequence value, so old bytes only cost one more look.
 *
 * There is one wait word and one wake socket, and there may be many threads. All that sleep are in a list. One of them,
 * the leader, sleeps on the socket, the others on an eventfd each, their bell. The word is armed so that it is answered
 * when any of them has what it wants; whoever arms it looks for all of them afterwards and rings for those that do. When
 * the leader goes it names another, and rings for it. So at every moment either nobody sleeps, or the word is armed for
 * all who do and somebody is at the socket or on the way to it. All but the sleeping happens under sleep_lock.
 *
 * A ring in poll mode (ringd_ring_fd()) keeps the word armed for its CQ, because somebody else sleeps on the socket. Beside
 * that one only a submitter can be told apart: one thread at a time waits or reaps there.
 */
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "private.h"

#define SLICE_NS	RDL_NS		/* ppoll() knows CLOCK_MONOTONIC only; others are looked at this often */
#define DEAF_NS		5000000u	/* no descriptor left for a bell: look this often */

struct rdl_sleeper {
	struct rdl_sleeper *next, **prev;
	uint32_t kind, target;
	int bell;			/* -1: the leader, or there are no more descriptors */
};

/* Take the bytes out of the wake socket: how many, at most a handful, or -ECONNRESET. */
static int drain(struct ringd_ring *ring)
{
	char bytes[64];
	ssize_t n;

	do {
		n = recv(ring->wake, bytes, sizeof(bytes), MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		rdl_channel_look(ring);		/* the byte may be for that */
		return (int)n;
	}
	if (n < 0 && errno == EAGAIN)
		return 0;
	rdl_mark_dead(ring);
	return -ECONNRESET;
}

static void arm(struct ringd_ring *ring, uint32_t kind, uint32_t target)
{
	ring->wait_seq += RINGD_WAIT_SEQ_STEP;
	if (!ring->wait_seq)	/* with kind 0 the high word would be 0: "nobody sleeps" */
		ring->wait_seq += RINGD_WAIT_SEQ_STEP;
	/* full barrier: pairs with the engine's between publishing and reading this word */
	rdl_store_barrier(&ring->hot->wait, RINGD_WAIT(ring->wait_seq | kind, target));
	/* the engine wakes for a full channel only where it sees this word: what it said before is looked at now */
	rdl_channel_look(ring);
}

static void disarm(struct ringd_ring *ring)
{
	ring->armed = false;
	rdl_store_release(&ring->hot->wait, 0);
}

/* --- the sleepers --- */

static void ring_bell(const struct rdl_sleeper *s)
{
	const uint64_t one = 1;

	if (s->bell >= 0)
		(void)!write(s->bell, &one, sizeof(one));
}

static void list_add(struct ringd_ring *ring, struct rdl_sleeper *s)
{
	s->next = ring->sleepers;
	s->prev = &ring->sleepers;
	if (s->next)
		s->next->prev = &s->next;
	ring->sleepers = s;
}

static void list_remove(struct rdl_sleeper *s)
{
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

static void bell_get(struct ringd_ring *ring, struct rdl_sleeper *s)
{
	if (s->bell < 0)
		s->bell = ring->n_bells ? ring->bells[--ring->n_bells] : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void bell_put(struct ringd_ring *ring, struct rdl_sleeper *s)
{
	uint64_t sum;

	if (s->bell < 0)
		return;
	(void)!read(s->bell, &sum, sizeof(sum));
	if (ring->n_bells < RDL_BELLS)
		ring->bells[ring->n_bells++] = s->bell;
	else
		rdl_close(s->bell);
}

/* Arm the word for all: of one kind the nearest target, otherwise whatever happens. Then nobody who has what it wants sleeps on. */
static void arm_for_all(struct ringd_ring *ring)
{
	uint32_t kind = ring->sleepers->kind, target = ring->sleepers->target;

	for (struct rdl_sleeper *s = ring->sleepers->next; s; s = s->next) {
		if (s->kind != kind || kind == RINGD_WAIT_KIND_ENTER)
			kind = RINGD_WAIT_KIND_ANY;
		else if ((int32_t)(s->target - target) < 0)
			target = s->target;
	}
	arm(ring, kind, target);
	for (struct rdl_sleeper *s = ring->sleepers; s; s = s->next) {
		if (rdl_reached(ring, s->kind, s->target))
			ring_bell(s);
	}
}

static void leave(struct ringd_ring *ring, struct rdl_sleeper *me)
{
	list_remove(me);
	if (ring->leader == me) {
		ring->leader = ring->sleepers;
		if (ring->leader)
			ring_bell(ring->leader);
		else
			disarm(ring);
	}
	bell_put(ring, me);
}

/* Sleep on fd (-1: on nothing). 0: look again, -ETIME, -EINTR, -ENOMEM. */
static int nap(int fd, const struct rdl_until *until)
{
	uint64_t left = rdl_left(until), slice = RDL_FOREVER;
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };
	struct timespec ts, *timeout = NULL;
	int r;

	if (fd < 0)
		slice = DEAF_NS;
	else if (left != RDL_FOREVER && until->clock != CLOCK_MONOTONIC)
		slice = SLICE_NS;
	if (left != RDL_FOREVER || slice != RDL_FOREVER) {
		uint64_t t = RDL_MIN(left, slice);

		ts.tv_sec = (time_t)(t / RDL_NS);
		ts.tv_nsec = (long)(t % RDL_NS);
		timeout = &ts;
	}
	r = ppoll(&p, 1, timeout, until && until->masked ? &until->mask : NULL);
	if (r < 0)
		return -errno;
	return r == 0 && left <= slice ? -ETIME : 0;
}

/* Sleep once, without the lock; the byte or the stroke that ended it is taken away. */
static int sleep_once(struct ringd_ring *ring, struct rdl_sleeper *me, bool leads, const struct rdl_until *until)
{
	uint64_t sum;
	int r;

	rdl_unlock(&ring->sleep_lock);
	r = nap(leads ? ring->wake : me->bell, until);
	if (r == 0 && leads)
		r = RDL_MIN(drain(ring), 0);
	else if (r == 0 && me->bell >= 0)
		(void)!read(me->bell, &sum, sizeof(sum));
	rdl_lock(&ring->sleep_lock);
	return r;
}

static int sleep_armed(struct ringd_ring *ring, uint32_t kind, uint32_t target, const struct rdl_until *until)
{
	struct rdl_sleeper me = { .kind = kind, .target = target, .bell = -1 };
	int r = 0;

	rdl_lock(&ring->sleep_lock);
	list_add(ring, &me);
	for (;;) {
		bool leads;

		if (!ring->leader)
			ring->leader = &me;
		leads = ring->leader == &me;
		if (!leads)
			bell_get(ring, &me);
		arm_for_all(ring);
		if (!rdl_reached(ring, kind, target))
			r = sleep_once(ring, &me, leads, until);
		if (rdl_reached(ring, kind, target)) {
			r = 0;
			break;
		}
		if (r == 0 && (rdl_is_dead(ring) || rdl_load_acquire(&ring->hot->state) == RINGD_STATE_DEAD)) {
			rdl_mark_dead(ring);
			r = -ECONNRESET;
		}
		if (r < 0 && !(r == -EINTR && kind == RINGD_WAIT_KIND_ENTER))
			break;
	}
	leave(ring, &me);
	rdl_unlock(&ring->sleep_lock);
	return r;
}

/*
 * The enter of a ring in poll mode. The wait word stays armed for the CQ: were it used for this, a CQE posted meanwhile
 * would send no byte, and whoever polls the descriptor next would sleep beside it. Most enters make a CQE: its byte, which
 * stays in the socket, ends this sleep too. For the others there is a look at growing intervals.
 */
static int sleep_unarmed(struct ringd_ring *ring, uint32_t kind, uint32_t target)
{
	struct pollfd p = { .fd = ring->wake, .events = POLLIN | POLLRDHUP };

	for (int ms = 1; !rdl_reached(ring, kind, target); ms = ms < 32 ? ms * 2 : 32) {
		if (rdl_dead(ring))
			return rdl_reached(ring, kind, target) ? 0 : -ECONNRESET;
		if (poll(&p, 1, ms) > 0 && (p.revents & POLLIN))
			p.events = POLLRDHUP;	/* it has told what it knows */
	}
	return 0;
}

int rdl_sleep(struct ringd_ring *ring, uint32_t kind, uint32_t target, const struct rdl_until *until)
{
	if (ring->poll_mode && kind == RINGD_WAIT_KIND_ENTER)
		return sleep_unarmed(ring, kind, target);
	return sleep_armed(ring, kind, target, until);
}

void rdl_sleep_deinit(struct ringd_ring *ring)
{
	while (ring->n_bells)
		rdl_close(ring->bells[--ring->n_bells]);
}

/* --- the pollable descriptor --- */

/* A lazy ring: is there something that only an enter with GETEVENTS brings into the CQ? */
static bool tasks_pending(const struct ringd_ring *ring)
{
	return (rdl_special(ring) & RDL_LAZY) && (rdl_load_acquire(&ring->hot->tasks) & RINGD_TASKS_PENDING);
}

/*
 * As in the kernel the descriptor stays readable until that enter is made. The byte that told of it may have been taken, or not
 * been sent because the word was not armed: an enter of nothing has the engine look at the word again.
 */
static void stay_readable(struct ringd_ring *ring)
{
	struct pollfd p = { .fd = ring->wake, .events = POLLIN };

	if (ring->armed && poll(&p, 1, 0) > 0)
		return;
	arm(ring, RINGD_WAIT_KIND_CQ, ring->cq_head + 1);
	ring->armed = true;
	ring->armed_for = ring->cq_head;
	rdl_enter(ring, 0, 0);
}

bool rdl_arm(struct ringd_ring *ring)
{
	int n = tasks_pending(ring) ? 0 : drain(ring);

	if (n < 0)
		return false;
	/* still armed for the same CQE, and no byte was taken away that told of it */
	if (!ring->armed || ring->armed_for != ring->cq_head || n > 0) {
		arm(ring, RINGD_WAIT_KIND_CQ, ring->cq_head + 1);
		ring->armed = true;
		ring->armed_for = ring->cq_head;
	}
	if (rdl_reached(ring, RINGD_WAIT_KIND_CQ, ring->cq_head + 1))
		return false;
	if (RDL_UNLIKELY(tasks_pending(ring)))
		stay_readable(ring);
	return true;
}

int ringd_ring_fd(struct ringd_ring *ring)
{
	if (!ring->poll_mode) {
		ring->poll_mode = true;
		rdl_arm(ring);
	}
	return ring->wake;
}
