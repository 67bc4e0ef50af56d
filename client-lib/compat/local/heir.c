/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process leaves behind that ends while others have its ring: its requests end with -ECANCELED, those that wait for
 * readiness when their event comes. So each process writes down what it has in flight, and the others watch it. Who sees its
 * end waits for the same file, if it has that under the same number; all else ends at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "daemon/engine/request/request.h"
#include "process.h"

struct rd_local_orphan {
	struct rd_link link;		/* share->orphans */
	struct rd_local_share *share;
	struct rd_poll poll;
	struct rd_watched watched;
	int fd;
	uint32_t slot;
	uint64_t user_data;
};

static struct rd_reactor *reactor(void)
{
	return rd_local.engine.reactor;
}

/* --- the will --- */

static bool waits(const struct rd_req *req)
{
	bool polls = req->state == RD_REQ_POLL || (req->state == RD_REQ_WAIT && req->opcode == RINGD_OP_POLL_ADD);

	return polls && req->file && req->poll.armed;
}

/* False: there is no more room. */
static bool write_down(struct rd_share_page *page, uint32_t *at, uint32_t slot, const struct rd_req *req)
{
	struct rd_share_wait *w;
	struct stat st;

	while (*at < RD_SHARE_WAITS && page->waits[*at].pid)
		++*at;
	if (*at == RD_SHARE_WAITS)
		return false;
	w = &page->waits[(*at)++];
	*w = (struct rd_share_wait){ .user_data = req->user_data, .pid = rd_local.pid, .slot = slot, .fd = -1, .res = -ECANCELED };
	if (req->state == RD_REQ_NOTIF) {
		w->res = 0;
		w->flags = RINGD_CQE_F_NOTIF;
	} else if (waits(req) && !(req->flags & RINGD_SQE_FIXED_FILE) && fstat(req->file->fd, &st) == 0) {
		w->fd = req->fd;
		w->events = req->poll.events;
		w->ino = st.st_ino;
		w->dev = st.st_dev;
	}
	return true;
}

void rd_local_will_write(struct rd_local_share *s)
{
	struct rd_link *l, *tmp;
	uint32_t at = 0;

	for (uint32_t i = 0; i < RD_SHARE_WAITS && s->will; i++) {
		if (s->page->waits[i].pid == rd_local.pid)
			s->page->waits[i].pid = 0;
	}
	for (uint32_t i = 0; i < s->nr; i++) {
		if (!s->rings[i] || s->rings[i]->dormant)
			continue;
		rd_list_foreach(l, tmp, &s->rings[i]->ring->ctx.pending) {
			const struct rd_req *req = rd_list_entry(l, struct rd_req, link);

			if (req->state != RD_REQ_DONE && !write_down(s->page, &at, i, req))
				break;
		}
	}
	s->will = at;
}

/* --- the heir --- */

static void orphan_free(struct rd_local_orphan *o)
{
	if (reactor()) {
		rd_poll_disarm(&o->poll);
		rd_watched_forget(&o->watched, reactor());
	}
	rd_list_remove(&o->link);
	rd_close(o->fd);
	free(o);
	rd_local.heirs--;
}

static void post(struct rd_local_share *s, uint32_t slot, uint64_t user_data, int32_t res, uint32_t flags)
{
	struct rd_local_ring *lr = s->rings[slot];

	if (lr && !lr->dormant)
		(void)rd_ctx_post(&lr->ring->ctx, user_data, res, flags);
}

static void orphan_ready(struct rd_poll *poll)
{
	struct rd_local_orphan *o = RD_CONTAINER_OF(poll, struct rd_local_orphan, poll);

	post(o->share, o->slot, o->user_data, -ECANCELED, 0);
	orphan_free(o);
}

static bool adopt(struct rd_local_share *s, const struct rd_share_wait *w)
{
	struct rd_local_orphan *o;
	struct stat st;

	if (w->fd < 0 || fstat(w->fd, &st) < 0 || st.st_ino != w->ino || st.st_dev != w->dev)
		return false;
	o = calloc(1, sizeof(*o));
	if (!o)
		return false;
	rd_list_init(&o->link);
	rd_watched_init(&o->watched);
	o->share = s;
	o->slot = w->slot;
	o->user_data = w->user_data;
	o->fd = rd_private_dup(w->fd);
	rd_local.heirs++;
	rd_list_append(&s->orphans, &o->link);
	if (o->fd >= 0 && rd_poll_arm(&o->poll, reactor(), &o->watched, o->fd, w->events, orphan_ready) == 0)
		return true;
	orphan_free(o);
	return false;
}

static void inherit(struct rd_local_share *s, pid_t pid)
{
	for (uint32_t i = 0; i < RD_SHARE_WAITS; i++) {
		struct rd_share_wait w = s->page->waits[i];

		if (w.pid != pid || w.slot >= s->nr)
			continue;
		s->page->waits[i].pid = 0;
		if (!adopt(s, &w))
			post(s, w.slot, w.user_data, w.res, w.flags);
	}
	for (uint32_t i = 0; i < RD_SHARE_USERS; i++) {
		if (s->page->user[i] == pid)
			s->page->user[i] = 0;
	}
}

static void on_death(void *arg)
{
	struct rd_local_watch *watch = arg;

	rd_loop_remove(reactor()->loop, &watch->source);
	rd_close(rd_steal_fd(&watch->fd));
	rd_local.heirs--;
	inherit(watch->share, watch->pid);
	watch->pid = 0;
}

/* It may have ended before anybody looked. */
static void watch_begin(struct rd_local_share *s, struct rd_local_watch *watch, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0 && errno == ESRCH) {
		inherit(s, pid);
		return;
	}
	fd = rd_private_fd(fd);
	if (fd < 0)
		return;		/* not on this kernel: its requests are heard of no more */
	*watch = (struct rd_local_watch){ .share = s, .fd = fd, .pid = pid };
	rd_local.heirs++;
	(void)rd_loop_add(reactor()->loop, &watch->source, fd, on_death, watch);
}

void rd_local_heir_watch(struct rd_local_share *s)
{
	for (uint32_t i = 0; i < RD_SHARE_USERS; i++) {
		pid_t pid = s->page->user[i];

		if (pid && pid != rd_local.pid && !s->watch[i].pid)
			watch_begin(s, &s->watch[i], pid);
	}
}

void rd_local_heir_enter(struct rd_local_share *s)
{
	for (uint32_t i = 0; i < RD_SHARE_USERS; i++) {
		if (s->page->user[i] == rd_local.pid)
			return;
	}
	for (uint32_t i = 0; i < RD_SHARE_USERS; i++) {
		if (!s->page->user[i]) {
			s->page->user[i] = rd_local.pid;
			return;
		}
	}
}

void rd_local_heir_forget(struct rd_local_share *s)
{
	while (!rd_list_empty(&s->orphans))
		orphan_free(rd_list_first(&s->orphans, struct rd_local_orphan, link));
	for (uint32_t i = 0; i < RD_SHARE_USERS; i++) {
		if (!s->watch[i].pid)
			continue;
		if (reactor())
			rd_loop_remove(reactor()->loop, &s->watch[i].source);
		rd_close(rd_steal_fd(&s->watch[i].fd));
		s->watch[i].pid = 0;
		rd_local.heirs--;
	}
	s->will = 0;
}
