/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service's side of a ring: its memory, its doorbell and its wake socket.
 *
 * The memory is one sparse memfd with the regions at the file offsets io_uring uses, and the scratch area behind them. All
 * its pages are small ones, so a hole the client punches is filled with zeros again when we touch it.
 *
 * The doorbell is an eventfd that only the client writes and that nobody reads: the event is edge-triggered, every write is
 * an edge, the counter means nothing. A client that fills the counter up can ring no more and harms itself.
 *
 * Wake-ups go the other way through a socket pair and not through an eventfd: O_NONBLOCK belongs to the open file
 * description, which the client shares. It could clear the flag, fill the counter, and our next write would sleep for ever
 * (THREATS T29). A send with MSG_DONTWAIT cannot sleep whatever the client does to its end; a full socket is fine, because
 * then there are unread bytes and the client is awake.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
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
	struct rd_layout layout;
	uint64_t scratch_base;
	void *rings, *sqes, *scratch;
	struct rd_charge bytes;
	struct rd_region region;
	struct rd_export export;
};

/* --- the end --- */

static void unmap(void *ptr, uint64_t size)
{
	if (ptr)
		munmap(ptr, size);
}

/* The client is not heard any more and learns that it is not. */
static void hostring_silence(struct rd_hostring *hr)
{
	rd_export_end(&hr->export);
	rd_space_remove(&hr->session->space, hr->scratch_base);
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
	unmap(hr->rings, hr->layout.rings_size);
	unmap(hr->sqes, hr->layout.sqes_size);
	unmap(hr->scratch, hr->layout.scratch_size);
	rd_charge_give(&hr->bytes);
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

static void *map_region(int memfd, uint64_t off, uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, (off_t)off);

	return p == MAP_FAILED ? NULL : p;
}

static int hostring_map(struct rd_session *session, struct rd_hostring *hr, int *memfd)
{
	*memfd = rd_memfd_sealed("ringd-ring", RINGD_OFF_SCRATCH + hr->layout.scratch_size, 0);
	if (*memfd < 0)
		return rd_refuse(session, *memfd, "no memory file for a ring");
	hr->rings = map_region(*memfd, RINGD_OFF_SQ_RING, hr->layout.rings_size);
	hr->sqes = map_region(*memfd, RINGD_OFF_SQES, hr->layout.sqes_size);
	hr->scratch = map_region(*memfd, RINGD_OFF_SCRATCH, hr->layout.scratch_size);
	if (!hr->rings || !hr->sqes || !hr->scratch)
		return rd_refuse(session, -ENOMEM, "no room to map a ring");
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
	const struct rd_ring_memory mem = { .rings = hr->rings, .sqes = hr->sqes };
	const uint64_t entries = (uint64_t)hr->layout.sq_entries + hr->layout.cq_entries;
	int r = rd_ring_new(&hr->ring, engine, &session->host, params, &hr->layout, &mem);

	if (r == -EDQUOT && engine->user.used[RINGD_LIMIT_RINGS] >= engine->user.limit[RINGD_LIMIT_RINGS])
		return rd_refuse_budget(session, RINGD_LIMIT_RINGS, 1);
	if (r == -EDQUOT)
		return rd_refuse_budget(session, RINGD_LIMIT_ENTRIES, entries);
	if (r < 0)
		return rd_refuse(session, r, "the ring could not be started");
	hr->ring->host_data = hr;
	hr->ring->ctx.task_rules = session->task_rules;
	rd_restrict_update(&hr->ring->ctx);
	hr->session = session;
	hr->id = ++session->last_ring;
	rd_export_init(&hr->export, session, hr->ring, hr->id);
	rd_list_append(&session->rings, &hr->link);
	rd_session_get(session);
	return 0;
}

/* Everything but the wake pair; memory is paid before it is made. */
static int hostring_build(struct rd_session *session, struct rd_hostring *hr, struct ringd_params *params, int *memfd)
{
	uint64_t bytes;
	int r;

	r = rd_layout_compute(&hr->layout, params);
	if (r < 0)
		return rd_refuse(session, r, "io_uring_setup would refuse these parameters");
	bytes = hr->layout.rings_size + hr->layout.sqes_size + hr->layout.scratch_size;
	if (rd_charge_take(&hr->bytes, &session->service->engine.user, RINGD_LIMIT_BYTES, bytes) < 0)
		return rd_refuse_budget(session, RINGD_LIMIT_BYTES, bytes);
	r = hostring_map(session, hr, memfd);
	if (r == 0)
		r = hostring_doorbell(session, hr);
	if (r == 0)
		r = rd_space_add(session, &(struct rd_range){ .base = hr->scratch_base, .size = hr->layout.scratch_size,
							      .ptr = hr->scratch });
	if (r < 0)
		return r;
	r = hostring_start(session, hr, params);
	if (r < 0)
		rd_space_remove(&session->space, hr->scratch_base);
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
	hr->scratch_base = scratch_base;
	r = wake_pair(pair);
	if (r < 0) {
		rd_refuse(session, r, "no wake socket for a ring");
	} else {
		hr->wake = pair[0];
		fds[2] = pair[1];
		r = hostring_build(session, hr, params, &fds[0]);
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
		answer.hot_off = hr->layout.hot_off;
		answer.rings_size = hr->layout.rings_size;
		answer.sqes_size = hr->layout.sqes_size;
		answer.scratch_size = hr->layout.scratch_size;
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
