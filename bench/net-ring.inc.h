/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server on a ring, compiled once per target, so that both run the same source. An SQE has the same fields in both; so they
 * are filled here. Included by net-ringd.c and net-kernel.c after they defined:
 *
 *   struct n_ctx              ring, buffers, listener; made by n_open(), undone by n_close()
 *   N_SQE, N_CQE, N_BUF_RING  the target's types
 *   N_SQE *n_get_sqe(t), unsigned n_space(t)
 *   int n_room(t)             submit, so that SQEs become free
 *   int n_submit_and_wait(t)  sleep until a CQE is there
 *   unsigned n_peek(t, cqes, max), n_advance(t, nr)
 *   N_BUF_RING *n_group(t, bgid, entries), n_provide(br, addr, len, bid, mask, offset), n_provided(br, nr)
 *   n_open(t, o, net, slots, memory)   slots: of the file table; the listener is in slot 0. memory: bytes at t->memory
 *
 * accept:  one multishot request, into free slots of the file table
 * echo:    one multishot receive per connection, buffers from one ring of them; one send at a time per connection, of the
 *          buffer that was filled, so that the order is kept
 * connect: a receive, and a send linked to the close of the slot
 * stream:  per connection a ring of buffers that hold the message, and a send bundle again and again
 */
#define N_OP_ACCEPT	1u
#define N_OP_RECV	2u
#define N_OP_SEND	3u
#define N_OP_CLOSE	4u
#define N_NO_BUF	UINT32_MAX
#define N_CQES		256u
#define N_ENTRIES	1024u
#define N_CQ_ENTRIES	8192u

struct n_conn {
	uint32_t first, last;	/* buffers to send, the first one is being sent; N_NO_BUF: none */
	uint32_t received;	/* bytes */
	uint16_t next_bid;	/* of a stream */
	bool eof, receiving;
	bool gone;		/* its close has been submitted */
};

struct n_buf {
	uint32_t len, next;
};

struct n_server {
	struct n_ctx *t;
	const struct bench_opts *o;
	struct bench_net *net;
	unsigned int slots, nbufs, buf_size, live;
	struct n_conn *conns;	/* by slot */
	struct n_buf *bufs;	/* by id */
	uint32_t *starving;	/* slots that could not receive for lack of buffers */
	unsigned int n_starving, pending;	/* buffers that are written to br and not yet published */
	N_BUF_RING *br;				/* of received data */
	N_BUF_RING *streams[BENCH_STREAMS_MAX + 1];	/* by slot */
};

static inline N_SQE *n_sqe(struct n_server *s, uint8_t opcode, uint32_t slot, unsigned int op, uint32_t bid)
{
	N_SQE *sqe = n_get_sqe(s->t);

	if (RD_UNLIKELY(!sqe)) {
		if (n_room(s->t) < 0)
			return NULL;
		sqe = n_get_sqe(s->t);
		if (!sqe)
			return NULL;
	}
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = (int32_t)slot;
	sqe->flags = N_FIXED_FILE;
	sqe->user_data = (uint64_t)op << 56 | (uint64_t)bid << 32 | slot;
	return sqe;
}

static int n_accept(struct n_server *s)
{
	N_SQE *sqe = n_sqe(s, RINGD_OP_ACCEPT, 0, N_OP_ACCEPT, 0);

	if (!sqe)
		return -EAGAIN;
	sqe->ioprio = RINGD_ACCEPT_MULTISHOT;
	sqe->file_index = RINGD_FILE_INDEX_ALLOC;
	return 0;
}

static int n_recv(struct n_server *s, uint32_t slot)
{
	N_SQE *sqe = n_sqe(s, RINGD_OP_RECV, slot, N_OP_RECV, 0);

	if (!sqe)
		return -EAGAIN;
	sqe->flags |= N_BUFFER_SELECT;
	sqe->ioprio = s->o->op == BENCH_ECHO ? RINGD_RECV_MULTISHOT : 0;
	s->conns[slot].receiving = true;
	return 0;
}

static int n_hang_up(struct n_server *s, uint32_t slot)
{
	N_SQE *sqe;

	if (s->conns[slot].gone)
		return 0;
	sqe = n_sqe(s, RINGD_OP_CLOSE, 0, N_OP_CLOSE, slot);
	if (!sqe)
		return -EAGAIN;
	s->conns[slot].gone = true;
	sqe->flags = 0;
	sqe->file_index = slot + 1;
	return 0;
}

