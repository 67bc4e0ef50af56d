/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which engine a client goes to, and when one is started. The process itself is engine.c's. */
#include "tenant.h"

#include <stdio.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "engine.h"
#include "manager.h"

bool rd_tenant_idle(const struct rd_tenant *t)
{
	return t->state == RD_TENANT_SERVING && t->n_waiting == 0 && t->clients == 0 && t->attached == t->handed;
}

bool rd_tenant_in_use(const struct rd_tenant *t, uint64_t now_ns)
{
	return t->state != RD_TENANT_NONE || rd_backoff_wait(&t->backoff, now_ns) > 0;
}

struct rd_tenant *rd_tenant_free(struct rd_tenant *t)
{
	if (!t)
		return NULL;
	rd_tenant_refuse_waiting(t, -EAGAIN, "ringd is stopping");
	if (t->state != RD_TENANT_NONE)
		rd_engine_release(t);
	rd_list_remove(&t->link);
	t->manager->n_tenants--;
	free(t->key.groups);
	free(t);
	return NULL;
}

static struct rd_tenant *find(struct rd_manager *m, const struct rd_tenant_key *key)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &m->tenants) {
		struct rd_tenant *t = rd_list_entry(l, struct rd_tenant, link);

		if (rd_tenant_key_equal(&t->key, key))
			return t;
	}
	return NULL;
}

/*
 * Is there a place for one more? One uid gets a quarter of them (it may make any number of namespaces); root, which
 * containers share, as many as there are. Makes room by forgetting tenants without an engine.
 */
static int find_place(struct rd_manager *m, uid_t payer, const char **text)
{
	unsigned int per_uid = payer == 0 ? m->cfg->max_tenants : RD_MAX(m->cfg->max_tenants / 4, 1u), n = 0;
	uint64_t now = rd_now_ns();
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &m->tenants) {
		struct rd_tenant *t = rd_list_entry(l, struct rd_tenant, link);

		if (rd_tenant_in_use(t, now))
			n += t->payer == payer;
		else if (m->n_tenants >= m->cfg->max_tenants)
			rd_tenant_free(t);
	}
	if (n >= per_uid) {
		*text = "too many engines of your uid (groups, namespaces or roots differ); see --max-tenants";
		return -EDQUOT;
	}
	if (m->n_tenants >= m->cfg->max_tenants) {
		*text = "too many engines; see --max-tenants";
		return -EDQUOT;
	}
	return 0;
}

static int tenant_new(struct rd_tenant **ret, struct rd_manager *m, const struct rd_peer *peer)
{
	struct rd_tenant *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	if (rd_tenant_key_copy(&t->key, &peer->key) < 0) {
		free(t);
		return -ENOMEM;
	}
	t->manager = m;
	t->payer = peer->payer;
	t->pidfd = t->fd = -1;
	rd_list_init(&t->waiting);
	rd_list_append(&m->tenants, &t->link);
	m->n_tenants++;
	*ret = t;
	return 0;
}

static int get(struct rd_tenant **ret, struct rd_manager *m, const struct rd_peer *peer, const char **text)
{
	struct rd_tenant *t = find(m, &peer->key);
	int r;

	if (t) {
		rd_list_remove(&t->link);	/* to the end: used last */
		rd_list_append(&m->tenants, &t->link);
		*ret = t;
		return 0;
	}
	r = find_place(m, peer->payer, text);
	if (r < 0)
		return r;
	*text = "out of memory";
	return tenant_new(ret, m, peer);
}

/* An engine for the waiting ones. On failure they are refused. */
void rd_tenant_start(struct rd_tenant *t)
{
	struct rd_conn *first = rd_list_first(&t->waiting, struct rd_conn, queue);
	uint64_t wait = rd_backoff_wait(&t->backoff, rd_now_ns());
	char text[RINGD_TEXT_MAX];
	int r;

	if (wait > 0) {
		snprintf(text, sizeof(text), "your engine died; it is started again in %llu ms at the earliest",
			 (unsigned long long)(wait / 1000000 + 1));
		rd_tenant_refuse_waiting(t, -EAGAIN, text);
		return;
	}
	r = rd_engine_start(t, &first->peer);
	if (r < 0) {
		rd_error("cannot start an engine for uid %u: %s", t->key.uid, strerror(-r));
		rd_backoff_died(&t->backoff, rd_now_ns(), rd_now_ns());
		rd_tenant_refuse_waiting(t, -EAGAIN, "your engine could not be started");
		return;
	}
	t->restarts += t->died;
	t->died = false;
}

void rd_tenant_route(struct rd_manager *m, struct rd_conn *conn)
{
	struct rd_tenant *t = NULL;
	const char *text = "";
	int r;

	if (m->stopping)
		return rd_conn_refuse(conn, -EAGAIN, "ringd is stopping");
	r = get(&t, m, &conn->peer, &text);
	if (r < 0) {
		rd_warn("uid %u: %s", conn->uid, text);
		return rd_conn_refuse(conn, r, text);
	}
	if (t->n_waiting >= RD_WAITING_MAX)
		return rd_conn_refuse(conn, -EAGAIN, "too many clients wait for your engine");
	rd_list_append(&t->waiting, &conn->queue);
	t->n_waiting++;
	if (t->state == RD_TENANT_NONE)
		rd_tenant_start(t);
	else if (t->state == RD_TENANT_SERVING)
		rd_engine_flush(t);
}

struct rd_conn *rd_tenant_take_waiting(struct rd_tenant *t)
{
	struct rd_conn *conn = rd_list_first(&t->waiting, struct rd_conn, queue);

	rd_list_remove(&conn->queue);
	t->n_waiting--;
	return conn;
}

void rd_tenant_refuse_waiting(struct rd_tenant *t, int res, const char *text)
{
	while (!rd_list_empty(&t->waiting))
		rd_conn_refuse(rd_tenant_take_waiting(t), res, text);
}

void rd_tenant_engine_gone(struct rd_tenant *t, bool planned, const char *how)
{
	struct rd_manager *m = t->manager;
	char text[RINGD_TEXT_MAX];

	if (!planned) {
		rd_backoff_died(&t->backoff, t->started_ns, rd_now_ns());
		t->died = true;
		snprintf(text, sizeof(text), "your engine ended: %s", how);
		rd_tenant_refuse_waiting(t, -EAGAIN, text);
	}
	if (m->stopping)
		rd_tenant_refuse_waiting(t, -EAGAIN, "ringd is stopping");
	else if (!rd_list_empty(&t->waiting))
		rd_tenant_start(t);	/* they came while the idle one was ending */
	rd_manager_engine_gone(m);
}
