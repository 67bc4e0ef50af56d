/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_engine.h"

#define MUST(expr) do { if (!(expr)) { perror(#expr); abort(); } } while (0)
#define load(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

/* --- data --- */

static void wake_sleeper(struct fake_ring *r)
{
	uint64_t wait;
	uint32_t target;
	bool hit;

	/* full barrier: between what was published and the wait word */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wait = load(&r->hot->wait);
	target = (uint32_t)wait;
	if (!(wait >> 32) || (uint32_t)(wait >> 32) == r->signalled)
		return;
	switch (wait >> 32 & RINGD_WAIT_KIND_MASK) {
	case RINGD_WAIT_KIND_CQ:
		hit = (int32_t)(r->cq_tail - target) >= 0 || r->n_held;
		break;
	case RINGD_WAIT_KIND_ENTER:
		hit = load(&r->hot->enter_done) == target;
		break;
	case RINGD_WAIT_KIND_SQ:
		hit = (int32_t)(r->sq_head - target) >= 0;
		break;
	default:
		hit = true;
	}
	if (!hit)
		return;
	r->signalled = (uint32_t)(wait >> 32);
	r->bytes_sent += send(r->wake, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static void publish_flags(struct fake_ring *r, bool dozing)
{
	store(&r->hot->sq_flags, (dozing ? RINGD_SQ_NEED_WAKEUP : 0) | (r->n_held ? RINGD_SQ_CQ_OVERFLOW : 0));
}

static bool room(const struct fake_ring *r)
{
	return r->cq_tail - load(&r->hot->cq_head) < r->params.cq_entries;
}

static void post(struct fake_ring *r, struct ringd_cqe cqe)
{
	if (r->n_held || !room(r)) {
		MUST(r->n_held < FAKE_MAX_HELD);
		r->held[r->n_held++] = cqe;
		return;
	}
	r->cqes[r->cq_tail++ & (r->params.cq_entries - 1)] = cqe;
}

static void flush(struct fake_ring *r)
{
	unsigned int n = 0;

	while (n < r->n_held && room(r))
		r->cqes[r->cq_tail++ & (r->params.cq_entries - 1)] = r->held[n++];
	memmove(r->held, r->held + n, (r->n_held - n) * sizeof(r->held[0]));
	r->n_held -= n;
}

static void serve(struct fake_ring *r, const struct ringd_sqe *sqe)
{
	struct ringd_cqe cqe = { .user_data = sqe->user_data };

	if (sqe->opcode == RINGD_OP_NOP && (sqe->nop_flags & RINGD_NOP_INJECT_RESULT))
		cqe.res = (int32_t)sqe->len;
	post(r, cqe);
}

/* Of an enter that took nothing: lost CQEs are told of once. */
static int32_t enter_error(struct fake_ring *r, uint32_t flags)
{
	if (!r->lost || !(flags & RINGD_ENTER_GETEVENTS))
		return 0;
	r->lost = false;
	return -EBADR;
}

/* true: something was done */
static bool visit(struct fake *f, struct fake_ring *r)
{
	uint32_t seq = load(&r->hot->enter_seq), n, flags = 0, taken = 0;
	bool entered = seq != r->enter_seen, sqpoll = r->params.flags & RINGD_SETUP_SQPOLL;

	if (r->dead || (f->when_asleep && !load(&r->hot->wait)))
		return false;
	n = load(&r->hot->sq_tail) - r->sq_head;
	if (entered) {
		flags = load(&r->hot->enter_flags);
		if (!sqpoll && load(&r->hot->enter_to_submit) < n)
			n = load(&r->hot->enter_to_submit);
	} else if (!sqpoll) {
		n = 0;
	}
	if (f->take && f->take < n)
		n = f->take;
	if (f->starved)
		n = 0;
	if (!n && !entered)
		return false;
	if (flags & RINGD_ENTER_GETEVENTS)
		flush(r);
	for (; taken < n; taken++) {
		struct ringd_sqe sqe = r->sqes[(r->sq_head + taken) & (r->params.sq_entries - 1)];

		serve(r, &sqe);
	}
	r->sq_head += n;
	store(&r->hot->cq_tail, r->cq_tail);
	publish_flags(r, false);
	store(&r->hot->sq_head, r->sq_head);
	if (entered) {
		r->enter_seen = seq;
		__atomic_store_n(&r->hot->enter_res, f->starved ? -EAGAIN : n ? (int32_t)n : enter_error(r, flags), __ATOMIC_RELAXED);
		store(&r->hot->enter_done, seq);
	}
	wake_sleeper(r);
	return true;
}

void fake_visit(struct fake *f, struct fake_ring *ring)
{
	pthread_mutex_lock(&f->lock);
	visit(f, ring);
	pthread_mutex_unlock(&f->lock);
}

void fake_post(struct fake *f, struct fake_ring *r, uint64_t user_data, int32_t res)
{
	pthread_mutex_lock(&f->lock);
	post(r, (struct ringd_cqe){ .user_data = user_data, .res = res, .flags = f->post_flags });
	store(&r->hot->cq_tail, r->cq_tail);
	publish_flags(r, load(&r->hot->sq_flags) & RINGD_SQ_NEED_WAKEUP);
	wake_sleeper(r);
	pthread_mutex_unlock(&f->lock);
}

void fake_lose(struct fake *f, struct fake_ring *r)
{
	pthread_mutex_lock(&f->lock);
	r->lost = true;
	store(&r->hot->cq_overflow, r->hot->cq_overflow + 1);
	pthread_mutex_unlock(&f->lock);
}

static bool look(struct fake *f)
{
	bool any = false;

	pthread_mutex_lock(&f->lock);
	for (int i = 0; i < FAKE_MAX_RINGS && !f->stopped; i++)
		any |= f->rings[i].used && visit(f, &f->rings[i]);
	pthread_mutex_unlock(&f->lock);
	return any;
}

static void doze(struct fake *f, bool on)
{
	pthread_mutex_lock(&f->lock);
	for (int i = 0; i < FAKE_MAX_RINGS; i++) {
		if (!f->rings[i].used)
			continue;
		publish_flags(&f->rings[i], on);
		f->rings[i].dozes += on;
		f->rings[i].asleep = false;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&f->lock);
}

/* After the last look: what has happened before is done with. Rings that came after doze() have yet to be looked at. */
static bool fall_asleep(struct fake *f, int ep)
{
	struct epoll_event ev;

	if (epoll_wait(ep, &ev, 1, 0) > 0)
		return false;
	pthread_mutex_lock(&f->lock);
	for (int i = 0; i < FAKE_MAX_RINGS; i++)
		f->rings[i].asleep = f->rings[i].used && (f->rings[i].hot->sq_flags & RINGD_SQ_NEED_WAKEUP);
	pthread_mutex_unlock(&f->lock);
	return true;
}

/* New rings, and the end, are not told by a doorbell. */
static void kick(struct fake *f)
{
	const uint64_t one = 1;

	MUST(write(f->kick, &one, sizeof(one)) == sizeof(one));
}

/* Looks a while, then asks for the doorbell, looks once more, sleeps: as a reactor. */
static void *engine_thread(void *arg)
{
	struct fake *f = arg;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	unsigned int idle = 0;
	const int ep = f->ep;

	epoll_ctl(ep, EPOLL_CTL_ADD, f->kick, &ev);
	while (!f->done) {
		bool any;

		pthread_mutex_lock(&f->lock);
		for (int i = 0; i < FAKE_MAX_RINGS; i++) {
			ev = (struct epoll_event){ .events = EPOLLIN | EPOLLET };
			if (f->rings[i].used)	/* again and again: EEXIST is fine */
				epoll_ctl(ep, EPOLL_CTL_ADD, f->rings[i].doorbell, &ev);
		}
		pthread_mutex_unlock(&f->lock);
		if (look(f)) {
			idle = 0;
			continue;
		}
		sched_yield();
		if (++idle < 20 || f->stopped || f->when_asleep)
			continue;
		doze(f, true);
		any = look(f);
		/* no timeout: without the doorbell this is the end */
		if (!any && !f->done && (!fall_asleep(f, ep) || epoll_wait(ep, &ev, 1, -1) > 0))
			idle = 0;
		doze(f, false);
	}
	return NULL;
}

/* --- control --- */

static void answer(struct fake *f, void *data, size_t size, const struct ringd_msg *to, int32_t res, const int *fds, int n)
{
	char control[CMSG_SPACE(4 * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct ringd_msg *msg = data;

	*msg = (struct ringd_msg){ .size = (uint32_t)size, .type = to->type, .seq = to->seq, .res = res };
	if (n) {
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		CMSG_FIRSTHDR(&mh)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&mh)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), fds, (size_t)n * sizeof(int));
	}
	sendmsg(f->sock, &mh, MSG_NOSIGNAL);
}

static void refuse(struct fake *f, const struct ringd_msg *to, int32_t err, const char *text)
{
	struct ringd_error e = { 0 };

	snprintf(e.text, sizeof(e.text), "%s", text ? text : "");
	answer(f, &e, sizeof(e), to, err, NULL, 0);
}

static void on_hello(struct fake *f, const struct ringd_msg *msg)
{
	struct ringd_welcome w = { .version = RINGD_WIRE_VERSION, .engine_pid = 4711, .limits = { [RINGD_LIMIT_RINGS] = 9, [RINGD_LIMIT_INFLIGHT] = 512 } };

	switch (atomic_load(&f->hello)) {
	case FAKE_REFUSE:
		refuse(f, msg, -EDQUOT, f->fail_text);
		break;
	case FAKE_GARBAGE:
		(void)!send(f->sock, "garbage", 7, MSG_NOSIGNAL);
		break;
	case FAKE_HANGUP:
		break;
	case FAKE_NEW_VERSION:
		w.version = 77;
		answer(f, &w, sizeof(w), msg, 0, NULL, 0);
		break;
	case FAKE_WELCOME:
		answer(f, &w, sizeof(w), msg, 0, NULL, 0);
		return;
	}
	close(f->sock);
	f->sock = -1;
}

static uint32_t pow2(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static void *map_at(int fd, size_t size, uint64_t off)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);

	MUST(p != MAP_FAILED);
	return p;
}

