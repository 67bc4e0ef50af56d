// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * poll() and select() with rings among the descriptors: a ring's readability is made exact before anybody looks, and that its SQ
 * has room is added here, since the descriptor itself cannot say it. As in the kernel nobody is woken by room in the SQ.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include <limits.h>

#include "interpose.h"
#include "next.h"

#define OUT_EVENTS	(POLLOUT | POLLWRNORM)
#define WORD_BITS	(CHAR_BIT * sizeof(fd_mask))

void __chk_fail(void) __attribute__((__noreturn__));
extern const void *const rd_local_interposed;
RD_DOOR_EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
RD_DOOR_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t size);

/* What is to be added for one descriptor. */
static short extra(const struct pollfd *p)
{
	if (p->fd < 0 || !(p->events & OUT_EVENTS) || !rd_local_is_ring(p->fd))
		return 0;
	return (short)(rd_local_poll_out(p->fd) & (uint32_t)p->events & OUT_EVENTS);
}

/* True: something can be reported at once. */
static bool before_poll(const struct pollfd *fds, nfds_t n)
{
	bool now = false;

	for (nfds_t i = 0; i < n; i++) {
		if (fds[i].fd < 0 || !rd_local_is_ring(fds[i].fd))
			continue;
		rd_local_poll_sync(fds[i].fd);
		now |= extra(&fds[i]) != 0;
	}
	return now;
}

static int after_poll(struct pollfd *fds, nfds_t n, int r)
{
	for (nfds_t i = 0; r >= 0 && i < n; i++) {
		short more = extra(&fds[i]);

		r += more && !fds[i].revents;
		fds[i].revents |= more;
	}
	return r;
}

static int look(struct pollfd *fds, nfds_t n, int timeout)
{
	if (!rd_door_active())
		return rd_next_poll(fds, n, timeout);
	if (before_poll(fds, n))
		timeout = 0;
	return after_poll(fds, n, rd_next_poll(fds, n, timeout));
}

RD_DOOR_EXPORT __attribute__((__alias__("look"))) int poll(struct pollfd *fds, nfds_t n, int timeout);
/* By this the rings learn whether it is really our poll() that the program calls: see is_bound() in ../local/process.c. */
RD_DOOR_EXPORT const void *const rd_local_interposed = (const void *)look;

static int look_masked(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	static const struct timespec none;

	if (!rd_door_active())
		return rd_next_ppoll(fds, n, timeout, mask);
	if (before_poll(fds, n))
		timeout = &none;
	return after_poll(fds, n, rd_next_ppoll(fds, n, timeout, mask));
}

RD_DOOR_EXPORT __attribute__((__alias__("look_masked"))) int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
								   const sigset_t *mask);

RD_DOOR_EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size)
{
	if (size / sizeof(*fds) < n)
		__chk_fail();
	return look(fds, n, timeout);
}

RD_DOOR_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask, size_t size)
{
	if (size / sizeof(*fds) < n)
		__chk_fail();
	return look_masked(fds, n, timeout, mask);
}

/* Rings of a call of select() that somebody wants to write to. */
struct wanted {
	fd_set rings;
	bool now;	/* one of them has room */
};

/* Descriptors beyond FD_SETSIZE (sets may be larger for libc) are synced, but have no room. */
static void want(struct wanted *w, int fd)
{
	if (fd >= FD_SETSIZE)
		return;
	FD_SET(fd, &w->rings);
	w->now |= rd_local_poll_out(fd) != 0;
}

static void before_select(struct wanted *w, int n, const fd_set *in, const fd_set *out)
{
	FD_ZERO(&w->rings);
	w->now = false;
	for (int base = 0; base < n; base += (int)WORD_BITS) {
		unsigned long i = in ? (unsigned long)__FDS_BITS(in)[(unsigned int)base / WORD_BITS] : 0;
		unsigned long o = out ? (unsigned long)__FDS_BITS(out)[(unsigned int)base / WORD_BITS] : 0;

		for (unsigned long both = i | o; both; both &= both - 1) {
			int bit = __builtin_ctzl(both), fd = base + bit;

			if (fd >= n || !rd_local_is_ring(fd))
				continue;
			rd_local_poll_sync(fd);
			if (o >> bit & 1)
				want(w, fd);
		}
	}
}

static int after_select(const struct wanted *w, int n, fd_set *out, int r)
{
	for (int fd = 0; r >= 0 && out && fd < n && fd < FD_SETSIZE; fd++)
		if (FD_ISSET(fd, &w->rings) && rd_local_poll_out(fd) && !FD_ISSET(fd, out)) {
			FD_SET(fd, out);
			r++;
		}
	return r;
}

RD_DOOR_EXPORT int select(int n, fd_set *in, fd_set *out, fd_set *err, struct timeval *timeout)
{
	struct timeval none = { 0 };
	struct wanted w;

	if (!rd_door_active())
		return rd_next_select(n, in, out, err, timeout);
	before_select(&w, n, in, out);
	return after_select(&w, n, out, rd_next_select(n, in, out, err, w.now ? &none : timeout));
}

RD_DOOR_EXPORT int pselect(int n, fd_set *in, fd_set *out, fd_set *err, const struct timespec *timeout, const sigset_t *mask)
{
	static const struct timespec none;
	struct wanted w;

	if (!rd_door_active())
		return rd_next_pselect(n, in, out, err, timeout, mask);
	before_select(&w, n, in, out);
	return after_select(&w, n, out, rd_next_pselect(n, in, out, err, w.now ? &none : timeout, mask));
}
