/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that waits for many futex words at once, for as long as the set stays what it is; a word of its own calls it when
 * the set changes. The kernel tells the last word that was hit. Words are given to it oldest first, and of one word it wakes
 * the oldest first: so of the same word all before the told one were hit, too. Of other words nobody can say; that
 * they are compared again is enough, see futex.h.
 *
 * What is taken out while the thread sleeps is still in the kernel's queue for a moment. A wake-up that hits such a zombie
 * was meant for the next in the queue: it is passed on.
 */
#include "bridge.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/stack.h"
#include "daemon/common/util.h"
#include "reactor.h"

#define BRIDGE_STACK	(64u << 10)
#define BRIDGE_TRIES	16		/* refusals without a reason in a row, then it pauses */
#define BRIDGE_PAUSE_NS	1000000

#define FUTEX2_U32	0x02		/* FUTEX_32 and FUTEX_PRIVATE_FLAG of newer headers */
#define FUTEX2_PRIVATE_	0x80

/* What the thread has given to the kernel. */
struct round {
	struct futex_waitv vec[1 + RD_BRIDGE_WORDS];	/* [0] is the control word */
	uint8_t slot[1 + RD_BRIDGE_WORDS];
	unsigned int n;
	int differs[1 + RD_BRIDGE_WORDS];	/* what rd_futex_compare() said */
	uint32_t *pass[RD_BRIDGE_WORDS];	/* words whose wake-up hit a zombie */
	bool pass_priv[RD_BRIDGE_WORDS];
	unsigned int n_pass;
};

/* --- thread; under the lock unless said otherwise --- */

static void order_remove(struct rd_bridge *b, uint8_t slot)
{
	uint8_t *p = memchr(b->order, slot, b->n);

	if (!p)
		return;
	b->n--;
	memmove(p, p + 1, (size_t)(&b->order[b->n] - p));
}

/* The thread is back: nothing is armed, zombies are dead. */
static void bury_zombies(struct rd_bridge *b)
{
	for (unsigned int i = b->n; i-- > 0;) {
		struct rd_slot *s = &b->slots[b->order[i]];

		s->armed = false;
		if (s->state != RD_SLOT_ZOMBIE)
			continue;
		s->state = RD_SLOT_FREE;
		order_remove(b, b->order[i]);
	}
}

static void round_make(struct rd_bridge *b, struct round *r)
{
	r->n = 1;
	r->vec[0] = (struct futex_waitv){
		.val = b->control, .uaddr = (uintptr_t)&b->control, .flags = FUTEX2_U32 | FUTEX2_PRIVATE_,
	};
	for (unsigned int i = 0; i < b->n; i++) {
		struct rd_slot *s = &b->slots[b->order[i]];

		if (s->state != RD_SLOT_LIVE)
			continue;
		s->armed = true;
		s->own = false;
		r->slot[r->n] = b->order[i];
		r->vec[r->n++] = (struct futex_waitv){ .val = s->val, .uaddr = (uintptr_t)s->word,
						      .flags = FUTEX2_U32 | (s->priv ? FUTEX2_PRIVATE_ : 0) };
	}
	b->asleep = true;
}

static void slot_fire(struct rd_slot *s, int res)
{
	s->state = RD_SLOT_FIRED;
	s->res = res;
}

/* The kernel told the k-th. */
static unsigned int round_hit(struct rd_bridge *b, struct round *r, unsigned int k)
{
	unsigned int fired = 0;

	for (unsigned int i = 1; i <= k; i++) {
		struct rd_slot *s = &b->slots[r->slot[i]];

		/* a zombie of another word may have been hit, too; one wake-up too many does no harm */
		if (s->state == RD_SLOT_ZOMBIE && !s->own) {
			r->pass_priv[r->n_pass] = s->priv;
			r->pass[r->n_pass++] = s->word;
		} else if (s->state == RD_SLOT_LIVE && !s->own && r->vec[i].uaddr == r->vec[k].uaddr &&
			   r->vec[i].flags == r->vec[k].flags) {
			slot_fire(s, 0);
			fired++;
		}
	}
	return fired;
}

/* Some word is not what it should be: which? Without the lock, since looking may take a page. */
static void round_compare(struct round *r)
{
	for (unsigned int i = 1; i < r->n; i++)
		r->differs[i] = rd_futex_compare((uint32_t *)(uintptr_t)r->vec[i].uaddr, (uint32_t)r->vec[i].val,
						 r->vec[i].flags & FUTEX2_PRIVATE_);
}

