/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "raw.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/common/clock.h"
#include "daemon/common/fdpass.h"
#include "daemon/common/util.h"

#define RD_PATIENCE_MS	100000	/* only a broken daemon makes us wait that long */
#define RD_SPINS	50

/* --- control --- */

int raw_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = RD_PATIENCE_MS / 1000 };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(sock, 0);
	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	ck_assert_int_eq(connect(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return sock;
}

void raw_send_hello(int sock, uint32_t kind)
{
	struct ringd_hello hello = {
		.msg = { .size = sizeof(hello), .type = RINGD_MSG_HELLO, .seq = 1 },
		.magic = RINGD_WIRE_MAGIC,
		.version_min = RINGD_WIRE_VERSION,
		.version_max = RINGD_WIRE_VERSION,
		.kind = kind,
	};

	ck_assert_int_eq(send(sock, &hello, sizeof(hello), MSG_NOSIGNAL), sizeof(hello));
}

void raw_connect(struct raw *raw, const char *path)
{
	struct ringd_welcome welcome = { 0 };

	*raw = (struct raw){ .sock = raw_socket(path), .seq = 1 };
	raw_send_hello(raw->sock, RINGD_HELLO_CLIENT);
	ck_assert_int_eq(recv(raw->sock, &welcome, sizeof(welcome), 0), sizeof(welcome));
	ck_assert_int_eq(welcome.msg.res, 0);
	ck_assert_uint_eq(welcome.msg.seq, 1);
	raw->engine_pid = welcome.engine_pid;
}

void raw_close(struct raw *raw)
{
	rd_close(rd_steal_fd(&raw->sock));
}

void raw_send(struct raw *raw, const void *data, size_t len, const int *fds, size_t n_fds)
{
	int r, crowded = 0;

	while ((r = rd_send_fds(raw->sock, data, len, fds, n_fds)) == -EAGAIN || r == -ETOOMANYREFS) {
		struct pollfd pfd = { .fd = raw->sock, .events = POLLOUT };

		if (r == -EAGAIN) {
			ck_assert_int_eq(poll(&pfd, 1, RD_PATIENCE_MS), 1);
			continue;
		}
		/* Who is not root may have only so many descriptors under way, all processes of the uid together; nothing
		 * tells when there are fewer again. */
		ck_assert_int_lt(crowded++, RD_PATIENCE_MS);
		poll(NULL, 0, 1);
	}
	/* it may have been ended by now: that is for raw_recv() to say */
	ck_assert_msg(r == 0 || r == -EPIPE || r == -ECONNRESET, "send: %s", strerror(-r));
}

int raw_recv(struct raw *raw, void *data, size_t len, int *fds, size_t *n_fds)
{
	struct pollfd pfd = { .fd = raw->sock, .events = POLLIN };
	size_t none = 0;
	ssize_t n;

	ck_assert_int_eq(poll(&pfd, 1, RD_PATIENCE_MS), 1);
	n = rd_recv_fds(raw->sock, data, len, fds, n_fds ? n_fds : &none);
	if (n == -ECONNRESET)	/* it left packets of ours unread; its own last words come behind that */
		n = rd_recv_fds(raw->sock, data, len, fds, n_fds ? n_fds : &none);
	return n <= 0 ? -ECONNRESET : (int)n;
}

/* Words of a refusal, if it is one. */
static void keep_text(struct raw *raw, const void *answer, int n)
{
	const struct ringd_error *e = answer;

	raw->text[0] = 0;
	if (e->msg.res >= 0)
		return;
	ck_assert_int_eq(n, sizeof(*e));
	ck_assert_ptr_nonnull(memchr(e->text, 0, sizeof(e->text)));
	ck_assert_msg(e->text[0], "a refusal (%d) without words", e->msg.res);
	memcpy(raw->text, e->text, sizeof(e->text));
}

static int call_fds(struct raw *raw, struct ringd_msg *msg, uint16_t type, size_t len, const int *fds, size_t n_fds, void *answer,
		    size_t answer_len, int *got, size_t *n_got)
{
	_Alignas(8) char buf[RINGD_MSG_MAX];
	const struct ringd_msg *head = (const void *)buf;
	int n;

	msg->size = (uint32_t)len;
	msg->type = type;
	msg->seq = ++raw->seq;
	raw_send(raw, msg, len, fds, n_fds);
	n = raw_recv(raw, buf, sizeof(buf), got, n_got);
	if (n < 0)
		return n;
	ck_assert_int_ge(n, sizeof(*head));
	ck_assert_uint_eq(head->size, n);
	ck_assert_uint_eq(head->seq, raw->seq);
	ck_assert_uint_eq(head->type, type);
	keep_text(raw, buf, n);
	if (head->res >= 0 && answer)
		memcpy(answer, buf, RD_MIN(answer_len, (size_t)n));
	return head->res;
}

int raw_call(struct raw *raw, struct ringd_msg *msg, uint16_t type, size_t len, const int *fds, size_t n_fds, void *answer,
	     size_t answer_len)
{
	return call_fds(raw, msg, type, len, fds, n_fds, answer, answer_len, NULL, NULL);
}

void raw_expect_end(struct raw *raw, const char *text)
{
	struct ringd_error e = { .msg = { 0 } };

	ck_assert_int_eq(raw_recv(raw, &e, sizeof(e), NULL, NULL), sizeof(e));
	ck_assert_int_eq(e.msg.res, -EPROTO);
	ck_assert_msg(strstr(e.text, text), "'%s' is not about '%s'", e.text, text);
	ck_assert_int_eq(raw_recv(raw, &e, sizeof(e), NULL, NULL), -ECONNRESET);
}

/* --- rings --- */

static void *map(int fd, uint64_t off, uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

int raw_try_ring(struct raw_ring *ring, struct raw *raw, const struct ringd_params *params, uint64_t scratch_base)
{
	struct ringd_ring_create req = { .params = *params, .scratch_base = scratch_base };
	struct ringd_ring_created created = { .msg = { 0 } };
	int fds[3], r;
	size_t n = 3;

	*ring = (struct raw_ring){ .raw = raw, .fd = -1, .doorbell = -1, .wake = -1, .scratch_base = scratch_base };
	r = call_fds(raw, &req.msg, RINGD_MSG_RING_CREATE, sizeof(req), NULL, 0, &created, sizeof(created), fds, &n);
	if (r < 0)
		return r;
	ck_assert_uint_eq(n, 3);
	ring->fd = fds[0];
	ring->doorbell = fds[1];
	ring->wake = fds[2];
	ring->id = created.ring_id;
	ring->params = created.params;
	ring->rings_size = created.rings_size;
	ring->sqes_size = created.sqes_size;
	ring->scratch_size = created.scratch_size;
	ring->rings = map(ring->fd, RINGD_OFF_SQ_RING, ring->rings_size);
	ring->sqes = map(ring->fd, RINGD_OFF_SQES, ring->sqes_size);
	ring->scratch = map(ring->fd, RINGD_OFF_SCRATCH, ring->scratch_size);
	ring->hot = (struct ringd_hot *)(void *)(ring->rings + created.hot_off);
	ring->cqes = (struct ringd_cqe *)(void *)(ring->rings + ring->params.cq_off.cqes);
	if (!(params->flags & RINGD_SETUP_NO_SQARRAY)) {
		ring->array = (uint32_t *)(void *)(ring->rings + ring->params.sq_off.array);
		for (uint32_t i = 0; i < ring->params.sq_entries; i++)
			ring->array[i] = i;
	}
	return 0;
}

void raw_ring(struct raw_ring *ring, struct raw *raw, unsigned int entries, unsigned int flags)
{
	static unsigned int nr;		/* rings of one client need places of their own */
	struct ringd_params params = { .sq_entries = entries, .flags = flags };
	int r = raw_try_ring(ring, raw, &params, RD_RAW_SCRATCH + ((uint64_t)nr++ << 32));

	ck_assert_msg(r == 0, "no ring: %d, %s", r, raw->text);
}

void raw_ring_drop(struct raw_ring *ring)
{
	if (!ring->rings)
		return;
	munmap(ring->rings, ring->rings_size);
	munmap(ring->sqes, ring->sqes_size);
	munmap(ring->scratch, ring->scratch_size);
	rd_close(ring->fd);
	rd_close(ring->doorbell);
	rd_close(ring->wake);
	ring->rings = NULL;
}

int raw_ring_free(struct raw_ring *ring)
{
	struct ringd_ring_ref ref = { .ring_id = ring->id };

	return raw_call(ring->raw, &ref.msg, RINGD_MSG_RING_FREE, sizeof(ref), NULL, 0, NULL, 0);
}

static bool dead(const struct raw_ring *ring)
{
	return __atomic_load_n(&ring->hot->state, __ATOMIC_ACQUIRE) == RINGD_STATE_DEAD;
}

void raw_ring_doorbell(struct raw_ring *ring)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(ring->doorbell, &one, sizeof(one)), sizeof(one));
}

