/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for the engine. First look at the word again and again, then let others run between the looks, then sleep on
 * the wake socket with the wait word armed. The last step is a store-buffering handshake: we store the wait word, full
 * barrier, look at the target once more; the engine publishes, full barrier, looks at the wait word. One of the two sees
 * the other, so no wake-up is lost; the engine sends one byte per sequence value, so old bytes only cost one more look.
 *
 * A ring in poll mode (ringd_ring_fd()) keeps the word armed for its CQ, because somebody else sleeps on the socket.
 */
#include <sched.h>
#include <sys/socket.h>

#include "private.h"

#define SPIN_LOOKS	100u		/* 2 to 4 us of pauses */
#define SPIN_NS		50000u		/* then yield for at most this long, where waits are usually shorter */
#define SPIN_CAP	400000u		/* longer waits count as this long */
#define SPIN_PROBE	16u		/* where they are not, try it again once in so many waits */
#define POLL_MODE_SPIN_NS 1000000u

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

static uint32_t spin_budget(struct ringd_ring *ring, struct rdl_spin *s, uint32_t kind)
{
	if (kind == RINGD_WAIT_KIND_ENTER && ring->poll_mode)
		return POLL_MODE_SPIN_NS;	/* see sleep_unarmed() */
	if (s->avg_ns <= SPIN_NS || ++s->skipped >= SPIN_PROBE) {
		s->skipped = 0;
		return SPIN_NS;
	}
	return 0;
}

static void spin_learn(struct rdl_spin *s, uint64_t ns)
{
	int32_t d = (int32_t)RDL_MIN(ns, SPIN_CAP) - (int32_t)s->avg_ns;

	/* A wait that slept was made long by the sleeping too; one short wait says more than that mean. */
	if (ns <= SPIN_NS && s->avg_ns > SPIN_NS)
		s->avg_ns = (uint32_t)ns;
	else
		s->avg_ns = (uint32_t)((int32_t)s->avg_ns + d / 8);
}

/* True: reached. *start: when it began, 0 if that was not worth a look at the clock. */
static bool spin(struct ringd_ring *ring, struct rdl_spin *s, uint32_t kind, uint32_t target, uint64_t deadline,
		 uint64_t *start)
{
	uint64_t end, now;

	*start = 0;
	for (unsigned int i = 0; i < SPIN_LOOKS; i++) {
		if (reached(ring, kind, target)) {
			s->avg_ns -= s->avg_ns / 8;
			return true;
		}
		rdl_relax();
	}
	*start = now = rdl_now();
	end = RDL_MIN(now + spin_budget(ring, s, kind), deadline);
	for (; now < end; now = rdl_now()) {
		sched_yield();
		if (reached(ring, kind, target)) {
			spin_learn(s, rdl_now() - *start);
			return true;
		}
	}
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
 * would send no byte, and whoever polls the descriptor next would sleep beside it. So this looks at growing intervals,
 * after a long time of yielding that is enough unless the engine cannot run.
 */
static int sleep_unarmed(struct ringd_ring *ring, uint32_t kind, uint32_t target)
{
	struct pollfd p = { .fd = ring->wake, .events = POLLRDHUP };

	for (int ms = 1; !reached(ring, kind, target); ms = ms < 32 ? ms * 2 : 32) {
		if (rdl_dead(ring))
			return reached(ring, kind, target) ? 0 : -ECONNRESET;
		poll(&p, 1, ms);
	}
	return 0;
}

int rdl_wait(struct ringd_ring *ring, uint32_t kind, uint32_t target, uint64_t deadline)
{
	struct rdl_spin *s = kind == RINGD_WAIT_KIND_CQ ? &ring->cq_spin : &ring->enter_spin;
	uint64_t start;
	int r;

	if (spin(ring, s, kind, target, deadline, &start))
		return 0;
	if (start >= deadline)
		return rdl_dead(ring) ? -ECONNRESET : -ETIME;
	if (rdl_load(&ring->dead))
		return reached(ring, kind, target) ? 0 : -ECONNRESET;
	if (ring->poll_mode && kind == RINGD_WAIT_KIND_ENTER)
		r = sleep_unarmed(ring, kind, target);
	else
		r = sleep_armed(ring, kind, target, deadline);
	if (r != -ECONNRESET)
		spin_learn(s, rdl_now() - start);
	return r;
}

int ringd_ring_fd(struct ringd_ring *ring)
{
	if (!ring->poll_mode) {
		ring->poll_mode = true;
		rdl_arm(ring);
	}
	return ring->wake;
}
