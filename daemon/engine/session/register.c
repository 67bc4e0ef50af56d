/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register calls: what io_uring_register(2) takes by pointer comes as data and descriptors, in one packet or in several. Of
 * a call in several packets all is kept, charged, until its last; when that is refused on the way (a budget, its size), the
 * rest of it is read and dropped, and the answer to the last packet says why.
 */
#include "session.h"

#include <string.h>

#define RD_STAGE_BYTES	(512u << 10)	/* more than any call needs that does not name 100,000 descriptors */
#define RD_STAGE_UNIT	64		/* bytes that cost one object */

/* --- what only this host knows --- */

static struct rd_session *of(const struct rd_reg *reg)
{
	return RD_CONTAINER_OF(reg->host, struct rd_session, host);
}

static int reg_find(struct rd_reg *reg, uint32_t number, bool registered, struct rd_ctx **ret)
{
	int r = number > INT32_MAX ? -EBADF : rd_handle_ring(reg->host, (int)number, ret);

	(void)registered;	/* the client's library has looked it up */
	if (r == -EBADFD && rd_lent_has(of(reg), (int)number))
		return rd_reg_refuse(reg, -EOPNOTSUPP, "descriptor %u is no ring", number);
	return r < 0 ? rd_reg_refuse(reg, -EBADF, "no ring %u", number) : 0;
}

static int reg_file(struct rd_reg *reg, int *fd, struct rd_file **ret)
{
	return rd_session_file(of(reg), ret, fd);
}

static int reg_resize(struct rd_reg *reg, struct ringd_resized *ret, uint64_t scratch_base, int *fd)
{
	return rd_hostring_resize(of(reg), reg->ring, ret, scratch_base, fd);
}

static const struct rd_reg_ops host_ops = {
	.find = reg_find,
	.file = reg_file,
	.is_brittle = rd_arena_is_huge,
	.resize = reg_resize,
	.later = rd_wait_cancel,
};

void rd_session_reg(struct rd_session *session, struct rd_reg *reg)
{
	*reg = (struct rd_reg){
		.ops = &host_ops, .host = &session->host, .engine = &session->service->engine, .task_rules = &session->task_rules,
		.out_fd = -1, .text = session->text, .text_size = sizeof(session->text),
	};
}

int rd_session_reg_ring(struct rd_session *session, struct rd_reg *reg, uint32_t ring_id)
{
	int r = 0;

	reg->ring = rd_hostring_find(session, ring_id, &r);
	if (!reg->ring)
		return r;
	reg->ctx = &reg->ring->ctx;
	reg->region = rd_hostring_region(reg->ring);
	return 0;
}

/* --- one whole call --- */

/* A descriptor that cannot be sent (too many are under way) takes the whole call back. */
static int reg_answer(struct rd_session *session, struct rd_reg *reg, uint8_t *buf, int32_t res)
{
	struct ringd_registered *answer = (void *)buf;
	int r = rd_session_answer(session, &answer->msg, sizeof(*answer) + reg->out_len, res, &reg->out_fd, reg->out_fd >= 0);

	if (r == 0 || !session->connected)
		return 0;
	if (reg->undo)
		reg->undo(reg);
	return rd_refuse(session, r, "the descriptor could not be sent");
}

/* Which ring? */
static int reg_target(struct rd_session *session, struct rd_reg *reg, uint32_t ring_id)
{
	int r = rd_reg_served(reg);

	if (r < 0)
		return r;
	if (!ring_id && rd_reg_blind(reg->opcode))
		return 0;
	if (!ring_id)
		return rd_refuse(session, -EINVAL, "register opcode %u without a ring", reg->opcode);
	return rd_session_reg_ring(session, reg, ring_id);
}

static int reg_run(struct rd_session *session, const struct ringd_register *head, const uint8_t *data, size_t len, int *fds,
		   size_t n_fds)
{
	_Alignas(8) uint8_t buf[sizeof(struct ringd_registered) + RD_REG_OUT];
	struct rd_reg reg;
	int r;

	rd_session_reg(session, &reg);
	reg.opcode = head->opcode;
	reg.nr = head->nr;
	reg.has_tags = head->has_tags;
	reg.data = data;
	reg.len = len;
	reg.fds = fds;
	reg.n_fds = n_fds;
	reg.out = buf + sizeof(struct ringd_registered);
	r = reg_target(session, &reg, head->ring_id);
	if (r == 0)
		r = rd_reg_run(&reg);
	if (r >= 0 && !reg.later)
		r = reg_answer(session, &reg, buf, r);
	rd_close(reg.out_fd);
	return r < 0 ? r : 0;
}

/* --- fragments --- */

void rd_stage_drop(struct rd_session *session)
{
	struct rd_stage *st = &session->stage;

	rd_closer_close(session->service, session, st->fds, st->n_fds);
	rd_charge_give(&st->objects);
	rd_charge_give(&st->files);
	free(st->data);
	free(st->fds);
	*st = (struct rd_stage){ 0 };
}