static void ring_if_asked(struct raw_ring *ring)
{
	/* full barrier: pairs with the engine's between NEED_WAKEUP and its last look */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ring->hot->sq_flags, __ATOMIC_RELAXED) & RINGD_SQ_NEED_WAKEUP)
		raw_ring_doorbell(ring);
}

/* CQEs are held back until we enter. */
static bool overflown(const struct raw_ring *ring)
{
	return !(ring->params.flags & RINGD_SETUP_SQPOLL) &&
	       (__atomic_load_n(&ring->hot->sq_flags, __ATOMIC_ACQUIRE) & RINGD_SQ_CQ_OVERFLOW);
}

static bool reached(const struct raw_ring *ring, uint32_t kind, uint32_t target)
{
	switch (kind) {
	case RINGD_WAIT_KIND_ENTER:
		return __atomic_load_n(&ring->hot->enter_done, __ATOMIC_ACQUIRE) == target;
	case RINGD_WAIT_KIND_CQ:
		return (int32_t)(__atomic_load_n(&ring->hot->cq_tail, __ATOMIC_ACQUIRE) - target) >= 0 || overflown(ring);
	default:
		return (int32_t)(__atomic_load_n(&ring->hot->sq_head, __ATOMIC_ACQUIRE) - target) >= 0;
	}
}

