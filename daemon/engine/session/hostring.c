/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service's side of a ring: its doorbell, its wake socket, its end. Its memory is in ringmem.c.
 *
 * The doorbell is an eventfd that only the client writes and that nobody reads: the event is edge-triggered, every write is
 * an edge, the counter means nothing. A client that fills the counter up can ring no more and harms itself.
 *
 * Wake-ups go the other way through a socket pair and not through an eventfd: O_NONBLOCK belongs to the open file
 * description, which the client shares. It could clear the flag, fill the counter, and our next write would sleep for ever
 * (THREATS T29). A send with MSG_DONTWAIT cannot sleep whatever the client does to its end; a full socket is fine, because
 * then there are unread bytes and the client is awake.
 */
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "daemon/common/log.h"
#include "session.h"

struct rd_hostring {
	struct rd_link link;		/* session->rings, until ring_gone() */
	struct rd_session *session;
	struct rd_ring *ring;
	uint32_t id;
	bool dead;
	int doorbell;
	struct event *rung;
	int wake;			/* -1 once the ring is dead */
	struct rd_ringmem mem;
	struct rd_region region;
	struct rd_export export;
};

/* --- the end --- */

/* The client is not heard any more and learns that it is not. */
static void hostring_silence(struct rd_hostring *hr)
{
	rd_export_end(&hr->export);
	rd_ringmem_hide(hr->session, &hr->mem);
	if (hr->rung)
		event_free(hr->rung);
	hr->rung = NULL;
	if (hr->wake >= 0) {
		shutdown(hr->wake, SHUT_RDWR);
		rd_close(rd_steal_fd(&hr->wake));	/* its queue is empty, see wake_pair() */
	}
}

static void hostring_destroy(struct rd_hostring *hr)
{
	if (hr->rung)
		event_free(hr->rung);
	rd_close(hr->doorbell);
	rd_close(hr->wake);
	rd_ringmem_deinit(&hr->mem);
	rd_region_drop(&hr->region);
	free(hr);
}

/* host->ring_dead: its words in memory are written already. */
void rd_hostring_dead(struct rd_host *host, struct rd_ring *ring, uint32_t reason)
{
	struct rd_hostring *hr = ring->host_data;

	(void)host;
	if (reason == RINGD_REASON_SQ_TAIL || reason == RINGD_REASON_CQ_HEAD)
		rd_warn("ring %u of process %d ended: %s", hr->id, hr->session->pid,
			reason == RINGD_REASON_SQ_TAIL ? "SQ tail beyond the ring" : "CQ head outside the ring");
	hr->dead = true;
	hostring_silence(hr);
}

/* host->ring_gone: ring is only a name now. */
void rd_hostring_gone(struct rd_host *host, struct rd_ring *ring)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &session->rings) {
		struct rd_hostring *hr = rd_list_entry(l, struct rd_hostring, link);

		if (hr->ring != ring)
			continue;
		rd_list_remove(&hr->link);
		hostring_destroy(hr);
		rd_session_put(session);
		return;
	}
}

void rd_hostring_kill_all(struct rd_session *session, uint32_t reason)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &session->rings) {
		struct rd_hostring *hr = rd_list_entry(l, struct rd_hostring, link);

		if (!hr->dead)
			rd_ring_kill(hr->ring, reason);
	}
}

/* --- wake-ups --- */

