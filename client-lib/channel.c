/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The channel: new descriptors of this process come through it, one packet for each, and the CQE only has the packet's cookie.
 * Who looks at such a CQE for the first time takes packets until its own is there, and writes the number into the CQE.
 *
 * CQEs of several rings are looked at in another order than packets come, so packets that are nobody's yet wait in a list.
 * Rings of one connection may be reaped by several threads: what is here is behind a lock. All of it is off the common path.
 *
 * What a CQE says is not believed further than that: in memory that this process can write its cookie finds a packet of the
 * same ring and request, or none, and without a packet nothing is done.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "private.h"

struct parcel {
	struct parcel *next;
	struct ringd_channel p;
	int fds[2];			/* of FD and PIPE; -1: none, or not this process's any more */
	int32_t res;			/* of the request */
};

struct rdl_channel {
	pthread_mutex_t lock;
	int sock;
	struct parcel *first;		/* nobody's yet */
};

/* --- what a packet asks for --- */

/* Would a store into the int at addr, or over its first byte, be a fault? Adds nothing to it, where it cannot be written. */
static bool writable(uint64_t addr)
{
	static const int op = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0);
	int word = 0;

	addr &= ~(uint64_t)(sizeof(word) - 1);	/* the kernel refuses others without looking at the memory */
	return syscall(SYS_futex, &word, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, NULL, addr, op) >= 0 || errno != EFAULT;
}

bool rdl_pair_writable(const int *pair)
{
	return writable((uintptr_t)pair) && writable((uintptr_t)pair + 2 * sizeof(*pair) - 1);	/* NULL is no array */
}

static int put_pair(uint64_t addr, int32_t a, int32_t b)
{
	const int pair[2] = { a, b };

	if (!rdl_pair_writable((const int *)(uintptr_t)addr))
		return -EFAULT;
	memcpy((void *)(uintptr_t)addr, pair, sizeof(pair));
	return 0;
}

static void drop_fds(struct parcel *p)
{
	rdl_close(rdl_steal_fd(&p->fds[0]));
	rdl_close(rdl_steal_fd(&p->fds[1]));
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rdl_close(fds[i]);
}

static void inherit(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags >= 0)
		fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
}

/* Would a store anywhere into these ints be a fault? */
static bool range_writable(uint64_t addr, size_t n)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), last = addr + n * sizeof(int) - 1;

	for (uint64_t p = addr; p < last; p = (p | (page - 1)) + 1) {
		if (!writable(p))
			return false;
	}
	return writable(last);
}

/*
 * Numbers of descriptors that a message brought, into its last control message. The message was as long as all of them need;
 * those that did not come, for which this process had no room, are taken off it as the kernel would have done.
 */
static void put_rights(const struct ringd_channel *p, const int *fds, size_t n)
{
	struct cmsghdr *head = (struct cmsghdr *)(uintptr_t)(p->addr - CMSG_LEN(0));
	uint32_t *flags = (uint32_t *)(uintptr_t)p->msg_flags;

	if (n > p->nr || !p->nr || p->nr > RINGD_MSG_FDS || !range_writable(p->addr - CMSG_LEN(0), p->nr + CMSG_LEN(0) / sizeof(int)) ||
	    !range_writable(p->msg_flags, 1)) {
		close_all(fds, n);
		return;
	}
	for (size_t i = 0; i < n && !(p->flags & RINGD_CHANNEL_F_CLOEXEC); i++)
		inherit(fds[i]);
	memcpy((void *)(uintptr_t)p->addr, fds, n * sizeof(int));
	if (n == p->nr)
		return;
	head->cmsg_len = CMSG_LEN(n * sizeof(int));
	*flags |= MSG_CTRUNC;
}

/* It has come: do what can be done before anybody asks. n: descriptors that came with it. */
static void accept_parcel(struct parcel *p, const int *fds, size_t n)
{
	const size_t want = p->p.kind == RINGD_CHANNEL_FD ? 1 : p->p.kind == RINGD_CHANNEL_PIPE ? 2 : 0;

	if (p->p.kind == RINGD_CHANNEL_RIGHTS) {
		put_rights(&p->p, fds, n);
		p->res = p->p.res;
		return;
	}
	if (n != want)		/* fewer: no room in this process, RLIMIT_NOFILE; more are no engine's */
		close_all(fds, n);
	if (n < want)
		p->res = -EMFILE;
	if (n != want)
		return;
	memcpy(p->fds, fds, n * sizeof(int));
	for (size_t i = 0; i < n && !(p->p.flags & RINGD_CHANNEL_F_CLOEXEC); i++)
		inherit(p->fds[i]);
	switch (p->p.kind) {
	case RINGD_CHANNEL_FD:
		p->res = p->fds[0];
		break;
	case RINGD_CHANNEL_PIPE:
		p->res = put_pair(p->p.addr, p->fds[0], p->fds[1]);
		if (p->res < 0)
			drop_fds(p);
		break;
	case RINGD_CHANNEL_PAIR:
		p->res = put_pair(p->p.addr, p->p.number, p->p.number2);
		break;
	case RINGD_CHANNEL_CLOSE:
		p->res = close(p->p.number) < 0 ? -errno : 0;
		if (p->p.res)
			p->res = p->p.res;
		break;
	}
}

/* --- packets --- */

