/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random requests of all kinds, and a model that knows what must come back: each accepted SQE has exactly its CQEs, with a
 * result its operation can have, members of a chain in their order, a soft break cancels the rest and nothing else does,
 * nothing passes a drain. The model is proven on the kernel by the same program.
 *
 * CF_OPERATIONS: how many (default 60000). CF_SEED: where the numbers start.
 */
#include "cf.h"

#include <sys/eventfd.h>

#include "daemon/common/util.h"

#define PER_RING	20000u		/* operations on one ring, then another of another kind */
#define ROOM		(PER_RING + 256u)
#define MAX_CHAIN	6u
#define OUTSTANDING	192u		/* more: end some before going on */
#define SQ		64u
#define BUFFERS		32u		/* provided; a power of two */
#define GROUP		3
#define MESSAGES	(1ull << 32)	/* user_data of messages: this and the number of the request that sent it */

#define LINK	RINGD_SQE_IO_LINK
#define HARD	RINGD_SQE_IO_HARDLINK
#define SKIP	RINGD_SQE_CQE_SKIP_SUCCESS
#define DRAIN	RINGD_SQE_IO_DRAIN

enum kind {
	NOP, INJECT, FILE_READ, FILE_WRITE, PIPE_READ, PIPE_WRITE, EVENT_READ, EVENT_WRITE, POLL, POLL_MULTI, TIMEOUT,
	TIMEOUT_COUNT, TIMEOUT_MULTI, TIMEOUT_REMOVE, TIMEOUT_UPDATE, POLL_REMOVE, CANCEL, CANCEL_ALL, OPEN, CLOSE, FSYNC,
	TRUNCATE, SELECT_READ, FUTEX_WAIT, FUTEX_WAKE, MESSAGE, INVALID, LINK_TIMEOUT, N_KINDS
};

static const char *const kind_names[N_KINDS] = {
	"NOP", "INJECT", "FILE_READ", "FILE_WRITE", "PIPE_READ", "PIPE_WRITE", "EVENT_READ", "EVENT_WRITE", "POLL", "POLL_MULTI",
	"TIMEOUT", "TIMEOUT_COUNT", "TIMEOUT_MULTI", "TIMEOUT_REMOVE", "TIMEOUT_UPDATE", "POLL_REMOVE", "CANCEL", "CANCEL_ALL",
	"OPEN", "CLOSE", "FSYNC", "TRUNCATE", "SELECT_READ", "FUTEX_WAIT", "FUTEX_WAKE", "MESSAGE", "INVALID", "LINK_TIMEOUT",
};

/* In the order in which they are prepared; user_data is the index. */
struct rec {
	uint8_t kind, flags;
	bool done, dead;		/* dead: of a chain with an invalid member */
	bool etime_success;
	bool message;			/* what it sent has come */
	int32_t res, want;		/* want: bytes, injected value */
	uint32_t first, last;		/* its chain */
	uint32_t after;			/* all before this index are finished before its CQE comes */
};

static struct rec *recs;
static uint32_t n_recs, n_done, low;	/* low: the first that is not finished */
static uint32_t drained_until;		/* what is prepared now waits for all before this index */
static struct cf_ring *ring;
static int fifo[2], event, file;
static char *data;
static bool skips, drains;
static struct ringd_buf *bufs;	/* the ring of the group */
static bool provided[BUFFERS];
static uint16_t bufs_tail;
static uint32_t *word;		/* of futexes; never changes */
static uint64_t state, seed;

/* xorshift64*: the same numbers everywhere */
static uint32_t rnd(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 2685821657736338717ull) >> 33) % n;
}

/* The chain of the request that is wrong, before the words why */
static void show(const struct rec *r)
{
	printf("# seed %#llx, ring flags %#x: request %u of\n", (unsigned long long)seed, ring->p.flags, (unsigned int)(r - recs));
	for (uint32_t i = r->first; i <= r->last; i++)
		printf("#   %u %s flags %#x res %d%s, wants %d, after %u\n", i, kind_names[recs[i].kind], recs[i].flags, recs[i].res,
		       recs[i].done ? "" : " (open)", recs[i].want, recs[i].after);
}

