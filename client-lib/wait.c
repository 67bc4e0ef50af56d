/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for the engine. First look at the word again and again, then sleep on the wake socket with the wait word armed.
 * The second step is a store-buffering handshake: we store the wait word, full barrier, look at the target once more; the
 * engine publishes, full barrier, looks at the wait word. One of the two sees the other, so no wake-up is lost; the engine
 * sends one byte per sequence value, so old bytes only cost one more look.
 *
 * There is no sched_yield() between the looks. Since Linux 6.18 each of them gives up a whole time slice, which is paid for
 * when another program comes along: measured with two CPUs and some ten compiling neighbours, a round trip took 33 us
 * without it and 140 us with it.
 *
 * A ring in poll mode (ringd_ring_fd()) keeps the word armed for its CQ, because somebody else sleeps on the socket.
 */
#include <sys/socket.h>

#include "private.h"

#define SPIN_LOOKS	100u		/* 2 to 4 us of pauses: always */
#define SPIN_NS		50000u		/* then this long, which is what a wake-up costs, where that is enough */
#define SPIN_PENALTY	1024u		/* where it never is, once in so many waits */

uint64_t rdl_deadline(const struct timespec *ts)
{
	uint64_t now;

	if (!ts)
		return RDL_FOREVER;
	now = rdl_now();
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (long)RDL_NS)
		return now;
	if ((uint64_t)ts->tv_sec > (RDL_FOREVER - now) / RDL_NS - 2)
		return RDL_FOREVER;
	return now + (uint64_t)ts->tv_sec * RDL_NS + (uint64_t)ts->tv_nsec;
}

static inline bool reached(const struct ringd_ring *ring, uint32_t kind, uint32_t target)
{
	const struct ringd_hot *hot = ring->cq_hot;

	/* acquire: what the engine wrote before these is used once they are seen */
	switch (kind) {
	case RINGD_WAIT_KIND_ENTER:
		return rdl_load_acquire(&hot->enter_done) == target;
	case RINGD_WAIT_KIND_SQ:
		return (int32_t)(rdl_load_acquire(&hot->sq_head) - target) >= 0;
	default:
		return (int32_t)(rdl_load_acquire(&hot->cq_tail) - target) >= 0 ||
		       (rdl_load_acquire(&hot->sq_flags) & RINGD_SQ_CQ_OVERFLOW);
	}
}

static bool mark_dead(struct ringd_ring *ring)
{
	rdl_store(&ring->dead, true);
	return true;
}

bool rdl_dead(struct ringd_ring *ring)
{
	struct pollfd p = { .fd = ring->wake, .events = POLLRDHUP };

	if (rdl_load(&ring->dead))
		return true;
	/* acquire: the CQEs it posted before it said so */
	if (rdl_load_acquire(&ring->hot->state) == RINGD_STATE_DEAD)
		return mark_dead(ring);
	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)))
		return mark_dead(ring);
	return false;
}

