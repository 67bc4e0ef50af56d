/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status of engines, and their rings in words: every engine the asker may see is asked over its link; those that do not
 * answer in time are told as such. The asker is one more unknown peer: few at a time, bounded memory, a deadline for
 * reading. Engines are the tenants': what they say is passed on to those only who may see the tenant, and never looked at.
 */
#include "status.h"

#include <string.h>

#include "daemon/common/fdpass.h"
#include "daemon/common/util.h"
#include "engine.h"
#include "manager.h"

struct answer {
	struct rd_link link;		/* query->answers */
	struct rd_tenant *tenant;	/* NULL: no answer is awaited any more */
	struct ringd_status status;	/* kind RING: only its head is used */
	char *text;			/* kind RING, owned */
	size_t len, sent;
};

struct rd_query {
	struct rd_link link;		/* manager->queries */
	struct rd_manager *manager;
	struct rd_link answers;
	unsigned int n_awaited;
	uint32_t cookie, seq;
	uint32_t kind;			/* RINGD_HELLO_STATUS, RING */
	uint32_t pid, ring;		/* kind RING: 0 for all, see struct ringd_hello */
	size_t bytes;			/* of text */
	uid_t uid;
	int fd;
	bool sending;
	struct event ev_timer, ev_write;
};

static void answer_free(struct answer *a)
{
	rd_list_remove(&a->link);
	free(a->text);
	free(a);
}

static void query_free(struct rd_query *q)
{
	struct rd_link *l, *tmp;

	event_del(&q->ev_timer);
	event_del(&q->ev_write);
	rd_list_foreach(l, tmp, &q->answers)
		answer_free(rd_list_entry(l, struct answer, link));
	rd_list_remove(&q->link);
	rd_close(q->fd);
	free(q);
}

void rd_status_drop_all(struct rd_manager *m)
{
	while (!rd_list_empty(&m->queries))
		query_free(rd_list_first(&m->queries, struct rd_query, link));
}

/* The next piece of a text; a->sent tells where it goes on. */
static int send_piece(struct rd_query *q, struct answer *a)
{
	const struct ringd_status *s = &a->status;
	struct ringd_ring_info info = {
		.msg = { .size = sizeof(info), .type = RINGD_MSG_RING_INFO, .seq = q->seq, .res = s->msg.res },
		.engine_pid = s->engine_pid,
		.uid = s->uid,
		.len = (uint32_t)RD_MIN(a->len - a->sent, sizeof(info.text)),
	};
	int r;

	info.more = a->len - a->sent > info.len;
	if (info.len)
		memcpy(info.text, a->text + a->sent, info.len);
	r = rd_send_fds(q->fd, &info, sizeof(info), NULL, 0);
	if (r == 0)
		a->sent += info.len;
	return r;
}

static int send_answer(struct rd_query *q, struct answer *a)
{
	int r;

	if (q->kind == RINGD_HELLO_STATUS)
		return rd_send_fds(q->fd, &a->status, sizeof(a->status), NULL, 0);
	if (a->status.msg.res == -ENOENT)
		return 0;	/* another engine's ring: this one is not worth mentioning */
	do
		r = send_piece(q, a);
	while (r == 0 && a->sent < a->len);
	return r;
}

static int send_end(const struct rd_query *q)
{
	const struct ringd_status status = {
		.msg = { .size = sizeof(status), .type = RINGD_MSG_STATUS, .seq = q->seq },
	};
	const struct ringd_ring_info info = {
		.msg = { .size = sizeof(info), .type = RINGD_MSG_RING_INFO, .seq = q->seq },
	};

	if (q->kind == RINGD_HELLO_STATUS)
		return rd_send_fds(q->fd, &status, sizeof(status), NULL, 0);
	return rd_send_fds(q->fd, &info, sizeof(info), NULL, 0);
}

/* Sends what the socket takes; the last packet has no engine. */
static void send_answers(struct rd_query *q)
{
	int r = 0;

	while (r == 0 && !rd_list_empty(&q->answers)) {
		struct answer *a = rd_list_first(&q->answers, struct answer, link);

		r = send_answer(q, a);
		if (r == 0)
			answer_free(a);
	}
	if (r == 0)
		r = send_end(q);
	if (r == -EAGAIN)
		event_add(&q->ev_write, NULL);
	else
		query_free(q);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	send_answers(arg);
}

static void start_sending(struct rd_query *q)
{
	const struct timeval tv = { .tv_sec = RD_SEND_MS / 1000 };

	q->sending = true;
	event_add(&q->ev_timer, &tv);
	send_answers(q);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rd_query *q = arg;

	if (q->sending)
		query_free(q);		/* it does not read */
	else
		start_sending(q);	/* who has not answered stays at -ETIMEDOUT */
}

/* What the engine has no say in. */
static void fill_in(struct answer *a, const struct rd_query *q, const struct rd_tenant *t, int res)
{
	struct ringd_status *s = &a->status;

	s->msg = (struct ringd_msg){ .size = sizeof(*s), .type = RINGD_MSG_STATUS, .seq = q->seq, .res = res };
	s->engine_pid = (uint32_t)t->pid;
	s->uid = t->key.uid;
	s->gid = t->key.gid;
	s->restarts = t->restarts;
}

/* The name ends up on an administrator's terminal. */
static void clean_name(char *name, size_t size)
{
	name[size - 1] = 0;
	for (char *p = name; *p; p++)
		if (!(*p >= 'a' && *p <= 'z'))
			*p = '?';
}