#define WRONG(r, ...)			\
	do {				\
		show(r);		\
		ck_abort_msg(__VA_ARGS__); \
	} while (0)

/* --- preparing --- */

static uint64_t some_time(void)
{
	return rnd(8) ? rnd(400) * 1000ull : 1000000000000ull;
}

static struct ringd_sqe *get(struct rec *r, unsigned int op)
{
	return cf_sqe_ud(ring, op, (uint64_t)(r - recs), r->flags);
}

static void transfer(struct rec *r, unsigned int op, int slot, unsigned int len, uint64_t off)
{
	struct ringd_sqe *sqe = get(r, op);

	sqe->flags |= RINGD_SQE_FIXED_FILE;
	sqe->fd = slot;
	sqe->addr = cf_addr(op == RINGD_OP_READ ? data + 2048 : data);
	sqe->len = len;
	sqe->off = off;
	r->want = (int32_t)len;
	if (rnd(8) == 0)
		sqe->flags |= RINGD_SQE_ASYNC;
}

/* Times are given by value: memory would be needed for as long as the operation lasts in the SQ. */
static struct ringd_sqe *timed(struct rec *r, unsigned int op, uint64_t ns, unsigned int flags)
{
	static struct ringd_timespec *ts;
	static uint32_t next;
	struct ringd_sqe *sqe = get(r, op);

	if (!next)
		ts = cf_alloc(4 * SQ * sizeof(*ts), 0);
	ts[next % (4 * SQ)] = (struct ringd_timespec){ (int64_t)(ns / 1000000000u), (int64_t)(ns % 1000000000u) };
	if (op == RINGD_OP_TIMEOUT_REMOVE) {
		sqe->off = cf_addr(&ts[next % (4 * SQ)]);
	} else {
		sqe->addr = cf_addr(&ts[next % (4 * SQ)]);
		sqe->len = 1;
	}
	next++;
	sqe->timeout_flags = flags;
	return sqe;
}

/* One of the last requests, or of those that come */
static uint64_t some_target(void)
{
	uint32_t back = 1 + rnd(64);

	return n_recs > back ? n_recs - back : n_recs;
}

static void prep_poll(struct rec *r, unsigned int len)
{
	struct ringd_sqe *sqe = get(r, RINGD_OP_POLL_ADD);

	sqe->flags |= RINGD_SQE_FIXED_FILE;
	sqe->fd = rnd(2) ? 1 : 3;
	sqe->poll32_events = POLLIN;
	sqe->len = len;
}

static void prep_cancel(struct rec *r)
{
	static const unsigned int forms[] = { RINGD_ASYNC_CANCEL_ALL, RINGD_ASYNC_CANCEL_ALL | RINGD_ASYNC_CANCEL_OP,
					      RINGD_ASYNC_CANCEL_ALL | RINGD_ASYNC_CANCEL_FD | RINGD_ASYNC_CANCEL_FD_FIXED,
					      RINGD_ASYNC_CANCEL_ANY };
	static const unsigned int ops[] = { RINGD_OP_READ, RINGD_OP_POLL_ADD, RINGD_OP_TIMEOUT };
	struct ringd_sqe *sqe = get(r, RINGD_OP_ASYNC_CANCEL);

	sqe->addr = some_target();
	if (r->kind == CANCEL)
		return;
	sqe->cancel_flags = forms[rnd(RD_ARRAY_SIZE(forms))];
	if (sqe->cancel_flags & RINGD_ASYNC_CANCEL_OP)
		sqe->len = ops[rnd(RD_ARRAY_SIZE(ops))];
	if (sqe->cancel_flags & RINGD_ASYNC_CANCEL_FD)
		sqe->fd = rnd(2) ? 1 : 3;
}