/* Sleep on the wake socket until it is reached. 0, -ECONNRESET, -ETIME. */
static int wait_for(struct raw_ring *ring, uint32_t kind, uint32_t target)
{
	struct pollfd pfd = { .fd = ring->wake, .events = POLLIN };
	uint64_t start = rd_now_ns();
	char drain[64];

	for (int i = 0; i < RD_SPINS; i++) {
		if (reached(ring, kind, target))
			return 0;
		sched_yield();
	}
	for (;;) {
		ring->wait_seq += RINGD_WAIT_SEQ_STEP;
		__atomic_store_n(&ring->hot->wait, RINGD_WAIT(ring->wait_seq | kind, target), __ATOMIC_SEQ_CST);
		if (reached(ring, kind, target))
			return 0;
		if (dead(ring))
			return -ECONNRESET;
		/* a wake-up that never comes must not pass for a slow one */
		if (poll(&pfd, 1, RD_PATIENCE_MS) != 1 || rd_now_ns() - start > RD_PATIENCE_MS * 1000000ull)
			return -ETIME;
		if (recv(ring->wake, drain, sizeof(drain), MSG_DONTWAIT) == 0 && !reached(ring, kind, target))
			return -ECONNRESET;
	}
}

struct ringd_sqe *raw_sqe(struct raw_ring *ring)
{
	struct ringd_sqe *sqe = &ring->sqes[ring->sq_tail & (ring->params.sq_entries - 1)];