/* The first buffer of a connection. The last one of a --op=connect has the close of its slot behind it. */
static int n_send(struct n_server *s, uint32_t slot)
{
	struct n_conn *c = &s->conns[slot];
	bool last = s->o->op == BENCH_CONNECT && c->received == s->o->bs && c->first == c->last;
	N_SQE *sqe;

	/* both parts of a chain go in one submission */
	if (last && n_space(s->t) < 2 && n_room(s->t) < 0)
		return -EAGAIN;
	sqe = n_sqe(s, RINGD_OP_SEND, slot, N_OP_SEND, c->first);
	if (!sqe)
		return -EAGAIN;
	sqe->addr = (uintptr_t)(s->t->memory + (size_t)c->first * s->buf_size);
	sqe->len = s->bufs[c->first].len;
	sqe->msg_flags = MSG_WAITALL;
	if (!last)
		return 0;
	sqe->flags |= N_LINK;
	return n_hang_up(s, slot);
}

static int n_stream(struct n_server *s, uint32_t slot)
{
	N_SQE *sqe = n_sqe(s, RINGD_OP_SEND, slot, N_OP_SEND, 0);

	if (!sqe)
		return -EAGAIN;
	sqe->flags |= N_BUFFER_SELECT;
	sqe->ioprio = RINGD_RECVSEND_BUNDLE;
	sqe->msg_flags = MSG_WAITALL;
	sqe->buf_group = (uint16_t)slot;
	return 0;
}

/* count pieces of the message are to be sent on slot; nobody changes them, so all connections have the same. */
static void n_stream_provide(struct n_server *s, uint32_t slot, unsigned int count)
{
	unsigned int size = s->o->bs / NET_STREAM_PIECES;
	struct n_conn *c = &s->conns[slot];

	for (unsigned int i = 0; i < count; i++) {
		n_provide(s->streams[slot], s->t->memory + (size_t)c->next_bid * size, size, c->next_bid, NET_STREAM_PIECES - 1, (int)i);
		c->next_bid = (c->next_bid + 1) % NET_STREAM_PIECES;
	}
	n_provided(s->streams[slot], (int)count);
}

static int n_stream_begin(struct n_server *s, uint32_t slot)
{
	if (slot > BENCH_STREAMS_MAX)
		return -ENFILE;
	if (!s->streams[slot]) {
		s->streams[slot] = n_group(s->t, (int)slot, NET_STREAM_PIECES);
		if (!s->streams[slot])
			return -ENOMEM;
		n_stream_provide(s, slot, NET_STREAM_PIECES);
	}
	return n_stream(s, slot);
}

/* A buffer is free again. */
static int n_recycle(struct n_server *s, uint32_t bid)
{
	uint32_t slot;

	n_provide(s->br, s->t->memory + (size_t)bid * s->buf_size, s->buf_size, (uint16_t)bid, (int)s->nbufs - 1, (int)s->pending++);
	if (RD_LIKELY(!s->n_starving))
		return 0;
	n_provided(s->br, (int)s->pending);
	s->pending = 0;
	slot = s->starving[--s->n_starving];
	return n_recv(s, slot);
}

static int n_accepted(struct n_server *s, const N_CQE *cqe)
{
	uint32_t slot = (uint32_t)cqe->res;
	int r = 0;

	if (cqe->res < 0)
		return cqe->res;
	if (!(cqe->flags & N_MORE))
		r = n_accept(s);
	if (r < 0 || slot >= s->slots)
		return r < 0 ? r : -ENFILE;
	s->conns[slot] = (struct n_conn){ .first = N_NO_BUF, .last = N_NO_BUF };
	s->live++;
	return s->o->op == BENCH_STREAM ? n_stream_begin(s, slot) : n_recv(s, slot);
}

static int n_received(struct n_server *s, const N_CQE *cqe, uint32_t slot)
{
	uint32_t bid = cqe->flags >> N_BUFFER_SHIFT;
	struct n_conn *c = &s->conns[slot];

	if (!(cqe->flags & N_MORE))
		c->receiving = false;
	if (RD_UNLIKELY(cqe->res == -ENOBUFS)) {
		s->starving[s->n_starving++] = slot;
		return 0;
	}
	if (cqe->res <= 0) {
		c->eof = true;
		return c->first == N_NO_BUF ? n_hang_up(s, slot) : 0;
	}
	if (!(cqe->flags & N_BUFFER) || bid >= s->nbufs)
		return -EPROTO;
	s->bufs[bid] = (struct n_buf){ .len = (uint32_t)cqe->res, .next = N_NO_BUF };
	c->received += (uint32_t)cqe->res;
	if (!c->receiving && (s->o->op == BENCH_ECHO || c->received < s->o->bs) && n_recv(s, slot) < 0)
		return -EAGAIN;
	if (RD_UNLIKELY(c->first != N_NO_BUF)) {
		s->bufs[c->last].next = bid;
		c->last = bid;
		return 0;
	}
	c->first = c->last = bid;
	return n_send(s, slot);
}