static void prep_open(struct rec *r)
{
	static char *path;
	struct ringd_sqe *sqe = get(r, RINGD_OP_OPENAT);

	if (!path)
		path = cf_path("f");
	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(path);
	sqe->file_index = RINGD_FILE_INDEX_ALLOC;
}

static void prep_slot(struct rec *r, unsigned int op, int slot)
{
	struct ringd_sqe *sqe = get(r, op);

	if (op == RINGD_OP_CLOSE) {
		sqe->fd = 0;
		sqe->file_index = (uint32_t)slot + 1;
		return;
	}
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	sqe->fd = slot;
	if (op == RINGD_OP_FTRUNCATE)
		sqe->off = 4096;
}

/* A read into a provided buffer. A silent one would not tell which it took. */
static void prep_select(struct rec *r)
{
	struct ringd_sqe *sqe;

	r->flags &= (uint8_t)~SKIP;
	r->want = 1;
	sqe = get(r, RINGD_OP_READ);
	sqe->flags |= RINGD_SQE_FIXED_FILE | RINGD_SQE_BUFFER_SELECT;
	sqe->fd = 1;
	sqe->len = 1;
	sqe->off = UINT64_MAX;
	sqe->buf_group = GROUP;
}

static void prep_futex(struct rec *r)
{
	struct ringd_sqe *sqe = get(r, r->kind == FUTEX_WAIT ? RINGD_OP_FUTEX_WAIT : RINGD_OP_FUTEX_WAKE);

	sqe->addr = cf_addr(word);
	sqe->fd = 2;			/* FUTEX2_SIZE_U32 */
	sqe->addr3 = UINT32_MAX;
	sqe->off = r->kind == FUTEX_WAIT ? 0 : rnd(4);
}

static void prep_message(struct rec *r)
{
	struct ringd_sqe *sqe = get(r, RINGD_OP_MSG_RING);

	sqe->fd = ring->fd;
	sqe->off = MESSAGES | (uint64_t)(r - recs);
	sqe->len = 5;
}

static void prep(struct rec *r)
{
	struct ringd_sqe *sqe;

	switch ((enum kind)r->kind) {
	case NOP:
		get(r, RINGD_OP_NOP);
		break;
	case INJECT:
		sqe = get(r, RINGD_OP_NOP);
		sqe->nop_flags = RINGD_NOP_INJECT_RESULT;
		r->want = rnd(2) ? -EIO : 7;
		sqe->len = (uint32_t)r->want;
		break;
	case FILE_READ:
		transfer(r, RINGD_OP_READ, 0, 1 + rnd(64), rnd(4200));
		break;
	case FILE_WRITE:
		transfer(r, RINGD_OP_WRITE, 0, 1 + rnd(64), rnd(4000));
		break;
	case PIPE_READ:
		transfer(r, RINGD_OP_READ, 1, 1, UINT64_MAX);
		break;
	case PIPE_WRITE:
		transfer(r, RINGD_OP_WRITE, 2, 1, UINT64_MAX);
		break;
	case EVENT_READ:
		transfer(r, RINGD_OP_READ, 3, 8, UINT64_MAX);
		break;
	case EVENT_WRITE:
		transfer(r, RINGD_OP_WRITE, 3, 8, UINT64_MAX);
		break;
	case POLL:
		prep_poll(r, 0);
		break;
	case POLL_MULTI:
		prep_poll(r, RINGD_POLL_ADD_MULTI);
		break;
	case TIMEOUT:
		r->etime_success = rnd(3) == 0;
		timed(r, RINGD_OP_TIMEOUT, some_time(), r->etime_success ? RINGD_TIMEOUT_ETIME_SUCCESS : 0);
		break;
	case TIMEOUT_COUNT:
		timed(r, RINGD_OP_TIMEOUT, some_time(), 0)->off = 1 + rnd(4);
		break;
	case TIMEOUT_MULTI:
		timed(r, RINGD_OP_TIMEOUT, 1000 + some_time(), RINGD_TIMEOUT_MULTISHOT)->off = 1 + rnd(4);
		break;
	case TIMEOUT_REMOVE:
		get(r, RINGD_OP_TIMEOUT_REMOVE)->addr = some_target();
		break;
	case TIMEOUT_UPDATE:
		timed(r, RINGD_OP_TIMEOUT_REMOVE, some_time(), RINGD_TIMEOUT_UPDATE)->addr = some_target();
		break;
	case POLL_REMOVE:
		get(r, RINGD_OP_POLL_REMOVE)->addr = some_target();
		break;
	case CANCEL:
	case CANCEL_ALL:
		prep_cancel(r);
		break;
	case OPEN:
		prep_open(r);
		break;
	case CLOSE:
		prep_slot(r, RINGD_OP_CLOSE, 8 + (int)rnd(8));
		break;
	case FSYNC:
		prep_slot(r, RINGD_OP_FSYNC, 0);
		break;
	case TRUNCATE:
		prep_slot(r, RINGD_OP_FTRUNCATE, rnd(2) ? 0 : 1);	/* of a pipe: -EINVAL, which breaks no chain */
		break;
	case SELECT_READ:
		prep_select(r);
		break;
	case FUTEX_WAIT:
	case FUTEX_WAKE:
		prep_futex(r);
		break;
	case MESSAGE:
		prep_message(r);
		break;
	case INVALID:
		if (rnd(2))
			get(r, 200);
		else
			get(r, RINGD_OP_NOP)->ioprio = 1;
		break;
	case LINK_TIMEOUT:
		timed(r, RINGD_OP_LINK_TIMEOUT, some_time(), 0);
		break;
	case N_KINDS:
		break;
	}
}