static void answered(struct rd_query *q, struct answer *a)
{
	a->tenant = NULL;
	if (--q->n_awaited == 0 && !q->sending)
		start_sending(q);
}

static struct answer *find_answer(struct rd_query *q, const struct rd_tenant *t)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &q->answers) {
		struct answer *a = rd_list_entry(l, struct answer, link);

		if (a->tenant == t)
			return a;
	}
	return NULL;
}

/* Who waits for this answer of that engine: it answers for itself only, once, whatever cookie it says. Or NULL. */
static struct answer *awaited(struct rd_tenant *t, uint32_t cookie, uint32_t kind, struct rd_query **ret)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &t->manager->queries) {
		struct rd_query *q = rd_list_entry(l, struct rd_query, link);

		if (q->cookie != cookie || q->kind != kind)
			continue;
		*ret = q;
		return q->sending ? NULL : find_answer(q, t);
	}
	return NULL;
}

void rd_status_answer(struct rd_tenant *t, const struct rd_link_stats *stats)
{
	struct rd_query *q;
	struct answer *a = awaited(t, stats->msg.cookie, RINGD_HELLO_STATUS, &q);

	if (!a)
		return;
	a->status = stats->status;
	fill_in(a, q, t, 0);
	clean_name(a->status.backend, sizeof(a->status.backend));
	answered(q, a);
}

/* As much of it as there is room for. */
static void keep_text(struct rd_query *q, struct answer *a, const char *src, size_t len)
{
	char *text;

	len = RD_MIN(len, RD_MIN(RD_LINK_TEXT_MAX - a->len, RD_QUERY_TEXT - q->bytes));
	text = len ? realloc(a->text, a->len + len) : NULL;
	if (!text)
		return;
	memcpy(text + a->len, src, len);
	a->text = text;
	a->len += len;
	q->bytes += len;
}

void rd_status_text(struct rd_tenant *t, const struct rd_link_text *piece)
{
	struct rd_query *q;
	struct answer *a = awaited(t, piece->msg.cookie, RINGD_HELLO_RING, &q);

	if (!a)
		return;
	keep_text(q, a, piece->text, piece->len);
	if (piece->more)
		return;
	a->status.msg.res = piece->res ? -ENOENT : 0;
	answered(q, a);
}

void rd_status_forget(struct rd_tenant *t)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &t->manager->queries) {
		struct rd_query *q = rd_list_entry(l, struct rd_query, link);
		struct answer *a = find_answer(q, t);

		if (!a)
			continue;
		a->status.msg.res = -ECONNRESET;
		answered(q, a);
	}
}

static bool may_see(const struct rd_query *q, const struct rd_tenant *t)
{
	return q->uid == 0 || q->uid == q->manager->self.key.uid || q->uid == t->key.uid;
}

static int ask(struct rd_query *q, struct rd_tenant *t)
{
	return q->kind == RINGD_HELLO_STATUS ? rd_engine_ask_stats(t, q->cookie) : rd_engine_ask_ring(t, q->cookie, q->ring);
}

static int ask_engines(struct rd_query *q)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &q->manager->tenants) {
		struct rd_tenant *t = rd_list_entry(l, struct rd_tenant, link);
		struct answer *a;

		if (t->state == RD_TENANT_NONE || !may_see(q, t) || (q->pid && q->pid != (uint32_t)t->pid))
			continue;
		a = calloc(1, sizeof(*a));
		if (!a)
			return -ENOMEM;
		fill_in(a, q, t, -ETIMEDOUT);
		rd_list_append(&q->answers, &a->link);
		if (ask(q, t) == 0) {
			a->tenant = t;
			q->n_awaited++;
		}
	}
	return 0;
}

/* A query of that connection, whose socket it takes. NULL: out of memory. */
static struct rd_query *query_new(struct rd_conn *conn, const struct ringd_hello *hello)
{
	struct rd_manager *m = conn->manager;
	struct rd_query *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->manager = m;
	q->cookie = m->next_cookie++;
	q->seq = conn->seq;
	q->kind = hello->kind;
	q->pid = hello->engine_pid;
	q->ring = hello->ring;
	q->uid = conn->uid;
	q->fd = rd_steal_fd(&conn->fd);
	rd_list_init(&q->answers);
	rd_list_append(&m->queries, &q->link);
	event_assign(&q->ev_timer, m->base, -1, 0, on_timer, q);
	event_assign(&q->ev_write, m->base, q->fd, EV_WRITE, on_writable, q);
	return q;
}

static bool too_many(struct rd_manager *m, uid_t uid)
{
	unsigned int all = 0, own = 0;
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &m->queries) {
		all++;
		own += rd_list_entry(l, struct rd_query, link)->uid == uid;
	}
	return all >= RD_QUERIES_MAX || own >= RD_QUERIES_PER_UID;
}

void rd_status_ask(struct rd_conn *conn, const struct ringd_hello *hello)
{
	const struct timeval tv = { .tv_sec = RD_STATS_MS / 1000, .tv_usec = RD_STATS_MS % 1000 * 1000 };
	struct rd_query *q;

	if (too_many(conn->manager, conn->uid))
		return rd_conn_refuse(conn, -EAGAIN, "too many ask for the status at one time");
	q = query_new(conn, hello);
	if (!q)
		return rd_conn_refuse(conn, -ENOMEM, "out of memory");
	rd_conn_free(conn);
	if (ask_engines(q) < 0)
		return query_free(q);
	event_add(&q->ev_timer, &tv);
	if (q->n_awaited == 0)
		start_sending(q);
}
