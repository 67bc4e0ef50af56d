/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring and what is registered with it: one arena cut into chunks (registered buffers), two slots per job. The
 * ring has an entry for everything that can be in flight, so an SQE is always there.
 */
#include <string.h>
#include <time.h>

#include "proto/wire.h"
#include "ringcp.h"

#define BATCH 64u

static int fail(struct cp_pump *p, int r, const char *what)
{
	fprintf(stderr, "ringcp: %s: %s (%s)\n", what,
		p->ring ? ringd_ring_strerror(p->ring) : ringd_strerror(p->rd), strerror(-r));
	return r;
}

static unsigned int ring_entries(const struct cp_options *o)
{
	unsigned int need = 2 * (o->qd + o->files), n = 8;

	while (n < need)
		n *= 2;
	return n;
}

static int register_all(struct cp_pump *p, const struct cp_options *o)
{
	RD_FREE struct iovec *iov = calloc(p->n_chunks, sizeof(*iov));
	int r;

	if (!iov)
		return -ENOMEM;
	for (unsigned int i = 0; i < p->n_chunks; i++)
		iov[i] = (struct iovec){ p->chunks[i].buf, p->chunk_size };
	r = ringd_register_buffers(p->ring, iov, p->n_chunks);
	return r < 0 ? r : ringd_register_files_sparse(p->ring, 2 * o->files);
}

static int make_chunks(struct cp_pump *p, char *base)
{
	p->chunks = calloc(p->n_chunks, sizeof(*p->chunks));
	if (!p->chunks)
		return -ENOMEM;
	for (unsigned int i = 0; i < p->n_chunks; i++) {
		p->chunks[i].buf = base + (size_t)i * p->chunk_size;
		p->chunks[i].index = (int)i;
		rd_list_append(&p->free_chunks, &p->chunks[i].link);
	}
	return 0;
}

int cp_pump_init(struct cp_pump *p, const struct cp_options *o, struct statx **stx)
{
	size_t data = (size_t)o->qd * o->chunk;
	unsigned int flags = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? RINGD_SETUP_SQPOLL : 0;
	char *base;
	int r;

	*p = (struct cp_pump){ .chunk_size = o->chunk, .n_chunks = o->qd };
	rd_list_init(&p->free_chunks);
	rd_list_init(&p->waiting);
	r = ringd_connect(&p->rd, o->socket);
	if (r < 0)
		return fail(p, r, "cannot reach ringd");
	r = ringd_ring_new(p->rd, &p->ring, ring_entries(o), flags);
	if (r < 0)
		return fail(p, r, "cannot make a ring");
	r = ringd_arena_new(p->rd, &p->arena, data + o->files * sizeof(**stx), 0);
	if (r < 0)
		return fail(p, r, "cannot make an arena");
	base = ringd_arena_base(p->arena);
	*stx = (struct statx *)(base + data);
	r = make_chunks(p, base);
	if (r == 0)
		r = register_all(p, o);
	return r < 0 ? fail(p, r, "cannot register buffers and files") : 0;
}

void cp_pump_deinit(struct cp_pump *p)
{
	ringd_ring_free(p->ring);
	ringd_arena_free(p->arena);
	ringd_close(p->rd);
	free(p->chunks);
	*p = (struct cp_pump){ 0 };
}

struct ringd_sqe *cp_pump_sqe(struct cp_pump *p)
{
	struct ringd_sqe *sqe;

	/* the engine may not have taken what completed already: it is about to */
	while (!(sqe = ringd_get_sqe(p->ring)) && !p->error) {
		int r = ringd_submit(p->ring);

		if (r < 0 && r != -EAGAIN && r != -EINTR)
			p->error = r;
	}
	return sqe;
}

void cp_pump_arm(struct cp_pump *p, struct ringd_sqe *sqe, struct cp_op *op, void (*done)(struct cp_op *, int))
{
	op->done = done;
	ringd_sqe_set_data(sqe, op);
	p->in_flight++;
}

int cp_pump_turn(struct cp_pump *p, unsigned int timeout_ms)
{
	const struct timespec ts = { timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000 };
	struct ringd_cqe *cqes[BATCH], *cqe;
	struct cp_op *ops[BATCH];
	int res[BATCH], r;
	unsigned int n;

	r = p->error ? p->error : ringd_submit(p->ring);
	if (r >= 0 || r == -EAGAIN || r == -EINTR)
		r = ringd_wait_cqe_timeout(p->ring, &cqe, &ts);
	if (r == -ETIME || r == -EINTR)
		return 0;
	if (r < 0) {
		p->error = r;
		return r;
	}
	/* copies first, so that the CQ is free again before the completions start new requests */
	n = ringd_peek_batch_cqe(p->ring, cqes, BATCH);
	for (unsigned int i = 0; i < n; i++) {
		ops[i] = ringd_cqe_get_data(cqes[i]);
		res[i] = cqes[i]->res;
	}
	ringd_cq_advance(p->ring, n);
	p->in_flight -= n;
	for (unsigned int i = 0; i < n; i++)
		ops[i]->done(ops[i], res[i]);
	return p->error;
}

struct cp_chunk *cp_pump_chunk(struct cp_pump *p, struct cp_job *job)
{
	struct cp_chunk *c;

	if (rd_list_empty(&p->free_chunks)) {
		if (rd_list_empty(&job->link))
			rd_list_append(&p->waiting, &job->link);
		return NULL;
	}
	c = rd_list_first(&p->free_chunks, struct cp_chunk, link);
	rd_list_remove(&c->link);
	*c = (struct cp_chunk){ .buf = c->buf, .index = c->index, .job = job };
	rd_list_init(&c->link);
	job->chunks++;
	return c;
}

/* The job that waits longest gets it before its last user can ask again. */
void cp_pump_chunk_release(struct cp_pump *p, struct cp_chunk *c)
{
	c->job->chunks--;
	c->job = NULL;
	rd_list_append(&p->free_chunks, &c->link);
	if (!rd_list_empty(&p->waiting)) {
		struct cp_job *next = rd_list_first(&p->waiting, struct cp_job, link);

		rd_list_remove(&next->link);
		next->feed(next);
	}
}

void cp_read_src(struct cp_chunk *c, void (*done)(struct cp_op *, int))
{
	struct cp_pump *p = &c->job->cp->pump;
	struct ringd_sqe *sqe = cp_pump_sqe(p);

	if (!sqe)
		return;
	ringd_prep_read_fixed(sqe, cp_job_src_slot(c->job), c->buf + c->done, c->len - c->done,
			      (uint64_t)c->off + c->done, c->index);
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	cp_pump_arm(p, sqe, &c->op, done);
}
