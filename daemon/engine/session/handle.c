/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a ring is called. A client names its own rings by their ids. A ring of another client of this engine it can name when
 * it knows that ring's token, 128 random bits that only the ring's owner can get and may tell whom it likes: for the token it
 * gets a handle, a number like those of its own rings. A handle never outlives the ring.
 */
#include <string.h>
#include <sys/random.h>

#include "session.h"

struct rd_handle {
	struct rd_link link;		/* session->handles */
	struct rd_link of;		/* export->handles */
	struct rd_session *session;	/* who may use it */
	struct rd_export *export;
	uint32_t id;
	struct rd_charge object;
};

static struct rd_ring_hit *hit_of(struct rd_session *session, uint32_t id)
{
	return &session->hits[id % RD_ARRAY_SIZE(session->hits)];
}

static void forget_hit(struct rd_session *session, uint32_t id)
{
	struct rd_ring_hit *hit = hit_of(session, id);

	if (hit->id == id)
		*hit = (struct rd_ring_hit){ 0 };
}

static void handle_free(struct rd_handle *h)
{
	forget_hit(h->session, h->id);
	rd_list_remove(&h->link);
	rd_list_remove(&h->of);
	rd_charge_give(&h->object);
	free(h);
}

/* --- the ring's side --- */

void rd_export_init(struct rd_export *export, struct rd_session *session, struct rd_ring *ring, uint32_t id)
{
	*export = (struct rd_export){ .session = session, .ring = ring, .id = id };
	rd_list_init(&export->link);
	rd_list_init(&export->handles);
}

void rd_export_end(struct rd_export *export)
{
	struct rd_link *l, *tmp;

	if (!export->session)
		return;		/* it has not come to that */
	forget_hit(export->session, export->id);
	rd_list_remove(&export->link);
	rd_list_foreach(l, tmp, &export->handles)
		handle_free(rd_list_entry(l, struct rd_handle, of));
}

int rd_handle_export(struct rd_session *session, struct rd_packet *p)
{
	const struct ringd_ring_ref *req = p->data;
	struct ringd_ring_token answer = { .msg = { 0 } };
	struct rd_export *export;
	struct rd_ring *ring;
	int r = 0;

	if (req->resv)
		return rd_refuse(session, -EINVAL, "a reserved field is not zero");
	ring = rd_hostring_find(session, req->ring_id, &r);
	if (!ring)
		return r;
	export = rd_hostring_export(ring);
	if (rd_list_empty(&export->link)) {
		if (getrandom(export->token, sizeof(export->token), GRND_NONBLOCK) != (ssize_t)sizeof(export->token))
			return rd_refuse(session, -EAGAIN, "the system has no random numbers yet");
		rd_list_append(&session->service->exports, &export->link);
	}
	memcpy(answer.token, export->token, sizeof(answer.token));
	rd_session_answer(session, &answer.msg, sizeof(answer), 0, NULL, 0);
	return 0;
}

/* --- the side of who uses it --- */

/* Takes the same time for every token. */
static bool same_token(const uint8_t *a, const uint8_t *b)
{
	uint8_t differ = 0;

	for (size_t i = 0; i < sizeof(((struct ringd_ring_token *)NULL)->token); i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

static struct rd_export *find_export(struct rd_service *service, const uint8_t *token)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &service->exports) {
		struct rd_export *export = rd_list_entry(l, struct rd_export, link);

		if (same_token(export->token, token))
			return export;
	}
	return NULL;
}

static int handle_new(struct rd_session *session, struct rd_export *export, uint32_t *id)
{
	struct rd_handle *h = calloc(1, sizeof(*h));

	if (!h)
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	if (rd_charge_take(&h->object, &session->service->engine.user, RINGD_LIMIT_OBJECTS, 1) < 0) {
		free(h);
		return rd_refuse_budget(session, RINGD_LIMIT_OBJECTS, 1);
	}
	h->session = session;
	h->export = export;
	*id = h->id = ++session->last_ring;
	rd_list_append(&session->handles, &h->link);
	rd_list_append(&export->handles, &h->of);
	return 0;
}

int rd_handle_import(struct rd_session *session, struct rd_packet *p)
{
	const struct ringd_ring_token *req = p->data;
	struct ringd_ring_ref answer = { .msg = { 0 } };
	struct rd_export *export = find_export(session->service, req->token);
	int r = 0;

	if (!export)
		return rd_refuse(session, -ENOENT, "no ring has this token");
	if (export->session == session)
		answer.ring_id = export->id;
	else
		r = handle_new(session, export, &answer.ring_id);
	if (r < 0)
		return r;
	rd_session_answer(session, &answer.msg, sizeof(answer), 0, NULL, 0);
	return 0;
}

static struct rd_handle *find_handle(struct rd_session *session, uint32_t id)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &session->handles) {
		struct rd_handle *h = rd_list_entry(l, struct rd_handle, link);

		if (h->id == id)
			return h;
	}
	return NULL;
}

int rd_handle_forget(struct rd_session *session, struct rd_packet *p)
{
	const struct ringd_ring_ref *req = p->data;
	struct rd_handle *h = find_handle(session, req->ring_id);

	if (req->resv)
		return rd_refuse(session, -EINVAL, "a reserved field is not zero");
	if (h)
		handle_free(h);
	else if (!req->ring_id || req->ring_id > session->last_ring)	/* one whose ring has died may be forgotten, too */
		return rd_refuse(session, -ENOENT, "no handle %u", req->ring_id);
	return rd_session_answer_res(session, 0);
}

void rd_handle_drop_all(struct rd_session *session)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &session->handles)
		handle_free(rd_list_entry(l, struct rd_handle, link));
}

/* host->ring */
int rd_handle_ring(struct rd_host *host, int fd, struct rd_ctx **ret)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);
	uint32_t id = (uint32_t)fd;
	struct rd_ring_hit *hit = hit_of(session, id);
	struct rd_handle *h;

	if (hit->id != id || !hit->ring) {
		struct rd_ring *ring = rd_hostring_own(session, id);

		h = ring ? NULL : find_handle(session, id);
		if (h)
			ring = h->export->ring;
		/* a ring that was, or a file: no ring; else no descriptor at all */
		if (!ring)
			return (id && id <= session->last_ring) || rd_lent_has(session, fd) ? -EBADFD : -EBADF;
		*hit = (struct rd_ring_hit){ .id = id, .ring = ring };
	}
	*ret = &hit->ring->ctx;
	return 0;
}