	ck_assert_int_ne(wait_for(ring, RINGD_WAIT_KIND_SQ, ring->sq_tail + 1 - ring->params.sq_entries), -ETIME);
	ring->sq_tail++;
	memset(sqe, 0, sizeof(*sqe));
	return sqe;
}

int raw_enter(struct raw_ring *ring, uint32_t to_submit, uint32_t flags)
{
	int r;

	__atomic_store_n(&ring->hot->sq_tail, ring->sq_tail, __ATOMIC_RELEASE);
	__atomic_store_n(&ring->hot->enter_to_submit, to_submit, __ATOMIC_RELAXED);
	__atomic_store_n(&ring->hot->enter_flags, flags, __ATOMIC_RELAXED);
	__atomic_store_n(&ring->hot->enter_seq, ++ring->enter_seq, __ATOMIC_SEQ_CST);
	ring_if_asked(ring);
	r = wait_for(ring, RINGD_WAIT_KIND_ENTER, ring->enter_seq);
	ck_assert_int_ne(r, -ETIME);
	return r < 0 ? r : __atomic_load_n(&ring->hot->enter_res, __ATOMIC_RELAXED);
}

int raw_submit(struct raw_ring *ring)
{
	uint32_t n = ring->sq_tail - __atomic_load_n(&ring->hot->sq_head, __ATOMIC_ACQUIRE);

	if (!(ring->params.flags & RINGD_SETUP_SQPOLL))
		return raw_enter(ring, n, RINGD_ENTER_GETEVENTS);
	__atomic_store_n(&ring->hot->sq_tail, ring->sq_tail, __ATOMIC_SEQ_CST);
	ring_if_asked(ring);
	return dead(ring) ? -ECONNRESET : (int)n;
}

bool raw_cqe_ready(struct raw_ring *ring)
{
	return ring->cq_head != __atomic_load_n(&ring->hot->cq_tail, __ATOMIC_ACQUIRE);
}

int raw_cqe(struct raw_ring *ring, struct ringd_cqe *cqe)
{
	while (!raw_cqe_ready(ring)) {
		int r = overflown(ring) ? raw_enter(ring, 0, RINGD_ENTER_GETEVENTS) :
					  wait_for(ring, RINGD_WAIT_KIND_CQ, ring->cq_head + 1);

		if (r < 0)
			return r;
	}
	memcpy(cqe, &ring->cqes[ring->cq_head & (ring->params.cq_entries - 1)], sizeof(*cqe));
	__atomic_store_n(&ring->hot->cq_head, ++ring->cq_head, __ATOMIC_RELEASE);
	return 0;
}

int raw_one(struct raw_ring *ring, const struct ringd_sqe *sqe)
{
	static uint64_t tag = 0x1000000;
	struct ringd_cqe cqe = { 0 };
	struct ringd_sqe *slot = raw_sqe(ring);
	int r;

	memcpy(slot, sqe, sizeof(*slot));
	slot->user_data = ++tag;
	r = raw_submit(ring);
	if (r < 0)
		return r;
	r = raw_cqe(ring, &cqe);
	if (r < 0)
		return r;
	ck_assert_uint_eq(cqe.user_data, tag);
	return cqe.res;
}

uint32_t raw_ring_reason(struct raw_ring *ring)
{
	struct pollfd pfd = { .fd = ring->wake, .events = POLLIN };
	uint64_t start = rd_now_ns();
	char drain[64];
	ssize_t n;

	do {
		ck_assert_int_eq(poll(&pfd, 1, RD_PATIENCE_MS), 1);
		n = recv(ring->wake, drain, sizeof(drain), MSG_DONTWAIT);
		ck_assert(rd_now_ns() - start < RD_PATIENCE_MS * 1000000ull);
	} while (n > 0);
	ck_assert_int_eq(n, 0);		/* the wake socket was closed too */
	ck_assert(dead(ring));
	return ring->hot->reason;
}

/* --- arenas --- */