static void on_ring(struct fake *f, const struct ringd_ring_create *c)
{
	struct ringd_ring_created out = { .hot_off = 128 };
	int fds[3], wake[2], i = 0;
	struct fake_ring *r;

	pthread_mutex_lock(&f->lock);
	while (f->rings[i].used)
		MUST(++i < FAKE_MAX_RINGS);
	r = &f->rings[i];
	memset(r, 0, sizeof(*r));
	r->create = *c;
	r->params = c->params;
	r->params.sq_entries = pow2(c->params.sq_entries);
	r->params.cq_entries = c->params.flags & RINGD_SETUP_CQSIZE ? pow2(c->params.cq_entries) : r->params.sq_entries * 2;
	r->params.features = RINGD_FEAT_NODROP;
	r->params.cq_off.cqes = 128 + sizeof(struct ringd_hot);
	out.params = r->params;
	out.ring_id = (uint32_t)i + 100;
	out.rings_size = r->rings_size = (r->params.cq_off.cqes + r->params.cq_entries * 16 + 4095) & ~4095u;
	out.sqes_size = r->sqes_size = (r->params.sq_entries * 128 + 4095) & ~4095u;
	out.scratch_size = r->scratch_size = (r->params.sq_entries + 1ul) * RINGD_SCRATCH_PER_SQE;
	fds[0] = memfd_create("ring", MFD_CLOEXEC);
	MUST(fds[0] >= 0 && ftruncate(fds[0], (off_t)(RINGD_OFF_SCRATCH + r->scratch_size)) == 0);
	if (r->params.flags & RINGD_SETUP_NO_MMAP) {
		r->rings = f->arena_map + (r->params.cq_off.user_addr - f->arena.base);
		r->sqes = (struct ringd_sqe *)(void *)(f->arena_map + (r->params.sq_off.user_addr - f->arena.base));
	} else {
		r->rings = map_at(fds[0], r->rings_size, RINGD_OFF_SQ_RING);
		r->sqes = map_at(fds[0], r->sqes_size, RINGD_OFF_SQES);
	}
	r->scratch = map_at(fds[0], r->scratch_size, RINGD_OFF_SCRATCH);
	r->hot = (struct ringd_hot *)((char *)r->rings + 128);
	r->cqes = (struct ringd_cqe *)((char *)r->rings + r->params.cq_off.cqes);
	r->hot->sq_head = r->hot->sq_tail = r->hot->cq_head = r->hot->cq_tail = f->first_index;
	r->hot->enter_seq = r->hot->enter_done = f->first_index;
	r->sq_head = r->cq_tail = r->enter_seen = f->first_index;
	r->doorbell = fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, wake) == 0);
	fds[2] = wake[0];
	r->wake = wake[1];
	r->used = true;
	kick(f);	/* inside: what is seen as used was kicked for, so a ring that is asleep is not woken by it */
	pthread_mutex_unlock(&f->lock);
	answer(f, &out, sizeof(out), &c->msg, 0, fds, 3);
	close(fds[0]);
	close(fds[2]);
}

