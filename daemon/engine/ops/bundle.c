/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transfers from and to provided buffers, one or many at a time. They are taken for one attempt and given back, or used as far
 * as it came; so nothing is selected while a request waits. Sometimes one must be gone on with later (MSG_WAITALL, a short
 * send): what is left of the last buffer is the request's own then, unless the group keeps partly used ones (INC), and the
 * others of the batch are taken again, if nobody else has taken any from the group meanwhile.
 */
#include "bundle.h"

#include <errno.h>

#include "net.h"
#include "ops.h"

static bool has_rest(const struct rd_net *net)
{
	return net->nr;
}

static void drop_rest(struct rd_req *req)
{
	req->net.nr = 0;
	if (req->holds)
		rd_mem_put(req->mem);
	req->mem = NULL;
}

static void keep_rest(struct rd_req *req, const struct iovec *iov, uint64_t from, struct rd_mem *owner)
{
	struct rd_net *net = &req->net;

	net->one = (struct iovec){ .iov_base = (char *)iov->iov_base + from, .iov_len = iov->iov_len - from };
	net->nr = 1;
	req->mem = req->holds ? rd_mem_get(owner) : owner;
}

void rd_batch_next(struct rd_req *req)
{
	struct rd_net *net = &req->net;

	if (has_rest(net))
		drop_rest(req);
	net->done = 0;
	req->cflags = 0;
	req->outcome = RD_OUT_AUTO;
}

/* The first buffers of a CQE, or more for one that has all it wanted. */
static int take_new(struct rd_req *req, struct rd_batch *b)
{
	struct rd_net *net = &req->net;
	uint64_t max = RD_NET_MAX - net->done, limit = b->limit ? RD_MIN(b->limit, max) : max;	/* a CQE can say no more */
	struct rd_ctx *ctx = req->ctx;
	int r;

	if (b->room)
		r = rd_bufsel_peek(&b->sel, ctx->groups, ctx->host, net->buf_index, limit, b->iov, b->owners, b->room);
	else
		r = rd_bufsel_take(&b->sel, ctx->groups, ctx->host, net->buf_index, limit, b->iov, b->owners);
	if (r < 0)
		return r;
	net->dry = b->sel.dry;
	net->want = net->done + b->sel.bytes;
	return 0;
}

/* What the CQE still lacks, behind the rest of its last buffer, which is at the head of iov. */
static int take_on(struct rd_req *req, struct rd_batch *b, unsigned int first)
{
	struct rd_net *net = &req->net;
	struct rd_ctx *ctx = req->ctx;
	uint64_t lacks = net->want - net->done - (first ? net->one.iov_len : 0);
	int r = -ENOBUFS;

	if (lacks && net->head >= 0 && rd_bufgroups_head(ctx->groups, net->buf_index) == net->head)
		r = rd_bufsel_peek(&b->sel, ctx->groups, ctx->host, net->buf_index, lacks, b->iov + first, b->owners,
				   RD_BUFSEL_MAX);
	if (r < 0)
		rd_bufsel_drop(&b->sel);
	if (r < 0 && !first)
		return r;
	/* it goes on only as far as there are buffers */
	net->want = net->done + (first ? net->one.iov_len : 0) + (r < 0 ? 0 : b->sel.bytes);
	return 0;
}

/* bytes of the buffers that were just taken are used. */
static void use(struct rd_req *req, struct rd_batch *b, unsigned int first, uint64_t bytes)
{
	struct rd_net *net = &req->net;
	const struct iovec *iov = b->iov + first;
	uint64_t in = RD_MIN(bytes, b->sel.bytes);	/* how far into iov[n] it came */
	unsigned int n = 0;
	uint32_t flags;

	while (n < b->sel.nr && in >= iov[n].iov_len)
		in -= iov[n++].iov_len;
	flags = rd_bufsel_commit(&b->sel, bytes);
	if (req->cflags & RINGD_CQE_F_BUFFER)
		req->cflags = (req->cflags & ~RINGD_CQE_F_BUF_MORE) | (flags & RINGD_CQE_F_BUF_MORE);
	else
		req->cflags = flags;
	if (net->done >= net->want || !(net->send || rd_net_goes_on(req)))
		return;		/* nobody asks for the rest */
	net->head = rd_bufgroups_head(req->ctx->groups, net->buf_index);
	if (in && !(flags & RINGD_CQE_F_BUF_MORE))
		keep_rest(req, &iov[n], in, b->owners[n]);
}

static void settle(struct rd_req *req, struct rd_batch *b, unsigned int first, ssize_t n)
{
	struct rd_net *net = &req->net;
	uint64_t bytes = n > 0 ? (uint64_t)n : 0;

	b->full = n > 0 && bytes >= net->offered;
	net->done += bytes;
	if (first && bytes) {
		uint64_t part = RD_MIN(bytes, net->one.iov_len);

		net->one.iov_base = (char *)net->one.iov_base + part;
		net->one.iov_len -= part;
		bytes -= part;
		if (!net->one.iov_len)
			drop_rest(req);
	}
	/* with MSG_TRUNC a record may be longer than all there was room for */
	if (bytes && b->sel.group)
		use(req, b, first, bytes);
	else
		rd_bufsel_drop(&b->sel);
}

ssize_t rd_batch_try(struct rd_req *req, struct rd_batch *b)
{
	struct rd_net *net = &req->net;
	unsigned int first = has_rest(net);
	ssize_t n;
	int r;

	b->sel.group = NULL;
	if (first)
		b->iov[0] = net->one;
	r = net->done && !b->append ? take_on(req, b, first) : take_new(req, b);
	if (RD_UNLIKELY(r < 0)) {
		rd_bufsel_drop(&b->sel);
		return r;
	}
	net->vec = b->iov;
	net->nr = first + (b->sel.group ? b->sel.nr : 0);
	n = rd_net_transfer(req, 0);
	net->vec = &net->one;
	net->nr = first;
	settle(req, b, first, n);
	return n;
}
