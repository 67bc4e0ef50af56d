/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings in words, for the manager to pass on to whoever may see this tenant. A text is made when it is asked for, all of it
 * at one moment, and is sent in pieces as the link takes them. Few are kept: the manager asks for a few at a time only.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/common/fdpass.h"
#include "daemon/common/link.h"
#include "../ring/show.h"
#include "session.h"

#define RD_INFOS_MAX	8

struct rd_info {
	struct rd_link link;		/* service->infos */
	uint32_t cookie;
	int32_t res;
	struct rd_text text;
	size_t sent;
};

/* What is looked for, and by whom. */
struct search {
	const struct rd_session *session;
	uint32_t serial;		/* 0: all, one line each */
	struct rd_text *text;
	bool found;
};

static void head(struct search *s, uint32_t id, const struct rd_ring *ring)
{
	rd_text_add(s->text, "Ring:\t%u\nClient:\t%d\nId:\t%u\nSetupFlags:\t0x%x\nState:\t%s\n", ring->serial, s->session->pid, id,
		    ring->ctx.setup_flags, ring->dead ? "ending" : ring->ctx.disabled ? "disabled" : "open");
}

static void visit(void *arg, uint32_t id, const struct rd_ring *ring)
{
	struct search *s = arg;

	if (s->serial && s->serial != ring->serial)
		return;
	s->found = true;
	if (s->serial) {
		head(s, id, ring);
		if (!ring->dead)	/* else its memory may say what it likes: nobody will look at it again */
			rd_ring_show(ring, s->text);
		return;
	}
	rd_text_add(s->text, "ring %u  client %d  id %u  sq %u  cq %u  in flight %u  held back %u%s%s%s\n", ring->serial,
		    s->session->pid, id, ring->sq_entries, ring->cq_entries, ring->ctx.inflight, ring->held,
		    ring->sqpoll ? "  sqpoll" : "", ring->ctx.disabled ? "  disabled" : "", ring->dead ? "  ending" : "");
}

static int32_t make_text(struct rd_service *service, uint32_t serial, struct rd_text *text)
{
	struct search s = { .serial = serial, .text = text };
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &service->sessions) {
		struct rd_session *session = rd_list_entry(l, struct rd_session, link);

		s.session = session;
		rd_hostring_each(session, visit, &s);
	}
	return s.found || !serial ? 0 : -ENOENT;
}

static void info_free(struct rd_service *service, struct rd_info *info)
{
	rd_list_remove(&info->link);
	service->n_infos--;
	rd_text_deinit(&info->text);
	free(info);
}

void rd_info_drop(struct rd_service *service)
{
	while (!rd_list_empty(&service->infos))
		info_free(service, rd_list_first(&service->infos, struct rd_info, link));
}

void rd_info_ask(struct rd_service *service, uint32_t cookie, uint32_t ring)
{
	struct rd_info *info = service->n_infos < RD_INFOS_MAX ? calloc(1, sizeof(*info)) : NULL;

	if (!info)
		return;		/* who asked is told that there was no answer in time */
	info->cookie = cookie;
	rd_text_init(&info->text, RD_LINK_TEXT_MAX);
	info->res = make_text(service, ring, &info->text);
	rd_list_append(&service->infos, &info->link);
	service->n_infos++;
}

/* The next piece. -EAGAIN: not now. */
static int send_piece(struct rd_service *service, struct rd_info *info)
{
	struct rd_link_text piece = { .msg = { .type = RD_LINK_TEXT, .cookie = info->cookie }, .res = info->res };
	size_t left = info->text.len - info->sent;
	int r;

	piece.len = (uint32_t)RD_MIN(left, sizeof(piece.text));
	piece.more = left > piece.len;
	if (piece.len)
		memcpy(piece.text, info->text.buf + info->sent, piece.len);
	r = rd_send_fds(service->link_fd, &piece, offsetof(struct rd_link_text, text) + piece.len, NULL, 0);
	if (r == -EAGAIN)
		return r;
	info->sent += piece.len;
	if (!piece.more)
		info_free(service, info);
	return 0;
}

bool rd_info_send(struct rd_service *service)
{
	while (!rd_list_empty(&service->infos)) {
		if (send_piece(service, rd_list_first(&service->infos, struct rd_info, link)) < 0)
			return false;
	}
	return true;
}