static enum kind some_kind(bool in_chain)
{
	static const uint8_t often[] = { NOP, FILE_READ, FILE_WRITE, PIPE_READ, PIPE_WRITE, EVENT_READ, EVENT_WRITE, POLL, TIMEOUT };
	uint8_t k = rnd(3) ? often[rnd(RD_ARRAY_SIZE(often))] : (uint8_t)rnd(LINK_TIMEOUT);

	if (k == INVALID && rnd(8))
		k = INJECT;
	if (k == CANCEL_ALL && rnd(4))
		k = CANCEL;
	return in_chain && (k == POLL_MULTI || k == TIMEOUT_MULTI) ? NOP : (enum kind)k;
}

static bool waits(enum kind k)
{
	return k == PIPE_READ || k == EVENT_READ || k == POLL || k == TIMEOUT || k == PIPE_WRITE || k == SELECT_READ || k == FUTEX_WAIT;
}

/* One chain of up to len members, each perhaps with a linked timeout; a single request is one of length 1. */
static void prep_chain(unsigned int len)
{
	uint32_t first = n_recs;
	bool dead = false, drain = false;

	while (len) {
		struct rec *r = &recs[n_recs];

		*r = (struct rec){ .kind = some_kind(len > 1 || n_recs > first), .first = first };
		if (n_recs > first && recs[n_recs - 1].kind != LINK_TIMEOUT && waits(recs[n_recs - 1].kind) && rnd(2))
			r->kind = LINK_TIMEOUT;
		len--;
		if (len)
			r->flags = rnd(3) ? LINK : HARD;
		if (skips && r->kind != POLL_MULTI && rnd(3) == 0)
			r->flags |= SKIP;
		if (drains && rnd(40) == 0 && r->kind != INVALID)
			r->flags |= DRAIN;
		drain |= r->flags & DRAIN;
		dead |= r->kind == INVALID;
		n_recs++;
		prep(r);
	}
	for (uint32_t i = first; i < n_recs; i++) {
		recs[i].last = n_recs - 1;
		recs[i].dead = dead;
		recs[i].after = dead ? 0 : drain ? first : drained_until;
		if (recs[i].flags & SKIP)
			n_done++;	/* may come or not */
	}
	if (drain && !dead)
		drained_until = n_recs;
}

/* --- the model --- */

