/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The measured loop, compiled once per target so that both run the same source and neither pays for an indirect
 * call. Included by target-ringd.c and target-kernel.c after they defined, all static inline:
 *
 *   struct t_ctx              ring, buffers, file; made by t_open(), undone by t_close()
 *   T_SQE, T_CQE              the target's types; the members user_data and res are used
 *   T_SQE *t_get_sqe(t)       next free SQE or NULL; rings have 2 * qd entries (times the requests of a unit), at most
 *                             qd units are in flight
 *   unsigned t_space(t)       how many SQEs are free
 *   t_prep(t, sqe, op, slot, step, offset)   request number step of a unit; user_data is set for those of several
 *   t_event(t, slot), t_reset(t, slot)   for --op=poll-wait: make what is polled ready, and not ready again
 *   int t_submit(t)
 *   int t_submit_and_wait(t, nr)
 *   unsigned t_peek(t, cqes, max), t_advance(t, nr)
 *   int t_wait(t, nr)         sleep until nr CQEs are there
 *
 * A turn: fill as many SQEs as are free, submit them with one call, wait for o->batch completions, reap all that
 * are there. Plain rings wait in the submit call. SQPOLL rings look at the CQ in a pause loop (--wait=spin), or
 * sleep in the library's wait after one look (--wait=block).
 */

struct loop {
	struct t_ctx *t;
	const struct bench_opts *o;
	struct bench_shared *sh;
	struct bench_result *res;
	enum bench_phase seen;
	uint64_t t0, thread0, process0;
	uint64_t ops;			/* since t0 */
	uint64_t blocks;		/* of bs in the file */
	uint64_t rng, next;		/* offsets: random state, next sequential block */
	unsigned int n_free, in_flight;	/* units not in flight, CQEs to come */
	unsigned int nr;		/* requests of a unit */
	int32_t want[BENCH_UNIT_MAX];	/* what they answer */
	unsigned int n_waits;		/* of polls that wait for t_event() */
	uint32_t waits[BENCH_QD_MAX];
	uint8_t left[BENCH_QD_MAX];	/* of several: CQEs to come, per slot */
	uint32_t free[BENCH_QD_MAX];	/* slots to submit next */
	uint64_t start[BENCH_QD_MAX];	/* with latency: when the slot was submitted */
	T_CQE *cqes[BENCH_QD_MAX * BENCH_UNIT_MAX];
};

static inline uint64_t loop_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t loop_offset(struct loop *l)
{
	uint64_t block;

	if (l->o->pattern == BENCH_SEQ) {
		block = l->next++;
		if (l->next == l->blocks)
			l->next = 0;
	} else {
		/* xorshift, then scaled by a multiplication: no division in the loop. blocks < 2^32. */
		l->rng ^= l->rng << 13;
		l->rng ^= l->rng >> 7;
		l->rng ^= l->rng << 17;
		block = ((l->rng >> 32) * l->blocks) >> 32;
	}
	return block * l->o->bs;
}