/* A word that differs has changed since it was queued, so whoever waits for it is woken. */
static unsigned int round_differs(struct rd_bridge *b, struct round *r)
{
	unsigned int fired = 0;

	for (unsigned int i = 1; i < r->n; i++) {
		struct rd_slot *s = &b->slots[r->slot[i]];

		if (s->state == RD_SLOT_LIVE && r->differs[i] < 0) {
			slot_fire(s, r->differs[i] == -EAGAIN ? 0 : -EFAULT);
			fired++;
		}
	}
	return fired;
}

/* One sleep, without the lock. What the kernel said is worked off; true: it made sense. */
static bool round_run(struct rd_bridge *b, struct round *r)
{
	long k = syscall(SYS_futex_waitv, r->vec, r->n, 0, NULL, 0);
	bool refused = k < 0 && errno != EINTR, notice = false;
	unsigned int fired = 0;

	/* unless it was only called */
	refused = refused && __atomic_load_n(&b->control, __ATOMIC_RELAXED) == (uint32_t)r->vec[0].val;
	if (refused)
		round_compare(r);
	r->n_pass = 0;
	pthread_mutex_lock(&b->lock);
	b->asleep = false;
	if (k > 0)
		fired = round_hit(b, r, (unsigned int)k);
	else if (refused)
		fired = round_differs(b, r);
	bury_zombies(b);
	if (fired && !b->returned)
		notice = b->returned = true;
	pthread_mutex_unlock(&b->lock);
	if (notice)
		rd_reactor_return(b->reactor, &b->work);
	for (unsigned int i = 0; i < r->n_pass; i++)
		syscall(SYS_futex, r->pass[i], r->pass_priv[i] ? FUTEX_WAKE_PRIVATE : FUTEX_WAKE, 1, NULL, NULL, 0);
	return !refused || fired;
}

static void *rd_bridge_main(void *arg)
{
	const struct timespec pause = { .tv_nsec = BRIDGE_PAUSE_NS };
	struct rd_bridge *b = arg;
	unsigned int tries = 0;
	struct round r;

	pthread_setname_np(pthread_self(), "ringd-futex");
	for (;;) {
		bool stop;

		pthread_mutex_lock(&b->lock);
		stop = b->stop;
		if (!stop)
			round_make(b, &r);
		pthread_mutex_unlock(&b->lock);
		if (stop)
			return NULL;
		/* a word that changes to and fro is refused by the kernel and found in order by us */
		tries = round_run(b, &r) ? 0 : tries + 1;
		if (tries >= BRIDGE_TRIES)
			nanosleep(&pause, NULL);
	}
}

/* --- reactor --- */