/* Does this result end what is softly linked behind it? */
static bool failed(const struct rec *r)
{
	switch ((enum kind)r->kind) {
	case FILE_READ:
	case FILE_WRITE:
	case PIPE_READ:
	case PIPE_WRITE:
	case EVENT_READ:
	case EVENT_WRITE:
	case SELECT_READ:
		return r->res != r->want;
	case TIMEOUT:
		return r->res < 0 && !(r->etime_success && r->res == -ETIME);
	case FSYNC:
	case TRUNCATE:
		return r->res == -ECANCELED;
	case FUTEX_WAIT:
		/* the kernel breaks no chain when it cancels one that waits, only when one is on its way; a silent one tells */
		return r->res < 0 && (cf_on(CF_ENGINE) || (r->flags & SKIP));
	default:
		return r->res < 0;
	}
}

/* Can the operation itself, when it runs, end with this result? */
static bool possible(const struct rec *r, int32_t res)
{
	switch ((enum kind)r->kind) {
	case NOP:
		return res == 0;
	case INJECT:
		return res == r->want;
	case FILE_READ:
	case FILE_WRITE:
		return (res >= 0 && res <= r->want) || res == -EINTR || res == -ECANCELED;
	case PIPE_READ:
	case PIPE_WRITE:
	case EVENT_READ:
	case EVENT_WRITE:
		return res == r->want || res == -EINTR || res == -ECANCELED;
	case POLL:
	case POLL_MULTI:
		return (res > 0 && !(res & ~(POLLIN | POLLRDNORM))) || res == -ECANCELED;
	case TIMEOUT:
	case TIMEOUT_MULTI:
		return res == -ETIME || res == -ECANCELED;
	case TIMEOUT_COUNT:
		return res == 0 || res == -ETIME || res == -ECANCELED;
	case TIMEOUT_REMOVE:
	case TIMEOUT_UPDATE:
	case POLL_REMOVE:
	case CANCEL:
		return res == 0 || res == -ENOENT || res == -EALREADY || (r->kind == CANCEL && res == 1);	/* 1: a futex */
	case CANCEL_ALL:
	case FUTEX_WAKE:
		return res >= 0;
	case SELECT_READ:
		return res == 1 || res == -ENOBUFS || res == -ECANCELED || res == -EINTR;
	case FUTEX_WAIT:
		return res == 0 || res == -ECANCELED;
	case MESSAGE:
		return res == 0;
	case OPEN:
		return (res >= 8 && res < 16) || res == -ENFILE || res == -ECANCELED || res == -EINTR;
	case CLOSE:
		return res == 0 || res == -EBADF || res == -ECANCELED;
	case FSYNC:
		return res == 0 || res == -ECANCELED || res == -EINTR;
	case TRUNCATE:
		return res == 0 || res == -EINVAL || res == -ECANCELED || res == -EINTR;
	case INVALID:
		return res == -EINVAL;
	case LINK_TIMEOUT:
		/* 1: it has ended the wait for a futex */
		return res == -ETIME || res == -ECANCELED || res == -EALREADY || res == -ENOENT || res == 1;
	case N_KINDS:
		break;
	}
	return false;
}

/* The member in front that decides about r; NULL for the head and for linked timeouts */
static const struct rec *predecessor(const struct rec *r)
{
	const struct rec *p = r;

	if (r->kind == LINK_TIMEOUT)
		return NULL;
	while (p > &recs[r->first]) {
		p--;
		if (p->kind != LINK_TIMEOUT)
			return p;
	}
	return NULL;
}

/* Something in front of r in its chain that broke it */
static bool broken(const struct rec *r)
{
	for (const struct rec *p = predecessor(r); p; p = predecessor(p)) {
		if (p->done && failed(p) && !(p->flags & HARD))
			return true;
	}
	return false;
}