/* Take the bytes out of the wake socket: how many, at most a handful, or -ECONNRESET. */
static int drain(struct ringd_ring *ring)
{
	char bytes[64];
	ssize_t n;

	do {
		n = recv(ring->wake, bytes, sizeof(bytes), MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return (int)n;
	if (n < 0 && errno == EAGAIN)
		return 0;
	mark_dead(ring);
	return -ECONNRESET;
}

static void arm(struct ringd_ring *ring, uint32_t kind, uint32_t target)
{
	ring->wait_seq += RINGD_WAIT_SEQ_STEP;
	if (!ring->wait_seq)	/* with kind 0 the high word would be 0: "nobody sleeps" */
		ring->wait_seq += RINGD_WAIT_SEQ_STEP;
	/* full barrier: pairs with the engine's between publishing and reading this word */
	rdl_store_barrier(&ring->hot->wait, RINGD_WAIT(ring->wait_seq | kind, target));
}

static void disarm(struct ringd_ring *ring)
{
	ring->armed = false;
	rdl_store_release(&ring->hot->wait, 0);
}

bool rdl_arm(struct ringd_ring *ring)
{
	int n = drain(ring);

	if (n < 0)
		return false;
	/* still armed for the same CQE, and no byte was taken away that told of it */
	if (!ring->armed || ring->armed_for != ring->cq_head || n > 0) {
		arm(ring, RINGD_WAIT_KIND_CQ, ring->cq_head + 1);
		ring->armed = true;
		ring->armed_for = ring->cq_head;
	}
	return !reached(ring, RINGD_WAIT_KIND_CQ, ring->cq_head + 1);
}

/* --- spinning --- */

/* Nothing but looks. True: reached. */
static inline bool looks(const struct ringd_ring *ring, uint32_t kind, uint32_t target, unsigned int n)
{
	for (; n > 0; n--) {
		if (reached(ring, kind, target))
			return true;
		rdl_relax();
	}
	return false;
}

/*
 * The long spin: until now + SPIN_NS or the deadline. If it was in vain, the next 1, 2, 4 ... waits go without one. So it
 * is soon given up where requests take long, or where the engine needs the CPU that spins.
 */
static bool spin(const struct ringd_ring *ring, struct rdl_spin *s, uint32_t kind, uint32_t target, uint64_t now,
		 uint64_t deadline)
{
	uint64_t end = RDL_MIN(now + SPIN_NS, deadline);

	if (s->skip) {
		s->skip--;
		return false;
	}
	while (now < end) {
		if (looks(ring, kind, target, 16)) {
			s->penalty = 0;
			return true;
		}
		now = rdl_now();
	}
	s->penalty = s->penalty ? RDL_MIN(s->penalty * 2, SPIN_PENALTY) : 1;
	s->skip = s->penalty;
	return false;
}

/* --- sleeping --- */

/* Sleep on the wake socket. 0: look again; -ETIME, -EINTR, -ECONNRESET, -ENOMEM. */
static int nap(struct ringd_ring *ring, uint64_t deadline)
{
	struct pollfd p = { .fd = ring->wake, .events = POLLIN | POLLRDHUP };
	struct timespec ts, *timeout = NULL;
	int r;

	if (deadline != RDL_FOREVER) {
		uint64_t now = rdl_now(), left = deadline > now ? deadline - now : 0;

		ts.tv_sec = (time_t)(left / RDL_NS);
		ts.tv_nsec = (long)(left % RDL_NS);
		timeout = &ts;
	}
	r = ppoll(&p, 1, timeout, NULL);
	if (r < 0)
		return -errno;
	if (r == 0)
		return -ETIME;
	r = drain(ring);
	return r < 0 ? r : 0;
}

static int sleep_armed(struct ringd_ring *ring, uint32_t kind, uint32_t target, uint64_t deadline)
{
	int r;

	for (;;) {
		arm(ring, kind, target);
		r = reached(ring, kind, target) ? 0 : nap(ring, deadline);
		if (reached(ring, kind, target)) {
			r = 0;
			break;
		}
		if (r == 0 && rdl_load_acquire(&ring->hot->state) == RINGD_STATE_DEAD) {
			mark_dead(ring);
			r = -ECONNRESET;
		}
		if (r < 0 && !(r == -EINTR && kind == RINGD_WAIT_KIND_ENTER))
			break;
	}
	disarm(ring);
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

	for (int ms = 1; !reached(ring, kind, target); ms = ms < 32 ? ms * 2 : 32) {
		if (rdl_dead(ring))
			return reached(ring, kind, target) ? 0 : -ECONNRESET;
		if (poll(&p, 1, ms) > 0 && (p.revents & POLLIN))
			p.events = POLLRDHUP;	/* it has told what it knows */
	}
	return 0;
}

int rdl_wait(struct ringd_ring *ring, uint32_t kind, uint32_t target, uint64_t deadline)
{
	struct rdl_spin *s = kind == RINGD_WAIT_KIND_CQ ? &ring->cq_spin : &ring->enter_spin;
	uint64_t now;

	if (looks(ring, kind, target, SPIN_LOOKS))
		return 0;
	now = rdl_now();
	if (spin(ring, s, kind, target, now, deadline))
		return 0;
	if (now >= deadline)
		return rdl_dead(ring) ? -ECONNRESET : -ETIME;
	if (rdl_load(&ring->dead))
		return reached(ring, kind, target) ? 0 : -ECONNRESET;
	if (ring->poll_mode && kind == RINGD_WAIT_KIND_ENTER)
		return sleep_unarmed(ring, kind, target);
	return sleep_armed(ring, kind, target, deadline);
}

int ringd_ring_fd(struct ringd_ring *ring)
{
	if (!ring->poll_mode) {
		ring->poll_mode = true;
		rdl_arm(ring);
	}
	return ring->wake;
}
