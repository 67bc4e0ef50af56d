/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register calls: what io_uring_register(2) takes by pointer comes as data and descriptors, in one packet or in several. Of
 * a call in several packets all is kept, charged, until its last; when that is refused on the way (a budget, its size), the
 * rest of it is read and dropped, and the answer to the last packet says why.
 */
#include "register.h"

#include <string.h>

#include "../ops/ops.h"

#define RD_STAGE_BYTES	(512u << 10)	/* more than any call needs that does not name 100,000 descriptors */
#define RD_STAGE_UNIT	64		/* bytes that cost one object */

static int reg_send_msg_ring(struct rd_reg *reg);

static int (*const reg_ops[RINGD_REGISTER_LAST])(struct rd_reg *reg) = {
	[RINGD_REGISTER_BUFFERS] = rd_reg_bufs,
	[RINGD_UNREGISTER_BUFFERS] = rd_reg_unregister_bufs,
	[RINGD_REGISTER_FILES] = rd_reg_files,
	[RINGD_UNREGISTER_FILES] = rd_reg_unregister_files,
	[RINGD_REGISTER_FILES_UPDATE] = rd_reg_files_update,
	[RINGD_REGISTER_PROBE] = rd_reg_probe,
	[RINGD_REGISTER_EVENTFD] = rd_reg_eventfd,
	[RINGD_UNREGISTER_EVENTFD] = rd_reg_unregister_eventfd,
	[RINGD_REGISTER_EVENTFD_ASYNC] = rd_reg_eventfd_async,
	[RINGD_REGISTER_ENABLE_RINGS] = rd_reg_enable_rings,
	[RINGD_REGISTER_RESIZE_RINGS] = rd_reg_resize_rings,
	[RINGD_REGISTER_FILES2] = rd_reg_files2,
	[RINGD_REGISTER_FILES_UPDATE2] = rd_reg_files_update2,
	[RINGD_REGISTER_BUFFERS2] = rd_reg_bufs2,
	[RINGD_REGISTER_BUFFERS_UPDATE] = rd_reg_bufs_update,
	[RINGD_REGISTER_SYNC_CANCEL] = rd_reg_sync_cancel,
	[RINGD_REGISTER_FILE_ALLOC_RANGE] = rd_reg_file_alloc_range,
	[RINGD_REGISTER_PERSONALITY] = rd_reg_personality,
	[RINGD_UNREGISTER_PERSONALITY] = rd_reg_unregister_personality,
	[RINGD_REGISTER_RESTRICTIONS] = rd_reg_restrictions,
	[RINGD_REGISTER_IOWQ_AFF] = rd_reg_iowq_aff,
	[RINGD_UNREGISTER_IOWQ_AFF] = rd_reg_unregister_iowq_aff,
	[RINGD_REGISTER_IOWQ_MAX_WORKERS] = rd_reg_iowq_max_workers,
	[RINGD_REGISTER_PBUF_RING] = rd_reg_pbuf_ring,
	[RINGD_UNREGISTER_PBUF_RING] = rd_reg_unregister_pbuf_ring,
	[RINGD_REGISTER_PBUF_STATUS] = rd_reg_pbuf_status,
	[RINGD_REGISTER_CLOCK] = rd_reg_clock,
	[RINGD_REGISTER_CLONE_BUFFERS] = rd_reg_clone_bufs,
	[RINGD_REGISTER_MEM_REGION] = rd_reg_mem_region,
	[RINGD_REGISTER_QUERY] = rd_reg_query,
	[RINGD_REGISTER_SEND_MSG_RING] = reg_send_msg_ring,
	[RINGD_REGISTER_NAPI] = rd_reg_napi,
	[RINGD_UNREGISTER_NAPI] = rd_reg_unregister_napi,
	[RINGD_REGISTER_ZCRX_IFQ] = rd_reg_zcrx_ifq,
	[RINGD_REGISTER_ZCRX_CTRL] = rd_reg_zcrx_ctrl,
};

/* --- what the handlers share --- */

int rd_reg_struct(struct rd_reg *reg, void *dst, size_t size)
{
	if (reg->len < size)
		return rd_refuse(reg->session, -EPROTO, "register %u without its structure", reg->head->opcode);
	memcpy(dst, reg->data, size);
	return 0;
}

int rd_reg_arrays(struct rd_reg *reg, struct rd_reg_arrays *ret, size_t struct_size, size_t elem_size, bool sparse)
{
	uint64_t elems = sparse ? 0 : (uint64_t)reg->head->nr * elem_size;
	uint64_t tags = reg->head->has_tags ? (uint64_t)reg->head->nr * sizeof(uint64_t) : 0;

	if (reg->len != struct_size + elems + tags)
		return rd_refuse(reg->session, -EPROTO, "register %u of %u entries with %zu bytes", reg->head->opcode,
				 reg->head->nr, reg->len);
	ret->elems = sparse ? NULL : reg->data + struct_size;
	ret->tags = tags ? reg->data + struct_size + elems : NULL;
	return 0;
}

int rd_reg_rsrc(struct rd_reg *reg, bool *sparse)
{
	struct ringd_rsrc_register rr;
	int r;

	r = rd_reg_struct(reg, &rr, sizeof(rr));
	if (r < 0)
		return r;
	if (!rr.nr || rr.resv2 || rr.flags & ~RINGD_RSRC_REGISTER_SPARSE)
		return rd_refuse(reg->session, -EINVAL, "no entries, unknown flags, or a reserved field is not zero");
	if (rr.nr != reg->head->nr || rr.data || rr.tags)
		return rd_refuse(reg->session, -EINVAL, "the structure and the message do not agree");
	*sparse = rr.flags & RINGD_RSRC_REGISTER_SPARSE;
	return 0;
}