static void check_chain(const struct rec *r)
{
	const struct rec *p = predecessor(r);

	if (p && !p->done && !(p->flags & SKIP))
		WRONG(r, "result %d came before that of its predecessor", r->res);
	if (p && broken(r)) {
		if (r->res != -ECANCELED)
			WRONG(r, "result %d behind a member that failed with %d", r->res, p->res);
		return;
	}
	if (r->res == -ECANCELED && r->kind == LINK_TIMEOUT)
		return;
	/* the kernel starts what waited on a worker, where a cancel finds it */
	if (cf_on(CF_KERNEL) && r->res == -ECANCELED && (p || r->after))
		return;
	if (!possible(r, r->res))
		WRONG(r, "result %d, predecessor %d", r->res, p ? p->res : 0);
}

static void check_dead(const struct rec *r)
{
	const struct rec *head = &recs[r->first];
	int32_t want = r->kind == INVALID ? -EINVAL : -ECANCELED;

	/* only the first invalid member is told; those behind it were not looked at, or were, and then tell it too */
	if (r->res == want || (r->kind == INVALID && r->res == -ECANCELED && r != head))
		return;
	WRONG(r, "result %d in a chain with an invalid member", r->res);
}

/* A silent member that fails stands for all that is cancelled with it, but for its own timeout. */
static void silence(struct rec *r)
{
	for (uint32_t i = (uint32_t)(r - recs) + 1; i <= r->last; i++) {
		if (recs[i].done || (recs[i].kind == LINK_TIMEOUT && &recs[i] == r + 1))
			continue;
		recs[i].done = true;
		recs[i].res = -ECANCELED;
		if (!(recs[i].flags & SKIP))
			n_done++;
	}
}

static void final(struct rec *r, const struct cf_cqe *cqe)
{
	if (r->done)
		WRONG(r, "a second final CQE: %d, %#x", cqe->res, cqe->flags);
	r->done = true;
	r->res = cqe->res;
	if (!(r->flags & SKIP))
		n_done++;
	else if (!failed(r) && !r->dead && (r->kind != FUTEX_WAIT || !r->res))
		WRONG(r, "a success that should be silent: %d", r->res);
	while (low < n_recs && (recs[low].done || (recs[low].flags & SKIP)))
		low++;
	if (drains && low < r->after && (uint32_t)(r - recs) >= r->after)
		WRONG(r, "came while request %u in front of its drain is not finished", low);
	if (r->dead)
		check_dead(r);
	else
		check_chain(r);
	/* the kernel lets a silent head stand for a dead chain too; here all of it is told */
	if (!(r->flags & SKIP) || (r->dead ? cf_on(CF_ENGINE) || &recs[r->first] != r : !failed(r) || (r->flags & HARD) || broken(r)))
		return;
	if (r->kind != LINK_TIMEOUT)
		silence(r);
}

static void provide(uint16_t bid)
{
	struct ringd_buf *b = &bufs[bufs_tail & (BUFFERS - 1)];

	b->addr = cf_addr(data + 3072 + bid);
	b->len = 1;
	b->bid = bid;
	provided[bid] = true;
	__atomic_store_n(&bufs[0].resv, ++bufs_tail, __ATOMIC_RELEASE);
}

/* A buffer that came belongs to us until it is provided again, and to no other CQE. */
static void take_buffer(const struct rec *r, const struct cf_cqe *cqe)
{
	uint16_t bid = (uint16_t)(cqe->flags >> RINGD_CQE_BUFFER_SHIFT);

	if (!(cqe->flags & RINGD_CQE_F_BUFFER)) {
		if (r->kind == SELECT_READ && cqe->res > 0)
			WRONG(r, "read %d into no buffer", cqe->res);
		return;
	}
	if (r->kind != SELECT_READ)	/* an interrupted read may have used one up too */
		WRONG(r, "result %d with a buffer", cqe->res);
	if (bid >= BUFFERS || !provided[bid])
		WRONG(r, "buffer %u, which was not provided", bid);
	provided[bid] = false;
}

/* Not at once: one that came twice would not be noticed. */
static void give_back(void)
{
	for (uint16_t i = 0; i < BUFFERS; i++) {
		if (!provided[i])
			provide(i);
	}
}