static void drop_ring(struct fake_ring *r)
{
	if (!r->used)
		return;
	r->used = false;
	if (!(r->params.flags & RINGD_SETUP_NO_MMAP)) {
		munmap(r->rings, r->rings_size);
		munmap(r->sqes, r->sqes_size);
	}
	munmap(r->scratch, r->scratch_size);
	close(r->doorbell);
	if (r->wake >= 0)
		close(r->wake);
}

static void on_arena(struct fake *f, const struct ringd_arena_create *c)
{
	struct ringd_arena_created out = { .arena_id = 7, .size = c->size };
	int fd = memfd_create("arena", MFD_CLOEXEC);

	MUST(fd >= 0 && ftruncate(fd, (off_t)c->size) == 0);
	if (f->arena_map)
		munmap(f->arena_map, f->arena.size);
	f->arena = *c;
	f->arena_map = map_at(fd, c->size, 0);
	f->arenas++;
	answer(f, &out, sizeof(out), &c->msg, 0, &fd, 1);
	close(fd);
}

static void on_register(struct fake *f, const struct ringd_register *reg, size_t size, const int *fds, unsigned int n)
{
	struct fake_request *q = &f->reg;
	struct {
		struct ringd_registered reg;
		struct ringd_probe probe;
		struct ringd_probe_op ops[RINGD_OP_LAST];
	} out = { 0 };
	struct stat st;

	size -= sizeof(*reg);
	q->data = realloc(q->data, q->size + size + 1);
	memcpy(q->data + q->size, reg + 1, size);
	q->size += size;
	q->packets++;
	for (unsigned int i = 0; i < n; i++) {
		MUST(q->n_fds < FAKE_MAX_FDS && fstat(fds[i], &st) == 0);
		q->inodes[q->n_fds] = st.st_ino;
		q->modes[q->n_fds++] = st.st_mode;
	}
	q->opcode = reg->opcode;
	q->nr = reg->nr;
	q->has_tags = reg->has_tags;
	q->ring_id = reg->ring_id;
	if (reg->msg.flags & RINGD_MSG_F_MORE)
		return;
	out.probe.last_op = RINGD_OP_LAST - 1;
	out.probe.ops_len = RINGD_OP_LAST;
	for (unsigned int i = 0; i < RINGD_OP_LAST; i++)
		out.ops[i] = (struct ringd_probe_op){ .op = (uint8_t)i, .flags = RINGD_OP_SUPPORTED };
	if (f->fail) {
		refuse(f, &reg->msg, f->fail, f->fail_text);
		f->fail = 0;
	} else if (f->register_data) {
		union {
			struct ringd_registered reg;
			char bytes[sizeof(struct ringd_registered) + 512];
		} with = { .bytes = { 0 } };

		MUST(f->register_size <= 512);
		memcpy(with.bytes + sizeof(with.reg), f->register_data, f->register_size);
		answer(f, &with, sizeof(with.reg) + f->register_size, &reg->msg, f->register_res, &f->register_fd,
		       f->register_fd >= 0);
	} else {
		answer(f, &out, reg->opcode == RINGD_REGISTER_PROBE ? sizeof(out) : sizeof(out.reg), &reg->msg,
		       f->register_res, NULL, 0);
	}
}