void rd_hostring_wake(struct rd_host *host, struct rd_ring *ring)
{
	struct rd_hostring *hr = ring->host_data;

	(void)host;
	/* a failure means a full socket (the client has bytes to read) or a closed one (its own doing) */
	if (hr->wake >= 0)
		(void)!send(hr->wake, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void hostring_rung(evutil_socket_t fd, short what, void *arg)
{
	struct rd_hostring *hr = arg;

	(void)fd;
	(void)what;
	rd_ring_doorbell(hr->ring);
}

/* pair[0] is ours. Nothing can be sent to us: no memory and no descriptors wait in a queue that nobody reads. */
static int wake_pair(int pair[2])
{
	int size = 1;	/* the kernel makes it its minimum, a few unread bytes */

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (shutdown(pair[0], SHUT_RD) < 0 || setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0) {
		int err = -errno;

		rd_close(rd_steal_fd(&pair[0]));
		rd_close(rd_steal_fd(&pair[1]));
		return err;
	}
	return 0;
}

/* --- the beginning --- */

/*
 * SQ_AFF names a CPU that the client may run on. That is all: one thread serves all rings of the tenant, and it cannot be where
 * each of them wants it.
 */
static int check_cpu(struct rd_session *session, const struct ringd_params *params)
{
	enum { MAX_CPUS = 8192 };
	union {
		cpu_set_t set;
		unsigned char room[MAX_CPUS / 8];
	} cpus = { .room = { 0 } };
	uint32_t cpu = params->sq_thread_cpu;

	if (!(params->flags & RINGD_SETUP_SQ_AFF))
		return 0;
	if (sched_getaffinity(session->pid, sizeof(cpus), &cpus.set) < 0)	/* it is gone, or not in our pid namespace */
		(void)sched_getaffinity(0, sizeof(cpus), &cpus.set);
	if (cpu >= MAX_CPUS || !CPU_ISSET_S(cpu, sizeof(cpus), &cpus.set))
		return rd_refuse(session, -EINVAL, "CPU %u is none that the client may use", cpu);
	return 0;
}

/* ATTACH_WQ: workers and reactor are the tenant's anyway, what there is to share is how long rings are polled. */
static int find_group(struct rd_session *session, const struct ringd_params *params, struct rd_ring **ret)
{
	int fd = (int)params->wq_fd;
	struct rd_ctx *to;

	if (!(params->flags & RINGD_SETUP_ATTACH_WQ))
		return 0;
	if (rd_handle_ring(&session->host, fd, &to) < 0) {
		if (rd_lent_has(session, fd))
			return rd_refuse(session, -EINVAL, "%d is no ring to attach to", fd);
		return rd_refuse(session, -ENXIO, "no ring %d to attach to", fd);
	}
	if (!(params->flags & RINGD_SETUP_SQPOLL))
		return 0;
	if (!(to->setup_flags & RINGD_SETUP_SQPOLL))
		return rd_refuse(session, -EINVAL, "ring %d is not polled", fd);
	*ret = RD_CONTAINER_OF(to, struct rd_ring, ctx);
	return 0;
}

static int hostring_doorbell(struct rd_session *session, struct rd_hostring *hr)
{
	struct rd_reactor *reactor = session->service->engine.reactor;

	hr->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (hr->doorbell < 0)
		return rd_refuse(session, -errno, "no doorbell for a ring");
	hr->rung = event_new(reactor->base, hr->doorbell, EV_READ | EV_ET | EV_PERSIST, hostring_rung, hr);
	if (!hr->rung || event_add(hr->rung, NULL) < 0)
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	return 0;
}

static int hostring_start(struct rd_session *session, struct rd_hostring *hr, const struct ringd_params *params)
{
	struct rd_engine *engine = &session->service->engine;
	const uint64_t entries = (uint64_t)hr->mem.layout.sq_entries + hr->mem.layout.cq_entries;
	int r = rd_ring_new(&hr->ring, engine, &session->host, params, &hr->mem.layout, &hr->mem.shared);

	if (r == -EDQUOT && engine->user.used[RINGD_LIMIT_RINGS] >= engine->user.limit[RINGD_LIMIT_RINGS])
		return rd_refuse_budget(session, RINGD_LIMIT_RINGS, 1);
	if (r == -EDQUOT)
		return rd_refuse_budget(session, RINGD_LIMIT_ENTRIES, entries);
	if (r < 0)
		return rd_refuse(session, r, "the ring could not be started");
	hr->ring->host_data = hr;
	hr->ring->ctx.task_rules = session->task_rules;
	/* a socket made here would be in our network */
	if (session->flags & RD_CLIENT_NO_NETWORK)
		rd_restrict_deny(&hr->ring->ctx, RINGD_OP_SOCKET);
	rd_restrict_update(&hr->ring->ctx);
	hr->session = session;
	hr->id = ++session->last_ring;
	rd_export_init(&hr->export, session, hr->ring, hr->id);
	rd_list_append(&session->rings, &hr->link);
	rd_session_get(session);
	return 0;
}

/* Everything but the wake pair. */
static int hostring_build(struct rd_session *session, struct rd_hostring *hr, struct ringd_params *params, uint64_t scratch_base,
			  int *memfd)
{
	struct rd_ring *group = NULL;
	int r;

	r = rd_ringmem_layout(session, &hr->mem, params);
	if (r == 0)
		r = check_cpu(session, params);
	if (r == 0)
		r = rd_ringmem_map(session, &hr->mem, params, scratch_base, memfd);
	if (r == 0)
		r = find_group(session, params, &group);
	if (r == 0)
		r = hostring_doorbell(session, hr);
	if (r == 0)
		r = hostring_start(session, hr, params);
	if (r < 0)
		rd_ringmem_hide(session, &hr->mem);
	else if (group)
		rd_ring_attach(hr->ring, group);
	return r;
}

static int hostring_new(struct rd_hostring **ret, struct rd_session *session, struct ringd_params *params, uint64_t scratch_base,
			int fds[3])
{
	struct rd_hostring *hr = calloc(1, sizeof(*hr));
	int pair[2], r;

	if (!hr)
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	hr->doorbell = hr->wake = -1;
	r = wake_pair(pair);
	if (r < 0) {
		rd_refuse(session, r, "no wake socket for a ring");
	} else {
		hr->wake = pair[0];
		fds[2] = pair[1];
		r = hostring_build(session, hr, params, scratch_base, &fds[0]);
	}
	if (r < 0) {
		hostring_destroy(hr);
		return r;
	}
	fds[1] = hr->doorbell;
	*ret = hr;
	return 0;
}

int rd_hostring_create(struct rd_session *session, struct rd_packet *p)
{
	const struct ringd_ring_create *req = p->data;
	struct ringd_ring_created answer = { .params = req->params };
	int fds[3] = { -1, -1, -1 };	/* memory, doorbell, the client's end of the wake pair */
	struct rd_hostring *hr = NULL;
	int r;

	r = hostring_new(&hr, session, &answer.params, req->scratch_base, fds);
	if (r == 0) {
		answer.ring_id = hr->id;
		answer.hot_off = hr->mem.layout.hot_off;
		answer.rings_size = hr->mem.layout.rings_size;
		answer.sqes_size = hr->mem.layout.sqes_size;
		answer.scratch_size = hr->mem.layout.scratch_size;
		r = rd_session_answer(session, &answer.msg, sizeof(answer), 0, fds, RD_ARRAY_SIZE(fds));
		if (r < 0 && session->connected) {
			rd_ring_kill(hr->ring, RINGD_REASON_FREED);
			rd_refuse(session, r, "the ring's descriptors could not be sent");
		} else {
			r = 0;
		}
	}
	rd_close(fds[0]);
	rd_close(fds[2]);
	return r;
}

/* --- another size --- */

static int resize_to(struct rd_session *session, struct rd_ring *ring, const struct rd_ringmem *mem)
{
	int r = rd_ring_resize(ring, &mem->layout, &mem->shared);

	if (r == -EDQUOT)
		return rd_refuse_budget(session, RINGD_LIMIT_ENTRIES, (uint64_t)mem->layout.sq_entries + mem->layout.cq_entries);
	if (r == -EBUSY)
		return rd_refuse(session, r, "an enter of the ring is outstanding");
	return r < 0 ? rd_refuse(session, r, "what is in the ring does not fit into one of that size") : 0;
}

int rd_hostring_resize(struct rd_session *session, struct rd_ring *ring, struct ringd_resized *ret, uint64_t scratch_base,
		       int *memfd)
{
	struct rd_hostring *hr = ring->host_data;
	struct rd_ringmem mem = { 0 };
	int r;

	r = rd_ringmem_layout(session, &mem, &ret->params);
	if (r == 0)
		r = rd_ringmem_map(session, &mem, &ret->params, scratch_base, memfd);
	if (r == 0)
		r = resize_to(session, ring, &mem);
	if (r < 0) {
		rd_ringmem_hide(session, &mem);
		rd_ringmem_deinit(&mem);
		return r;
	}
	rd_ringmem_hide(session, &hr->mem);
	rd_ringmem_deinit(&hr->mem);
	hr->mem = mem;
	ret->hot_off = mem.layout.hot_off;
	ret->rings_size = mem.layout.rings_size;
	ret->sqes_size = mem.layout.sqes_size;
	ret->scratch_size = mem.layout.scratch_size;
	return 0;
}

/* --- by id --- */

struct rd_ring *rd_hostring_own(struct rd_session *session, uint32_t id)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &session->rings) {
		struct rd_hostring *hr = rd_list_entry(l, struct rd_hostring, link);

		if (hr->id == id && !hr->dead)
			return hr->ring;
	}
	return NULL;
}