static void take_message(const struct cf_cqe *cqe)
{
	uint64_t i = cqe->user_data & ~MESSAGES;

	ck_assert_msg(i < n_recs && recs[i].kind == MESSAGE && cqe->res == 5 && !cqe->flags, "message of nobody: %llu, %d, %#x",
		      (unsigned long long)i, cqe->res, cqe->flags);
	if (recs[i].message || (recs[i].done && recs[i].res))
		WRONG(&recs[i], "its message came twice, or in spite of %d", recs[i].res);
	recs[i].message = true;
}

static void take(const struct cf_cqe *cqe)
{
	struct rec *r;

	if (cqe->user_data & MESSAGES) {
		take_message(cqe);
		return;
	}
	ck_assert_msg(cqe->user_data < n_recs, "CQE of nobody: %llu, %d, %#x (seed %#llx)", (unsigned long long)cqe->user_data,
		      cqe->res, cqe->flags, (unsigned long long)seed);
	r = &recs[cqe->user_data];
	take_buffer(r, cqe);
	if (!(cqe->flags & RINGD_CQE_F_MORE)) {
		final(r, cqe);
		return;
	}
	if (r->done || (r->kind != POLL_MULTI && r->kind != TIMEOUT_MULTI))
		WRONG(r, "F_MORE of a request that has ended or is none of many: %d", cqe->res);
	if (!possible(r, cqe->res) || cqe->res == -ECANCELED)
		WRONG(r, "result %d with F_MORE", cqe->res);
}

static bool reap(void)
{
	struct cf_cqe cqe;
	bool some = false;

	while (cf_peek(ring, &cqe)) {
		take(&cqe);
		some = true;
	}
	return some;
}

/* --- running --- */

static void sync_cancel_all(void)
{
	struct ringd_sync_cancel_reg reg = { .fd = -1, .flags = RINGD_ASYNC_CANCEL_ANY, .timeout = { 0, 1000000 } };
	int r = cf_register(ring, RINGD_REGISTER_SYNC_CANCEL, &reg, 1);

	ck_assert_msg(r >= 0 || r == -ETIME || r == -ENOENT, "SYNC_CANCEL: %d", r);
}

/* End what waits until no more than n are outstanding. */
static void relieve(uint32_t n)
{
	uint64_t start = cf_now_ns(), one = 1;
	struct cf_cqe cqe;

	while (reap(), n_recs - n_done > n) {
		if (cf_now_ns() - start > CF_PATIENCE_MS * 1000000ull)
			WRONG(&recs[low], "does not end; %u of %u have", n_done, n_recs);
		if (rnd(2))
			sync_cancel_all();
		if (!cf_fd_ready(fifo[0], POLLIN))
			ck_assert_int_eq(write(fifo[1], "x", 1), 1);
		if (!cf_fd_ready(event, POLLIN))
			ck_assert_int_eq(write(event, &one, 8), 8);
		if (cf_wait_cqe_for(ring, &cqe, 1))
			take(&cqe);
	}
}

static void submit(void)
{
	unsigned int n = cf_sq_pending(ring);
	int r = cf_submit(ring);

	ck_assert_msg(r == (int)n || (ring->p.flags & RINGD_SETUP_SQPOLL), "submit of %u: %d (seed %#llx)", n, r, (unsigned long long)seed);
}

/* Let the poll thread take it all; a chain must not be seen in halves, so only whole rounds are published. */
static void settle_sq(void)
{
	uint64_t start = cf_now_ns();

	while (cf_sq_pending(ring)) {
		if (cf_sq_flags(ring) & RINGD_SQ_NEED_WAKEUP)
			cf_enter(ring, 0, 0, RINGD_ENTER_SQ_WAKEUP, NULL, 0);
		reap();
		if (cf_now_ns() - start > 1000000)
			poll(NULL, 0, 1);
		ck_assert_uint_lt(cf_now_ns() - start, CF_PATIENCE_MS * 1000000ull);
	}
}