static void on_cwd(struct fake *f, const struct ringd_msg *msg, const int *fds, unsigned int n)
{
	struct ringd_msg out;
	struct stat st;

	MUST(n == 1 && fstat(fds[0], &st) == 0 && (fcntl(fds[0], F_GETFL) & O_PATH));
	f->cwd_ino = st.st_ino;
	f->cwds++;
	answer(f, &out, sizeof(out), msg, 0, NULL, 0);
}

static void on_channel(struct fake *f, const struct ringd_msg *msg)
{
	struct ringd_msg out;
	int pair[2];

	MUST(f->channel < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	f->channel = pair[0];
	answer(f, &out, sizeof(out), msg, 0, &pair[1], 1);
	close(pair[1]);
}

static void on_lend(struct fake *f, const struct ringd_fd_list *list, size_t size, const int *fds, unsigned int n)
{
	struct ringd_msg out;
	struct stat st;

	MUST(size == sizeof(*list) + list->nr * sizeof(int32_t));
	MUST(n == (list->msg.type == RINGD_MSG_FD_LEND ? list->nr : 0));
	for (uint32_t i = 0; i < list->nr; i++) {
		f->lent[f->n_lent] = ((const int32_t *)(const void *)(list + 1))[i];
		if (n) {
			MUST(fstat(fds[i], &st) == 0);
			f->lent_ino[f->n_lent] = st.st_ino;
		}
		f->n_lent++;
	}
	f->lend_packets++;
	answer(f, &out, sizeof(out), &list->msg, (int32_t)list->nr - f->lend_less, NULL, 0);
}

static void on_token(struct fake *f, const struct ringd_msg *msg)
{
	const struct ringd_ring_token *in = (const void *)msg;
	struct ringd_ring_token token = { .token = "fifteen letters" };
	struct ringd_ring_ref ref = { .ring_id = 4711 };

	if (msg->type == RINGD_MSG_RING_EXPORT) {
		answer(f, &token, sizeof(token), msg, 0, NULL, 0);
	} else {
		MUST(memcmp(in->token, token.token, sizeof(token.token)) == 0);
		answer(f, &ref, sizeof(ref), msg, 0, NULL, 0);
	}
}

void fake_packet(struct fake *f, const struct ringd_channel *packet, const int *fds, int n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(RINGD_MSG_FDS * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)packet, .iov_len = sizeof(*packet) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n) {
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		CMSG_FIRSTHDR(&mh)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&mh)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), fds, (size_t)n * sizeof(int));
	}
	MUST(sendmsg(f->channel, &mh, MSG_NOSIGNAL) == sizeof(*packet));
}