/* Room in the packet's control part for all that one can carry. */
static size_t take_fds(struct msghdr *mh, int fds[RINGD_MSG_FDS])
{
	struct cmsghdr *c = CMSG_FIRSTHDR(mh);
	size_t n;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return 0;
	n = RDL_MIN((c->cmsg_len - CMSG_LEN(0)) / sizeof(int), (size_t)RINGD_MSG_FDS);
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	return n;
}

/* The next packet into p. False: there is none. */
static bool receive(struct rdl_channel *ch, struct parcel *p)
{
	union {
		char bytes[CMSG_SPACE(RINGD_MSG_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = &p->p, .iov_len = sizeof(p->p) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	int fds[RINGD_MSG_FDS];
	size_t n_fds;
	ssize_t n;

	*p = (struct parcel){ .fds = { -1, -1 } };
	do {
		n = recvmsg(ch->sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	n_fds = take_fds(&mh, fds);
	if ((size_t)n != sizeof(p->p))
		close_all(fds, n_fds);
	else
		accept_parcel(p, fds, n_fds);
	return true;
}

static bool fits(const struct parcel *p, uint32_t ring_id, const struct ringd_cqe *cqe)
{
	return p->p.ring_id == ring_id && p->p.user_data == cqe->user_data && p->p.cookie == (uint32_t)cqe->res &&
	       !(p->p.flags & RINGD_CHANNEL_F_SILENT);
}

static struct parcel *find(struct rdl_channel *ch, uint32_t ring_id, const struct ringd_cqe *cqe)
{
	for (struct parcel **pp = &ch->first; *pp; pp = &(*pp)->next) {
		struct parcel *p = *pp;

		if (!fits(p, ring_id, cqe))
			continue;
		*pp = p->next;
		return p;
	}
	return NULL;
}

/* One more packet onto the list; of one without a CQE all is done. False: there is none, or no memory to keep it in. */
static bool fetch(struct rdl_channel *ch)
{
	struct parcel *p = malloc(sizeof(*p));

	if (!p)
		return false;
	if (!receive(ch, p)) {
		free(p);
		return false;
	}
	if (p->p.flags & RINGD_CHANNEL_F_SILENT) {
		free(p);
		return true;
	}
	p->next = ch->first;
	ch->first = p;
	return true;
}

void rdl_channel_resolve(struct ringd_ring *ring, struct ringd_cqe *cqe)
{
	struct rdl_channel *ch = rdl_load_acquire(&ring->rd->channel);
	struct ringd_cqe copy;
	struct parcel *p = NULL;

	if (!ch)
		return;
	pthread_mutex_lock(&ch->lock);
	copy = *cqe;
	/* else another thread that waits for CQEs was here first */
	if (copy.flags & RINGD_CQE_F_CHANNEL) {
		while (!(p = find(ch, ring->id, &copy)) && fetch(ch))
			;
	}
	if (p) {	/* else a message with the flags of its sender's choice */
		cqe->res = p->res;
		rdl_store_release(&cqe->flags, copy.flags & ~RINGD_CQE_F_CHANNEL);
	}
	pthread_mutex_unlock(&ch->lock);
	free(p);
}

void rdl_channel_drain(struct ringd *rd)
{
	struct rdl_channel *ch = rdl_load_acquire(&rd->channel);

	if (!ch)
		return;
	pthread_mutex_lock(&ch->lock);
	while (fetch(ch))
		;
	pthread_mutex_unlock(&ch->lock);
}

void rdl_channel_forget(struct ringd_ring *ring)
{
	struct rdl_channel *ch = ring->rd->channel;
	struct parcel **pp;

	if (!ch)
		return;
	rdl_channel_drain(ring->rd);
	pthread_mutex_lock(&ch->lock);
	for (pp = &ch->first; *pp;) {
		struct parcel *p = *pp;

		if (p->p.ring_id != ring->id) {
			pp = &p->next;
			continue;
		}
		*pp = p->next;
		drop_fds(p);	/* nobody will ever learn their numbers */
		free(p);
	}
	pthread_mutex_unlock(&ch->lock);
}

/* --- life --- */

static int channel_ask(struct ringd *rd, int *sock)
{
	struct ringd_msg msg;
	struct ringd_error answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer), .fds = sock, .n_fds = 1 };

	return rdl_request(rd, &msg, RINGD_MSG_CHANNEL, sizeof(msg), -1, &in, sizeof(msg), 1);
}

int rdl_channel_open(struct ringd *rd)
{
	struct rdl_channel *ch;
	int r;

	if (rd->channel)
		return 0;
	ch = calloc(1, sizeof(*ch));
	if (!ch)
		return rdl_fail(rd, -ENOMEM, "channel");
	r = channel_ask(rd, &ch->sock);
	if (r < 0) {
		free(ch);
		return r;
	}
	pthread_mutex_init(&ch->lock, NULL);
	/* release: a thread that reaps another ring may look at it at once */
	rdl_store_release(&rd->channel, ch);
	return 0;
}

void rdl_channel_close(struct ringd *rd)
{
	struct rdl_channel *ch = rd->channel;

	if (!ch)
		return;
	while (ch->first) {
		struct parcel *p = ch->first;

		ch->first = p->next;
		drop_fds(p);
		free(p);
	}
	rdl_close(ch->sock);
	pthread_mutex_destroy(&ch->lock);
	rd->channel = NULL;
	free(ch);
}