static void open_ring(unsigned int which)
{
	static const unsigned int flags[] = { 0, RINGD_SETUP_SQPOLL, RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN,
					      RINGD_SETUP_COOP_TASKRUN };
	struct ringd_params p = { .flags = flags[which % 4] | RINGD_SETUP_SUBMIT_ALL };
	struct ringd_file_index_range range = { .off = 8, .len = 8 };
	struct ringd_buf_reg group = { .ring_addr = cf_addr(bufs), .ring_entries = BUFFERS, .bgid = GROUP };

	if (which & 4) {
		p.flags |= RINGD_SETUP_CQSIZE;
		p.cq_entries = SQ;	/* overflows */
	}
	skips = which % 3 == 1;
	drains = which % 3 == 2;
	ring = cf_ring_new_params(SQ, p);
	cf_files(ring, 16);
	cf_file(ring, 0, file);
	cf_file(ring, 1, fifo[0]);
	cf_file(ring, 2, fifo[1]);
	cf_file(ring, 3, event);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILE_ALLOC_RANGE, &range, 0), 0);
	bufs_tail = 0;
	memset(bufs, 0, BUFFERS * sizeof(*bufs));
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PBUF_RING, &group, 1), 0);
	for (uint16_t i = 0; i < BUFFERS; i++)
		provide(i);
	n_recs = n_done = low = drained_until = 0;
}

static void one_ring(unsigned int which, uint32_t operations)
{
	struct cf_cqe cqe;

	open_ring(which);
	while (n_recs < operations) {
		unsigned int room = 1 + rnd(SQ);

		while (room && n_recs < operations) {
			unsigned int len = rnd(3) ? 1 : 1 + rnd(MAX_CHAIN);

			len = RD_MIN(len, room);
			prep_chain(len);
			room -= len;
		}
		submit();
		settle_sq();
		if (rnd(2))
			reap();
		if (cf_sq_flags(ring) & RINGD_SQ_CQ_OVERFLOW)
			cf_enter(ring, 0, 0, RINGD_ENTER_GETEVENTS, NULL, 0);
		if (rnd(4) == 0)
			give_back();
		if (n_recs - n_done > OUTSTANDING)
			relieve(rnd(OUTSTANDING));
	}
	relieve(0);
	recs[n_recs] = (struct rec){ .kind = NOP, .first = n_recs, .last = n_recs };
	n_recs++;
	get(&recs[n_recs - 1], RINGD_OP_NOP);
	submit();
	settle_sq();
	while (n_done < n_recs) {
		cf_wait_cqe(ring, &cqe);
		take(&cqe);
	}
	for (uint32_t i = 0; i < n_recs; i++) {
		while (recs[i].kind == MESSAGE && recs[i].done && !recs[i].res && !recs[i].message) {
			cf_wait_cqe(ring, &cqe);
			take(&cqe);
		}
	}
	cf_ring_free(ring);
}

CF_TEST(random_requests_have_exactly_their_completions, 0, "Random requests of all kinds: each accepted SQE has exactly its CQEs")
{
	const char *n = getenv("CF_OPERATIONS"), *s = getenv("CF_SEED");
	uint64_t left = n ? strtoull(n, NULL, 0) : 60000;

	cf_need_op(RINGD_OP_FUTEX_WAIT);
	state = seed = s ? strtoull(s, NULL, 0) : 0x5eed5eed5eedull;
	recs = calloc(ROOM, sizeof(*recs));
	ck_assert_ptr_nonnull(recs);
	file = cf_make_file("f", 4096, O_RDWR);
	cf_pipe(fifo);
	event = eventfd(0, EFD_CLOEXEC);
	data = cf_alloc(4096, 0);
	bufs = cf_alloc(4096, 4096);
	word = cf_alloc(4, 0);
	memset(data, 0, 4096);
	data[0] = 1;	/* what is written to the eventfd */
	for (unsigned int which = 0; left; which++) {
		uint32_t part = (uint32_t)RD_MIN(left, (uint64_t)PER_RING);

		one_ring(which, RD_MAX(RD_MIN(part, PER_RING), 1u));
		left -= part;
	}
	free(recs);
}