static void on_request(struct fake *f, const struct ringd_msg *msg, size_t size, const int *fds, unsigned int n)
{
	struct ringd_msg out;

	MUST(size == msg->size);
	if (msg->type == RINGD_MSG_REGISTER) {
		on_register(f, (const void *)msg, size, fds, n);
		return;
	}
	if (f->fail) {
		const int32_t err = f->fail;

		f->fail = 0;	/* before the test goes on */
		refuse(f, msg, err, f->fail_text);
		return;
	}
	switch (msg->type) {
	case RINGD_MSG_HELLO:
		on_hello(f, msg);
		break;
	case RINGD_MSG_RING_CREATE:
		on_ring(f, (const void *)msg);
		break;
	case RINGD_MSG_ARENA_CREATE:
		on_arena(f, (const void *)msg);
		break;
	case RINGD_MSG_SET_CWD:
		on_cwd(f, msg, fds, n);
		break;
	case RINGD_MSG_RING_FREE:
		pthread_mutex_lock(&f->lock);
		drop_ring(&f->rings[((const struct ringd_ring_ref *)msg)->ring_id - 100]);
		pthread_mutex_unlock(&f->lock);
		f->rings_freed++;
		answer(f, &out, sizeof(out), msg, 0, NULL, 0);
		break;
	case RINGD_MSG_CHANNEL:
		on_channel(f, msg);
		break;
	case RINGD_MSG_FD_LEND:
	case RINGD_MSG_FD_RETURN:
		on_lend(f, (const void *)msg, size, fds, n);
		break;
	case RINGD_MSG_RING_EXPORT:
	case RINGD_MSG_RING_IMPORT:
		on_token(f, msg);
		break;
	case RINGD_MSG_RING_FORGET:
		answer(f, &out, sizeof(out), msg, 0, NULL, 0);
		break;
	case RINGD_MSG_ARENA_FREE:
		f->arenas_freed++;
		answer(f, &out, sizeof(out), msg, 0, NULL, 0);
		break;
	}
}

static void receive(struct fake *f)
{
	static _Alignas(8) char data[RINGD_MSG_MAX];
	static _Alignas(8) char control[CMSG_SPACE(RINGD_MSG_FDS * sizeof(int))];
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	int fds[RINGD_MSG_FDS];
	unsigned int n = 0;
	ssize_t r = recvmsg(f->sock, &mh, MSG_CMSG_CLOEXEC);

	if (r <= 0) {
		close(f->sock);
		f->sock = -1;
		return;
	}
	if (CMSG_FIRSTHDR(&mh)) {
		n = (unsigned int)((CMSG_FIRSTHDR(&mh)->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&mh)), n * sizeof(int));
	}
	on_request(f, (void *)data, (size_t)r, fds, n);
	while (n)
		close(fds[--n]);
}