/* The parent changed the phase. Return: false when the loop is over. */
static bool loop_phase(struct loop *l, enum bench_phase phase)
{
	uint64_t thread = loop_clock(CLOCK_THREAD_CPUTIME_ID), process = loop_clock(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t now = loop_clock(CLOCK_MONOTONIC);

	l->seen = phase;
	if (phase == BENCH_RUN) {
		l->t0 = now;
		l->thread0 = thread;
		l->process0 = process;
		l->ops = 0;
		return true;
	}
	l->res->ops = l->ops;
	l->res->ns = now - l->t0;
	l->res->thread_ns = thread - l->thread0;
	l->res->process_ns = process - l->process0;
	return false;
}

/* The requests of a unit behind the first one. */
static __attribute__((__noinline__)) void loop_fill_rest(struct loop *l, uint32_t slot)
{
	l->left[slot] = (uint8_t)l->nr;
	for (unsigned int step = 1; step < l->nr; step++) {
		T_SQE *sqe = t_get_sqe(l->t);	/* there is room */

		t_prep(l->t, sqe, l->o->op, slot, step, 0);
		sqe->user_data = (uint64_t)step << 32 | slot;
		l->in_flight++;
	}
}

static inline void loop_fill(struct loop *l, uint64_t now)
{
	const enum bench_op op = l->o->op;

	while (l->n_free) {
		if (RD_UNLIKELY(l->nr > 1) && t_space(l->t) < l->nr)
			break;
		uint32_t slot = l->free[l->n_free - 1];
		T_SQE *sqe = t_get_sqe(l->t);

		/* a poller may post a CQE before it gives the SQE back: the next turn takes what is left */
		if (RD_UNLIKELY(!sqe))
			break;
		t_prep(l->t, sqe, op, slot, 0, bench_op_transfers(op) ? loop_offset(l) : 0);
		sqe->user_data = slot;
		if (l->o->latency)
			l->start[slot] = now;
		l->n_free--;
		l->in_flight++;
		if (RD_UNLIKELY(l->nr > 1))
			loop_fill_rest(l, slot);
		if (RD_UNLIKELY(op == BENCH_POLL_WAIT))
			l->waits[l->n_waits++] = slot;
	}
}

/* What the polls wait for happens when they have been submitted. */
static __attribute__((__noinline__)) int loop_events(struct loop *l)
{
	int r = t_submit(l->t);

	while (l->n_waits)
		t_event(l->t, l->waits[--l->n_waits]);
	return r;
}

/* Return: CQEs in l->cqes, or -errno. */
static inline int loop_submit_and_wait(struct loop *l, bool spin)
{
	unsigned int want = l->o->batch * l->nr < l->in_flight ? l->o->batch * l->nr : l->in_flight, n;
	unsigned int max = l->o->qd * l->nr;
	int r;

	if (RD_UNLIKELY(l->n_waits)) {
		r = loop_events(l);
		if (r < 0)
			return r;
	}
	if (!l->o->sqpoll) {
		r = t_submit_and_wait(l->t, want);
		if (r < 0 && r != -EINTR)
			return r;
		return (int)t_peek(l->t, l->cqes, max);
	}
	r = t_submit(l->t);
	if (r < 0)
		return r;
	while ((n = t_peek(l->t, l->cqes, max)) < want) {
		if (spin) {
			rd_cpu_relax();
			if (__atomic_load_n(&l->sh->phase, __ATOMIC_RELAXED) == BENCH_STOP)
				break;
			continue;
		}
		r = t_wait(l->t, want);
		if (r < 0 && r != -EINTR)
			return r;
	}
	return (int)n;
}

static inline int loop_reap(struct loop *l, unsigned int n, uint64_t now)
{
	const int32_t want = l->want[0];
	unsigned int units = 0;

	for (unsigned int i = 0; i < n; i++) {
		const T_CQE *cqe = l->cqes[i];
		uint32_t slot = (uint32_t)cqe->user_data;

		if (RD_UNLIKELY(l->nr > 1)) {
			if (cqe->res != l->want[cqe->user_data >> 32])
				return cqe->res < 0 ? cqe->res : -EIO;
			if (--l->left[slot])
				continue;
		} else if (RD_UNLIKELY(cqe->res != want)) {
			return cqe->res < 0 ? cqe->res : -EIO;
		}
		if (RD_UNLIKELY(l->o->op == BENCH_POLL_WAIT))
			t_reset(l->t, slot);
		units++;
		l->free[l->n_free++] = slot;
		if (l->o->latency && l->seen == BENCH_RUN)
			bench_hist_add(l->res->hist, now - l->start[slot]);
	}
	t_advance(l->t, n);
	l->in_flight -= n;
	l->ops += units;
	return 0;
}

static int loop_run(struct loop *l)
{
	const bool latency = l->o->latency, spin = l->o->wait == BENCH_WAIT_SPIN;
	uint64_t now = 0;
	int n, r;

	for (unsigned int i = 0; i < l->o->qd; i++)
		l->free[i] = i;
	l->n_free = l->o->qd;
	if (latency)
		now = loop_clock(CLOCK_MONOTONIC);
	for (;;) {
		uint32_t phase = __atomic_load_n(&l->sh->phase, __ATOMIC_RELAXED);

		if (RD_UNLIKELY(phase != l->seen) && !loop_phase(l, phase))
			return 0;
		loop_fill(l, now);
		n = loop_submit_and_wait(l, spin);
		if (n < 0)
			return n;
		/* the end of one turn is the start of the next: one clock call per turn */
		if (latency)
			now = loop_clock(CLOCK_MONOTONIC);
		r = loop_reap(l, (unsigned int)n, now);
		if (r < 0)
			return r;
	}
}

/* Nothing may still write to the buffers when they go. */
static void loop_drain(struct loop *l)
{
	while (l->in_flight) {
		unsigned int n;

		if (t_wait(l->t, 1) < 0)
			return;
		n = t_peek(l->t, l->cqes, l->o->qd * l->nr);
		t_advance(l->t, n);
		l->in_flight -= RD_MIN(n, l->in_flight);
	}
}

static int loop_client(const struct bench_opts *o, struct bench_shared *sh, struct bench_result *res, int ready_fd)
{
	RD_FREE struct loop *l = calloc(1, sizeof(*l));
	struct t_ctx t = { 0 };
	int r;

	if (!l)
		return -ENOMEM;
	r = t_open(&t, o, res);
	if (r == 0) {
		l->t = &t;
		l->o = o;
		l->sh = sh;
		l->res = res;
		l->seen = BENCH_WARMUP;
		l->blocks = bench_op_transfers(o->op) ? o->file_size / o->bs : 1;
		l->nr = bench_units[o->op].nr;
		memcpy(l->want, bench_units[o->op].res, sizeof(l->want));
		if (bench_op_transfers(o->op))
			l->want[0] = (int32_t)o->bs;
		l->rng = 0x9e3779b97f4a7c15u * (uint64_t)(getpid() | 1);
		if (write(ready_fd, "r", 1) != 1)
			r = -EIO;
		if (r == 0)
			r = loop_run(l);
		if (r == 0)
			loop_drain(l);
		else
			fprintf(stderr, "ringbench: %s: %s\n", bench_target_name(o->target), strerror(-r));
	}
	t_close(&t);
	return r;
}