void rd_bridge_call(struct rd_bridge *b)
{
	if (!b->call)
		return;
	b->call = false;
	syscall(SYS_futex, &b->control, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Under the lock: the set is another one, the thread has to look again. */
static void bridge_changed(struct rd_bridge *b)
{
	__atomic_store_n(&b->control, b->control + 1, __ATOMIC_RELAXED);
	b->call |= b->asleep;
}

void rd_bridge_add(struct rd_bridge *b, struct rd_futex_wait *wait)
{
	uint8_t slot = 0;

	pthread_mutex_lock(&b->lock);
	while (b->slots[slot].state != RD_SLOT_FREE)
		slot++;
	b->slots[slot] = (struct rd_slot){ .word = wait->word, .val = wait->val, .priv = wait->priv, .state = RD_SLOT_LIVE,
					    .wait = wait };
	b->order[b->n++] = slot;
	bridge_changed(b);
	pthread_mutex_unlock(&b->lock);
	b->used++;
	wait->bridge = b;
	wait->slot = slot;
	rd_bridge_call(b);
}

bool rd_bridge_full(struct rd_bridge *b)
{
	bool full;

	pthread_mutex_lock(&b->lock);
	full = b->n == RD_BRIDGE_WORDS;
	pthread_mutex_unlock(&b->lock);
	return full;
}

/* Under the lock. True: the kernel has it for another moment. */
static bool slot_leave(struct rd_bridge *b, uint8_t slot)
{
	struct rd_slot *s = &b->slots[slot];

	s->wait = NULL;
	s->own = false;
	s->state = s->armed ? RD_SLOT_ZOMBIE : RD_SLOT_FREE;
	if (s->state == RD_SLOT_FREE)
		order_remove(b, slot);
	return s->armed;
}

bool rd_bridge_remove(struct rd_futex_wait *wait)
{
	struct rd_bridge *b = wait->bridge;
	bool fired;

	pthread_mutex_lock(&b->lock);
	fired = b->slots[wait->slot].state == RD_SLOT_FIRED;
	if (slot_leave(b, wait->slot))
		bridge_changed(b);
	pthread_mutex_unlock(&b->lock);
	b->used--;
	return fired;
}

bool rd_bridge_idle(struct rd_bridge *b)
{
	bool idle;

	pthread_mutex_lock(&b->lock);
	idle = !b->used && !b->returned;
	pthread_mutex_unlock(&b->lock);
	return idle;
}

unsigned int rd_bridge_ours(struct rd_bridge *b, const uint32_t *word, bool priv)
{
	unsigned int n = 0;

	pthread_mutex_lock(&b->lock);
	for (unsigned int i = 0; i < b->n; i++) {
		struct rd_slot *s = &b->slots[b->order[i]];

		if (s->word != word || s->priv != priv || !s->armed)
			continue;
		n++;
		/* another's wake-up may be overlooked by this: it has changed the word, and that is not overlooked */
		if (s->state == RD_SLOT_LIVE)
			s->own = true;
	}
	pthread_mutex_unlock(&b->lock);
	return n;
}

void rd_bridge_absolve(struct rd_bridge *b, const uint32_t *word, bool priv)
{
	pthread_mutex_lock(&b->lock);
	for (unsigned int i = 0; i < b->n; i++) {
		struct rd_slot *s = &b->slots[b->order[i]];

		if (s->state == RD_SLOT_ZOMBIE && s->word == word && s->priv == priv)
			s->own = true;
	}
	pthread_mutex_unlock(&b->lock);
}

/* The oldest that fired, taken out of its slot; NULL: no more, and the next one will be announced. */
static struct rd_futex_wait *take_fired(struct rd_bridge *b, int *res)
{
	struct rd_futex_wait *wait = NULL;

	pthread_mutex_lock(&b->lock);
	for (unsigned int i = 0; i < b->n && !wait; i++) {
		struct rd_slot *s = &b->slots[b->order[i]];

		if (s->state != RD_SLOT_FIRED)
			continue;
		wait = s->wait;
		*res = s->res;
		slot_leave(b, b->order[i]);
	}
	if (!wait)
		b->returned = false;
	pthread_mutex_unlock(&b->lock);
	return wait;
}

static void bridge_news(struct rd_work *work)
{
	struct rd_bridge *b = RD_CONTAINER_OF(work, struct rd_bridge, work);
	struct rd_futex_wait *wait;
	int res = 0;

	while ((wait = take_fired(b, &res))) {
		b->used--;
		b->fired(wait, res);
	}
}

static int bridge_start(struct rd_bridge *b)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, rd_stack_size(BRIDGE_STACK));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&b->thread, &attr, rd_bridge_main, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

int rd_bridge_new(struct rd_bridge **ret, struct rd_reactor *reactor, struct rd_user *user, bool first)
{
	struct rd_charge charge = { 0 };
	struct rd_bridge *b;
	int r = rd_charge_take(&charge, user, RINGD_LIMIT_WORKERS, 1);

	if (r < 0 && !first)
		return r;
	b = calloc(1, sizeof(*b));
	if (b) {
		b->reactor = reactor;
		b->charge = charge;
		b->work.done = bridge_news;
		rd_list_init(&b->link);
		pthread_mutex_init(&b->lock, NULL);
	}
	r = b ? bridge_start(b) : -ENOMEM;
	if (r < 0) {
		rd_charge_give(&charge);
		free(b);
		return r;
	}
	*ret = b;
	return 0;
}

void rd_bridge_stop(struct rd_bridge *b)
{
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	bridge_changed(b);
	pthread_mutex_unlock(&b->lock);
	rd_bridge_call(b);
}

bool rd_bridge_reap(struct rd_bridge *b, bool wait)
{
	if ((wait ? pthread_join(b->thread, NULL) : pthread_tryjoin_np(b->thread, NULL)) != 0)
		return false;
	rd_list_remove(&b->link);
	rd_charge_give(&b->charge);
	pthread_mutex_destroy(&b->lock);
	free(b);
	return true;
}