struct rd_ring *rd_hostring_next(struct rd_session *session, struct rd_ring *after)
{
	struct rd_link *l = after ? ((struct rd_hostring *)after->host_data)->link.next : session->rings.next;

	for (; l != &session->rings; l = l->next) {
		struct rd_hostring *hr = rd_list_entry(l, struct rd_hostring, link);

		if (!hr->dead)
			return hr->ring;
	}
	return NULL;
}

uint32_t rd_hostring_id(const struct rd_ring *ring)
{
	const struct rd_hostring *hr = ring->host_data;

	return hr->id;
}

struct rd_export *rd_hostring_export(struct rd_ring *ring)
{
	struct rd_hostring *hr = ring->host_data;

	return &hr->export;
}

struct rd_ring *rd_hostring_find(struct rd_session *session, uint32_t id, int *err)
{
	struct rd_ring *ring = rd_hostring_own(session, id);

	if (ring)
		return ring;
	if (id && id <= session->last_ring)
		*err = rd_refuse(session, -ECONNRESET, "ring %u has ended", id);
	else
		*err = rd_refuse(session, -ENOENT, "no ring %u", id);
	return NULL;
}

void rd_hostring_each(struct rd_session *session, void (*fn)(void *arg, uint32_t id, const struct rd_ring *ring), void *arg)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &session->rings) {
		const struct rd_hostring *hr = rd_list_entry(l, struct rd_hostring, link);

		fn(arg, hr->id, hr->ring);
	}
}

struct rd_region *rd_hostring_region(const struct rd_ring *ring)
{
	return &((struct rd_hostring *)ring->host_data)->region;
}

int rd_hostring_free(struct rd_session *session, struct rd_packet *p)
{
	const struct ringd_ring_ref *req = p->data;
	struct rd_ring *ring;
	int r = 0;

	if (req->resv)
		return rd_refuse(session, -EINVAL, "a reserved field is not zero");
	ring = rd_hostring_find(session, req->ring_id, &r);
	if (ring)
		rd_ring_kill(ring, RINGD_REASON_FREED);
	else if (r != -ECONNRESET)	/* one that died by itself may still be freed */
		return r;
	return rd_session_answer_res(session, 0);
}
