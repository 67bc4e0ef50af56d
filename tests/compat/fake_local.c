// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rings as the door sees them, without an engine: calls are counted and answered. What is called here must not meet the
 * door again, so it is all system calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "client-lib/compat/door/raw.h"
#include "fake_local.h"

_Atomic unsigned int rd_local_rings;
struct fake_local fake_local;

static struct fake_fd *slot(int fd)
{
	static struct fake_fd none;

	return fd >= 0 && fd < FAKE_FDS ? &fake_local.fd[fd] : &none;
}

int fake_ring(void)
{
	int fd = (int)rd_raw(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
	int efd = (int)rd_raw(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0, 0);
	struct epoll_event ev = { .events = EPOLLIN };

	if (fd < 0 || efd < 0)
		return -EMFILE;
	efd = (int)rd_raw(SYS_fcntl, efd, F_DUPFD_CLOEXEC, FAKE_FDS / 8, 0, 0, 0);
	rd_raw(SYS_epoll_ctl, fd, EPOLL_CTL_ADD, efd, (long)&ev, 0, 0);
	*slot(fd) = (struct fake_fd){ .ring = true, .efd = efd };
	atomic_fetch_add(&rd_local_rings, 1);
	return fd;
}

int fake_hidden(void)
{
	int efd = (int)rd_raw(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0, 0);

	slot(efd)->hidden = true;
	return efd;
}

static int answer(long a, long b, long c, long d, long e, long f)
{
	const long args[6] = { a, b, c, d, e, f };

	memcpy(fake_local.args, args, sizeof(args));
	return fake_local.result;
}

int rd_local_setup(unsigned int entries, struct ringd_params *params)
{
	atomic_fetch_add(&fake_local.setups, 1);
	if (!params)
		return -EFAULT;
	params->sq_entries = entries;
	return entries ? fake_ring() : -EINVAL;
}

void rd_local_unheard(int fd)
{
	(void)fd;
}

int rd_local_enter_masked(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
			  size_t argsz, const void *mask)
{
	atomic_fetch_add(&fake_local.enters, 1);
	fake_local.mask = 0;
	if (mask)
		memcpy(&fake_local.mask, mask, sizeof(fake_local.mask));
	if (!rd_local_is_ring((int)fd))
		return -EOPNOTSUPP;
	/* waits for a signal */
	if (fake_local.sleeps && min_complete) {
		rd_raw(SYS_write, fake_local.sleeps, (long)"!", 1, 0, 0, 0);
		return (int)rd_raw(SYS_ppoll, 0, 0, 0, (long)mask, 8, 0);
	}
	return answer(fd, to_submit, min_complete, flags, (long)arg, (long)argsz);
}

int rd_local_enter(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
		   size_t argsz)
{
	return rd_local_enter_masked(fd, to_submit, min_complete, flags, arg, argsz, NULL);
}

int rd_local_register(unsigned int fd, unsigned int opcode, const void *arg, unsigned int nr)
{
	atomic_fetch_add(&fake_local.registers, 1);
	if (!rd_local_is_ring((int)fd))
		return -EOPNOTSUPP;
	return answer(fd, opcode, (long)arg, nr, 0, 0);
}

int rd_local_mmap(void **ret, void *addr, size_t len, int prot, int flags, int fd, uint64_t off)
{
	long r;

	if (!rd_local_is_ring(fd))
		return 1;
	atomic_fetch_add(&fake_local.maps, 1);
	answer((long)addr, (long)len, prot, flags, fd, (long)off);
	if (addr)
		return -EINVAL;
	r = rd_raw(SYS_mmap, 0, (long)len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r < 0 && r > -4096)
		return (int)r;
	*ret = (void *)r;
	return 0;
}

bool rd_local_close(int fd)
{
	struct fake_fd *s = slot(fd);

	if (!s->ring)
		return false;
	s->ring = false;
	s->closes++;
	atomic_fetch_sub(&rd_local_rings, 1);
	return true;
}

bool rd_local_hidden(int fd)
{
	return slot(fd)->hidden;
}

int rd_local_next(int fd)
{
	for (; fd < FAKE_FDS; fd++)
		if (slot(fd)->ring || slot(fd)->hidden)
			return fd;
	return -1;
}

bool rd_local_lends(void)
{
	return false;
}

void rd_local_closing(int fd)
{
	(void)fd;
}

int rd_local_evict(int fd)
{
	fake_local.moved_to = (int)rd_raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FAKE_FDS / 4, 0, 0, 0);
	if (fake_local.moved_to < 0)
		return -EBUSY;
	slot(fake_local.moved_to)->hidden = true;
	slot(fd)->hidden = false;
	return 0;
}

void rd_local_dup(int from, int to)
{
	*slot(to) = (struct fake_fd){ .ring = true, .efd = slot(from)->efd };
	slot(from)->dups++;
	atomic_fetch_add(&rd_local_rings, 1);
}

bool rd_local_is_ring(int fd)
{
	return slot(fd)->ring;
}

void rd_local_poll_sync(int fd)
{
	struct fake_fd *s = slot(fd);
	uint64_t n = 1;

	s->syncs++;
	rd_raw(s->readable ? SYS_write : SYS_read, s->efd, (long)&n, sizeof(n), 0, 0, 0);
}

uint32_t rd_local_poll_out(int fd)
{
	return slot(fd)->room ? EPOLLOUT | EPOLLWRNORM : 0;
}

int rd_local_poll_out_fd(int fd, bool make)
{
	struct fake_fd *s = slot(fd);

	if (make && !s->room_fd) {
		s->room_fd = (int)rd_raw(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0, 0);
		slot(s->room_fd)->hidden = true;
	}
	return s->room_fd ? s->room_fd : -1;
}

void rd_local_exit(void)
{
}