static int n_sent(struct n_server *s, const N_CQE *cqe, uint32_t slot, uint32_t bid)
{
	struct n_conn *c = &s->conns[slot];
	bool whole = cqe->res == (int32_t)s->bufs[bid].len;
	int r;

	c->first = s->bufs[bid].next;
	r = n_recycle(s, bid);
	if (RD_UNLIKELY(r < 0))
		return r;
	if (RD_UNLIKELY(!whole)) {		/* the client has gone; the receive will say it too, if there is one */
		while (c->first != N_NO_BUF && r == 0) {
			bid = c->first;
			c->first = s->bufs[bid].next;
			r = n_recycle(s, bid);
		}
		return c->receiving || r < 0 ? r : n_hang_up(s, slot);
	}
	if (RD_UNLIKELY(c->first != N_NO_BUF))
		return n_send(s, slot);
	return RD_UNLIKELY(c->eof) ? n_hang_up(s, slot) : 0;
}

static int n_streamed(struct n_server *s, const N_CQE *cqe, uint32_t slot)
{
	unsigned int size = s->o->bs / NET_STREAM_PIECES;

	if (cqe->res <= 0 || (uint32_t)cqe->res % size)
		return n_hang_up(s, slot);
	n_stream_provide(s, slot, (uint32_t)cqe->res / size);
	return cqe->flags & N_MORE ? 0 : n_stream(s, slot);
}

static inline int n_event(struct n_server *s, const N_CQE *cqe)
{
	uint32_t slot = (uint32_t)cqe->user_data, bid = (uint32_t)(cqe->user_data >> 32) & 0xffffff;

	switch (cqe->user_data >> 56) {
	case N_OP_ACCEPT:
		return n_accepted(s, cqe);
	case N_OP_RECV:
		return n_received(s, cqe, slot);
	case N_OP_SEND:
		return s->o->op == BENCH_STREAM ? n_streamed(s, cqe, slot) : n_sent(s, cqe, slot, bid);
	default:
		if (cqe->res == -ECANCELED) {	/* it was linked to a send that failed */
			s->conns[bid].gone = false;
			return n_hang_up(s, bid);
		}
		s->live--;
		return cqe->res;
	}
}

static int n_serve(struct n_server *s)
{
	N_CQE *cqes[N_CQES];
	int r = n_accept(s);

	while (r == 0 && (s->live || bench_net_phase(s->net) != BENCH_STOP)) {
		unsigned int n;

		r = n_submit_and_wait(s->t);
		if (r < 0 && r != -EINTR && r != -EAGAIN)
			return r;
		r = 0;
		n = n_peek(s->t, cqes, N_CQES);
		for (unsigned int i = 0; i < n && r == 0; i++)
			r = n_event(s, cqes[i]);
		n_advance(s->t, n);
		if (s->pending) {
			n_provided(s->br, (int)s->pending);
			s->pending = 0;
		}
	}
	return r;
}

static int n_prepare(struct n_server *s)
{
	size_t memory = s->o->bs;

	s->slots = s->o->conns + s->o->idle_conns + 64;
	/* more than a message: a server does not know how long one is, and sees by what is left that it has all of it */
	s->buf_size = (unsigned int)rd_align(s->o->bs, 64) + 64;
	if (s->o->op != BENCH_STREAM) {
		for (s->nbufs = 64; s->nbufs < 2 * s->o->conns; s->nbufs *= 2)
			;
		memory = (size_t)s->nbufs * s->buf_size;
	}
	s->conns = calloc(s->slots, sizeof(*s->conns));
	s->starving = calloc(s->slots, sizeof(*s->starving));
	s->bufs = calloc(s->nbufs + 1, sizeof(*s->bufs));
	if (!s->conns || !s->starving || !s->bufs)
		return -ENOMEM;
	return n_open(s->t, s->o, s->net, s->slots, memory);
}

static int n_buffers(struct n_server *s)
{
	if (s->o->op == BENCH_STREAM) {
		bench_net_pattern((unsigned char *)s->t->memory, s->o->bs);
		return 0;
	}
	s->br = n_group(s->t, 0, s->nbufs);
	if (!s->br)
		return -ENOMEM;
	for (uint32_t bid = 0; bid < s->nbufs; bid++)
		(void)n_recycle(s, bid);
	n_provided(s->br, (int)s->pending);
	s->pending = 0;
	return 0;
}

static int n_main(const struct bench_opts *o, struct bench_net *net, int ready_fd)
{
	struct n_ctx t = { 0 };
	struct n_server s = { .t = &t, .o = o, .net = net };
	int r = n_prepare(&s);

	if (r == 0)
		r = n_buffers(&s);
	if (r == 0 && write(ready_fd, "r", 1) != 1)
		r = -EIO;
	if (r == 0)
		r = n_serve(&s);
	if (r < 0)
		fprintf(stderr, "ringbench: %s server: %s\n", bench_target_name(o->target), strerror(-r));
	n_close(&t);
	free(s.conns);
	free(s.starving);
	free(s.bufs);
	return r;
}
