/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One register call on the wire: the structure of the opcode, then its arrays, in as many packets as that takes. */
#include <string.h>

#include "private.h"

void rdl_call_free(struct rdl_call *c)
{
	free(c->data);
	free(c->fds);
}

int rdl_call_init(struct ringd *rd, struct rdl_call *c, uint32_t opcode, uint32_t nr, size_t room, size_t n_fds)
{
	*c = (struct rdl_call){ .reg = { .opcode = opcode, .nr = nr }, .room = room };
	c->data = malloc(room ? room : 1);
	c->fds = malloc(n_fds ? n_fds * sizeof(*c->fds) : 1);
	return c->data && c->fds ? 0 : rdl_fail(rd, -ENOMEM, "register");
}

void rdl_call_add(struct rdl_call *c, const void *data, size_t size)
{
	if (size)
		memcpy(c->data + c->size, data, size);
	c->size += size;
}

void rdl_call_add_tags(struct rdl_call *c, const uint64_t *tags, unsigned int nr)
{
	if (!tags)
		return;
	rdl_call_add(c, tags, nr * sizeof(*tags));
	c->reg.has_tags = 1;
}

void rdl_call_add_fds(struct rdl_call *c, const int *fds, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		int32_t v = fds[i] < 0 ? fds[i] : 0;

		rdl_call_add(c, &v, sizeof(v));
		if (fds[i] >= 0)
			c->fds[c->n_fds++] = fds[i];
	}
}

void rdl_call_add_iovecs(struct rdl_call *c, const struct iovec *iov, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		uint64_t pair[2] = { (uint64_t)(uintptr_t)iov[i].iov_base, iov[i].iov_len };

		rdl_call_add(c, pair, sizeof(pair));
	}
}

/* All packets of the request. *sent: whether any went. */
static int call_send(struct ringd *rd, struct rdl_call *c, bool *sent)
{
	const size_t room = RINGD_MSG_MAX - sizeof(c->reg);
	RDL_FREE char *packet = malloc(sizeof(c->reg) + RDL_MIN(c->size, room));
	size_t data = 0, fds = 0;
	int r;

	if (!packet)
		return rdl_fail(rd, -ENOMEM, "register");
	do {
		size_t n = RDL_MIN(c->size - data, room), m = RDL_MIN(c->n_fds - fds, (size_t)RINGD_MSG_FDS);
		bool more = data + n < c->size || fds + m < c->n_fds;

		c->reg.msg.flags = more ? RINGD_MSG_F_MORE : 0;
		c->reg.msg.size = (uint32_t)(sizeof(c->reg) + n);
		memcpy(packet, &c->reg, sizeof(c->reg));
		memcpy(packet + sizeof(c->reg), c->data + data, n);
		r = rdl_request_send(rd, (struct ringd_msg *)(void *)packet, sizeof(c->reg) + n, c->fds + fds, m, !*sent);
		if (r < 0)
			return r;
		*sent = true;
		data += n;
		fds += m;
	} while (data < c->size || fds < c->n_fds);
	return 0;
}

/* The rule of SINGLE_ISSUER. No words for it: it is another thread that gets them. */
int rdl_may_register(const struct ringd_ring *ring)
{
	uint32_t special = rdl_special(ring);

	return (special & RDL_ISSUER) && !(special & RDL_DISABLED) && ring->issuer != rdl_thread_id() ? -EEXIST : 0;
}

int rdl_call_do(struct ringd *rd, struct ringd_ring *ring, struct rdl_call *c, struct rdl_packet *in, size_t min_size,
		size_t n_fds, bool *unsent)
{
	bool sent = false;
	int r;

	c->reg.ring_id = ring ? ring->id : 0;
	r = ring ? rdl_may_register(ring) : 0;
	if (r < 0)
		return r;
	r = rdl_request_start(rd, &c->reg.msg, RINGD_MSG_REGISTER);
	if (r < 0)
		return r;
	r = call_send(rd, c, &sent);
	if (unsent)
		*unsent = r < 0 && !sent && c->n_fds && !rd->dead;
	if (r < 0)
		return r;
	return rdl_request_finish(rd, &c->reg.msg, in, min_size, n_fds);
}

int rdl_call_simple(struct ringd_ring *ring, struct rdl_call *c, bool *unsent)
{
	struct ringd_error answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };

	return rdl_call_do(ring->rd, ring, c, &in, sizeof(answer.msg), 0, unsent);
}

int rdl_call_one(struct ringd_ring *ring, uint32_t opcode, uint32_t nr, const void *data, size_t size)
{
	return rdl_call_get(ring->rd, ring, opcode, nr, data, size, NULL, 0, NULL);
}

int rdl_call_get(struct ringd *rd, struct ringd_ring *ring, uint32_t opcode, uint32_t nr, const void *data, size_t size,
		 void *out, size_t out_size, int *fd)
{
	union {
		struct ringd_error error;
		struct ringd_msg msg;
		char bytes[sizeof(struct ringd_msg) + RDL_CALL_OUT];
	} answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer), .fds = fd, .n_fds = fd ? 1 : 0 };
	struct rdl_call c;
	int r = rdl_call_init(rd, &c, opcode, nr, size, 0);

	if (r == 0) {
		rdl_call_add(&c, data, size);
		r = rdl_call_do(rd, ring, &c, &in, sizeof(answer.msg) + out_size, fd ? 1 : 0, NULL);
	}
	rdl_call_free(&c);
	if (r >= 0 && out_size)
		memcpy(out, answer.bytes + sizeof(answer.msg), out_size);
	return r;
}

int rdl_check_alive(struct ringd_ring *ring)
{
	int r = rdl_may_register(ring);

	if (r < 0)
		return r;
	return rdl_dead(ring) ? rdl_fail(ring->rd, -ECONNRESET, "register: the engine or the ring is gone") : 0;
}