int raw_try_arena(struct raw_arena *a, struct raw *raw, uint64_t base, uint64_t size, uint32_t flags)
{
	struct ringd_arena_create req = { .size = size, .base = base, .flags = flags };
	struct ringd_arena_created created = { .msg = { 0 } };
	size_t n = 1;
	int r;

	*a = (struct raw_arena){ .base = base, .size = size, .fd = -1 };
	r = call_fds(raw, &req.msg, RINGD_MSG_ARENA_CREATE, sizeof(req), NULL, 0, &created, sizeof(created), &a->fd, &n);
	if (r < 0)
		return r;
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(created.size, size);
	a->id = created.arena_id;
	a->ptr = map(a->fd, 0, size);
	return 0;
}

void raw_arena(struct raw_arena *a, struct raw *raw, uint64_t base, uint64_t size)
{
	int r = raw_try_arena(a, raw, base, size, 0);

	ck_assert_msg(r == 0, "no arena: %d, %s", r, raw->text);
}

int raw_arena_free(struct raw *raw, uint32_t id)
{
	struct ringd_arena_ref ref = { .arena_id = id };

	return raw_call(raw, &ref.msg, RINGD_MSG_ARENA_FREE, sizeof(ref), NULL, 0, NULL, 0);
}

void raw_arena_drop(struct raw_arena *a)
{
	if (a->ptr)
		munmap(a->ptr, a->size);
	rd_close(a->fd);
	a->ptr = NULL;
	a->fd = -1;
}

/* --- register --- */

int raw_register(struct raw_ring *ring, uint32_t opcode, uint32_t nr, uint32_t has_tags, const void *data, size_t len,
		 const int *fds, size_t n_fds)
{
	_Alignas(8) char buf[RINGD_MSG_MAX];
	struct ringd_register *head = (void *)buf;

	ck_assert_uint_le(len, sizeof(buf) - sizeof(*head));
	*head = (struct ringd_register){ .ring_id = ring->id, .opcode = opcode, .nr = nr, .has_tags = has_tags };
	if (len)
		memcpy(head + 1, data, len);
	return raw_call(ring->raw, &head->msg, RINGD_MSG_REGISTER, sizeof(*head) + len, fds, n_fds, NULL, 0);
}

int raw_register_get(struct raw *raw, uint32_t ring_id, uint32_t opcode, uint32_t nr, const void *data, size_t len, void *out,
		     size_t out_len, int *fd)
{
	_Alignas(8) char buf[RINGD_MSG_MAX], answer[sizeof(struct ringd_registered) + 256] = "";
	struct ringd_register *head = (void *)buf;
	size_t n_fds = fd ? 1 : 0;
	int r;

	ck_assert_uint_le(len, sizeof(buf) - sizeof(*head));
	ck_assert_uint_le(out_len, 256);
	*head = (struct ringd_register){ .ring_id = ring_id, .opcode = opcode, .nr = nr };
	if (len)
		memcpy(head + 1, data, len);
	if (fd)
		*fd = -1;
	r = call_fds(raw, &head->msg, RINGD_MSG_REGISTER, sizeof(*head) + len, NULL, 0, answer, sizeof(answer), fd,
		     fd ? &n_fds : NULL);
	if (out_len)
		memcpy(out, answer + sizeof(struct ringd_registered), out_len);
	return r;
}

int raw_register_files(struct raw_ring *ring, const int *fds, unsigned int nr)
{
	int send[RINGD_MSG_FDS];
	size_t n = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (fds[i] >= 0)
			send[n++] = fds[i];
	}
	return raw_register(ring, RINGD_REGISTER_FILES, nr, 0, fds, nr * sizeof(*fds), send, n);
}

int raw_update_file(struct raw_ring *ring, unsigned int slot, int fd)
{
	struct {
		struct ringd_files_update up;
		int32_t fd;
	} data = { .up = { .offset = slot }, .fd = fd < 0 ? -1 : 0 };

	return raw_register(ring, RINGD_REGISTER_FILES_UPDATE, 1, 0, &data, sizeof(data.up) + sizeof(data.fd), &fd, fd >= 0);
}