/* Refuse the call when its last packet has come; nothing of it is kept until then. */
static void stage_fail(struct rd_session *session, int err)
{
	struct ringd_register head = session->stage.head;

	rd_stage_drop(session);
	session->stage.active = true;
	session->stage.head = head;
	session->stage.err = err;
}

static int stage_begin(struct rd_session *session, const struct ringd_register *head)
{
	struct rd_stage *st = &session->stage;
	struct rd_user *user = &session->service->engine.user;

	st->active = true;
	st->head = *head;
	if (rd_charge_take(&st->objects, user, RINGD_LIMIT_OBJECTS, RD_STAGE_BYTES / RD_STAGE_UNIT) < 0)
		return rd_refuse_budget(session, RINGD_LIMIT_OBJECTS, RD_STAGE_BYTES / RD_STAGE_UNIT);
	st->data = malloc(RD_STAGE_BYTES);	/* pages it does not use cost nothing */
	if (!st->data)
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	return 0;
}

/* One charge for all descriptors of the stage. */
static int stage_pay_fds(struct rd_session *session, size_t n)
{
	struct rd_stage *st = &session->stage;
	struct rd_user *user = &session->service->engine.user;
	uint64_t had = st->files.user ? st->files.amount : 0;

	rd_charge_give(&st->files);
	if (rd_charge_take(&st->files, user, RINGD_LIMIT_FILES, had + n) == 0)
		return 0;
	st->files.user = NULL;
	return rd_refuse_budget(session, RINGD_LIMIT_FILES, had + n);
}

static int stage_fds(struct rd_session *session, struct rd_packet *p)
{
	struct rd_stage *st = &session->stage;
	int r;

	if (!p->n_fds)
		return 0;
	/* refused in the end anyway, but a client that dies before its last packet must not leave itself behind here */
	for (size_t i = 0; i < p->n_fds; i++) {
		if (rd_is_connection(session, p->fds[i]))
			return rd_refuse(session, -EBADF, "a connection to ringd cannot be registered");
	}
	r = stage_pay_fds(session, p->n_fds);
	if (r < 0)
		return r;
	if (st->n_fds + p->n_fds > st->room_fds) {
		size_t room = 2 * st->room_fds + RINGD_MSG_FDS;
		int *fds = reallocarray(st->fds, room, sizeof(*fds));

		if (!fds)
			return rd_refuse(session, -ENOMEM, "the engine is out of memory");
		st->fds = fds;
		st->room_fds = room;
	}
	for (size_t i = 0; i < p->n_fds; i++)
		st->fds[st->n_fds++] = rd_steal_fd(&p->fds[i]);
	return 0;
}

static int stage_append(struct rd_session *session, struct rd_packet *p)
{
	struct rd_stage *st = &session->stage;
	size_t len = p->len - sizeof(struct ringd_register);

	if (len > RD_STAGE_BYTES - st->len)
		return rd_refuse(session, -EMFILE, "a register call has more than %u bytes of data", RD_STAGE_BYTES);
	memcpy(st->data + st->len, (const uint8_t *)p->data + sizeof(struct ringd_register), len);
	st->len += len;
	return stage_fds(session, p);
}

static int stage_finish(struct rd_session *session)
{
	struct rd_stage *st = &session->stage;
	int r = st->err;

	/* the call pays for what it keeps; nobody else runs in between */
	rd_charge_give(&st->files);
	if (r == 0)
		r = reg_run(session, &st->head, st->data, st->len, st->fds, st->n_fds);
	rd_stage_drop(session);
	return r;
}

static bool same_call(const struct ringd_register *a, const struct ringd_register *b)
{
	return a->msg.seq == b->msg.seq && a->ring_id == b->ring_id && a->opcode == b->opcode && a->nr == b->nr &&
	       a->has_tags == b->has_tags;
}

int rd_register(struct rd_session *session, struct rd_packet *p)
{
	const struct ringd_register *head = p->data;
	struct rd_stage *st = &session->stage;
	bool more = head->msg.flags & RINGD_MSG_F_MORE;
	int r = 0;

	if (head->has_tags > 1)
		return rd_refuse(session, -EPROTO, "has_tags is %u", head->has_tags);
	if (!st->active && !more && p->lost)
		return rd_refuse_lost(session);
	if (!st->active && !more)
		return reg_run(session, head, (const uint8_t *)(head + 1), p->len - sizeof(*head), p->fds, p->n_fds);
	if (st->active && !same_call(head, &st->head))
		return rd_refuse(session, -EPROTO, "a packet between the fragments of another register call");
	if (!st->active)
		r = stage_begin(session, head);
	if (r == 0 && !st->err)
		r = p->lost ? rd_refuse_lost(session) : stage_append(session, p);
	if (r < 0)
		stage_fail(session, r);
	return more ? 0 : stage_finish(session);
}