static void *control_thread(void *arg)
{
	struct fake *f = arg;

	for (;;) {
		struct pollfd p[3] = {
			{ .fd = f->quit, .events = POLLIN },
			{ .fd = f->sock < 0 ? f->listen : -1, .events = POLLIN },
			{ .fd = f->sock, .events = POLLIN },
		};

		poll(p, 3, -1);
		if (p[0].revents)
			return NULL;
		if (p[1].revents)
			f->sock = accept4(f->listen, NULL, NULL, SOCK_CLOEXEC);
		if (!p[2].revents)
			continue;
		pthread_mutex_lock(&f->answering);
		receive(f);
		pthread_mutex_unlock(&f->answering);
	}
}

/* --- life --- */

struct fake *fake_new(void)
{
	struct fake *f = calloc(1, sizeof(*f));
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	MUST(f);
	pthread_mutex_init(&f->lock, NULL);
	pthread_mutex_init(&f->answering, NULL);
	strcpy(f->dir, "/tmp/ringd-fake-XXXXXX");
	MUST(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/ringd.sock", f->dir);
	memcpy(sa.sun_path, f->path, sizeof(f->path));
	f->listen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	MUST(f->listen >= 0 && bind(f->listen, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(f->listen, 5) == 0);
	f->sock = f->channel = -1;
	f->quit = eventfd(0, EFD_CLOEXEC);
	f->kick = eventfd(0, EFD_CLOEXEC);
	f->ep = epoll_create1(EPOLL_CLOEXEC);
	MUST(f->quit >= 0 && f->kick >= 0 && f->ep >= 0);
	MUST(pthread_create(&f->control, NULL, control_thread, f) == 0);
	MUST(pthread_create(&f->engine, NULL, engine_thread, f) == 0);
	return f;
}

static void stop_threads(struct fake *f)
{
	const uint64_t one = 1;

	if (f->done)
		return;
	f->done = true;
	kick(f);
	MUST(write(f->quit, &one, sizeof(one)) == sizeof(one));
	pthread_join(f->control, NULL);
	pthread_join(f->engine, NULL);
}

void fake_kill(struct fake *f)
{
	stop_threads(f);
	for (int i = 0; i < FAKE_MAX_RINGS; i++)
		drop_ring(&f->rings[i]);
	if (f->sock >= 0)
		close(f->sock);
	if (f->channel >= 0)
		close(f->channel);
	f->sock = f->channel = -1;
}

void fake_free(struct fake *f)
{
	fake_kill(f);
	if (f->arena_map)
		munmap(f->arena_map, f->arena.size);
	close(f->listen);
	close(f->quit);
	close(f->kick);
	close(f->ep);
	unlink(f->path);
	rmdir(f->dir);
	free(f->reg.data);
	pthread_mutex_destroy(&f->lock);
	pthread_mutex_destroy(&f->answering);
	free(f);
}

void fake_stop(struct fake *f)
{
	f->stopped = true;
	/* once through the lock: a visit that had begun is over */
	pthread_mutex_lock(&f->lock);
	pthread_mutex_unlock(&f->lock);
}

void fake_settle(struct fake *f)
{
	pthread_mutex_lock(&f->answering);
	pthread_mutex_unlock(&f->answering);
	pthread_mutex_lock(&f->lock);
	pthread_mutex_unlock(&f->lock);
}

void fake_go(struct fake *f)
{
	f->stopped = false;
}

void fake_kill_ring(struct fake *f, struct fake_ring *r, uint32_t reason)
{
	pthread_mutex_lock(&f->lock);
	if (reason) {
		store(&r->hot->reason, reason);
		store(&r->hot->state, RINGD_STATE_DEAD);
	}
	close(r->wake);
	r->wake = -1;
	r->dead = true;
	pthread_mutex_unlock(&f->lock);
}

void fake_await_asleep(struct fake *f, struct fake_ring *r)
{
	bool asleep;

	do {
		sched_yield();
		pthread_mutex_lock(&f->lock);
		asleep = r->asleep;
		pthread_mutex_unlock(&f->lock);
	} while (!asleep);
}

uint32_t fake_await_sleeper(struct fake_ring *r)
{
	uint64_t wait;

	while (!(wait = load(&r->hot->wait)))
		sched_yield();
	return wait >> 32 & RINGD_WAIT_KIND_MASK;
}