int rd_reg_update2(struct rd_reg *reg, uint32_t *off)
{
	struct ringd_rsrc_update2 up;
	int r;

	r = rd_reg_struct(reg, &up, sizeof(up));
	if (r < 0)
		return r;
	if (!up.nr || up.resv || up.resv2)
		return rd_refuse(reg->session, -EINVAL, "no entries, or a reserved field is not zero");
	if (up.nr != reg->head->nr || up.data || up.tags)
		return rd_refuse(reg->session, -EINVAL, "the structure and the message do not agree");
	*off = up.offset;
	return 0;
}

int rd_reg_no_args(struct rd_reg *reg)
{
	if (reg->head->nr || reg->len || reg->head->has_tags)
		return rd_refuse(reg->session, -EINVAL, "register %u takes no argument", reg->head->opcode);
	return 0;
}

int rd_reg_exactly(struct rd_reg *reg, void *dst, size_t size)
{
	if (reg->len != size || reg->head->has_tags)
		return rd_refuse(reg->session, -EPROTO, "register %u with %zu bytes", reg->head->opcode, reg->len);
	memcpy(dst, reg->data, size);
	return 0;
}

/* A message from no ring. */
static int reg_send_msg_ring(struct rd_reg *reg)
{
	struct ringd_sqe sqe;
	int r;

	if (reg->ring)
		return rd_refuse(reg->session, -EINVAL, "this call is not made on a ring");
	r = rd_reg_struct(reg, &sqe, sizeof(sqe));
	if (r < 0)
		return r;
	if (reg->head->nr != 1 || reg->len != sizeof(sqe) || reg->head->has_tags)
		return rd_refuse(reg->session, -EINVAL, "this call takes one SQE");
	r = rd_msgring_sync(&reg->session->host, &sqe);
	return r < 0 ? rd_refuse(reg->session, r, "the message to ring %d was not sent", sqe.fd) : r;
}

/* --- one whole call --- */

static bool takes_fds(uint32_t opcode)
{
	return opcode == RINGD_REGISTER_FILES || opcode == RINGD_REGISTER_FILES2 || opcode == RINGD_REGISTER_FILES_UPDATE ||
	       opcode == RINGD_REGISTER_FILES_UPDATE2 || opcode == RINGD_REGISTER_EVENTFD ||
	       opcode == RINGD_REGISTER_EVENTFD_ASYNC || opcode == RINGD_REGISTER_ZCRX_IFQ;
}

/* io_uring's calls with a descriptor of -1: those that are not about one ring. */
static bool is_blind(uint32_t opcode)
{
	return opcode == RINGD_REGISTER_RESTRICTIONS || opcode == RINGD_REGISTER_SEND_MSG_RING ||
	       opcode == RINGD_REGISTER_QUERY || opcode == RINGD_REGISTER_BPF_FILTER;
}

/* A descriptor that cannot be sent (too many are under way) takes the whole call back. */
static int reg_answer(struct rd_reg *reg, uint8_t *buf, int32_t res)
{
	struct ringd_registered *answer = (void *)buf;
	int r = rd_session_answer(reg->session, &answer->msg, sizeof(*answer) + reg->out_len, res, &reg->out_fd,
				  reg->out_fd >= 0);

	if (r == 0 || !reg->session->connected)
		return 0;
	if (reg->undo)
		reg->undo(reg);
	return rd_refuse(reg->session, r, "the descriptor could not be sent");
}

/* Which ring, and may this be asked of it? */
static int reg_target(struct rd_reg *reg)
{
	const struct ringd_register *head = reg->head;
	int r = 0;

	if (head->opcode >= RD_ARRAY_SIZE(reg_ops) || !reg_ops[head->opcode])
		return rd_refuse(reg->session, -EINVAL, "register opcode %u is not served", head->opcode);
	if (reg->n_fds && !takes_fds(head->opcode))
		return rd_refuse(reg->session, -EPROTO, "register %u came with %zu descriptors", head->opcode, reg->n_fds);
	if (!head->ring_id && is_blind(head->opcode))
		return 0;
	if (!head->ring_id)
		return rd_refuse(reg->session, -EINVAL, "register opcode %u without a ring", head->opcode);
	reg->ring = rd_hostring_find(reg->session, head->ring_id, &r);
	if (!reg->ring)
		return r;
	reg->ctx = &reg->ring->ctx;
	/* a ring that was not started yet may still be told everything */
	if (!rd_reg_disabled(reg) && rd_restrict_register(reg->ctx, head->opcode) < 0)
		return rd_refuse(reg->session, -EACCES, "register opcode %u is not among those this ring is restricted to",
				 head->opcode);
	return 0;
}

static int reg_run(struct rd_session *session, const struct ringd_register *head, const uint8_t *data, size_t len, int *fds,
		   size_t n_fds)
{
	_Alignas(8) uint8_t buf[sizeof(struct ringd_registered) + RD_REG_OUT];
	struct rd_reg reg = {
		.session = session, .head = head, .data = data, .len = len, .fds = fds, .n_fds = n_fds,
		.out = buf + sizeof(struct ringd_registered), .out_fd = -1,
	};
	int r = reg_target(&reg);

	if (r == 0)
		r = reg_ops[head->opcode](&reg);
	if (r >= 0 && !reg.later)
		r = reg_answer(&reg, buf, r);
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
		if (rd_reg_is_connection(session, p->fds[i]))
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
