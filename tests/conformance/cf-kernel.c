/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conformance tests on the host's kernel: the three system calls and the mapped rings, without a library in between. With
 * CF_IN_PROCESS the same on the engine inside this process: the calls are those of the library, and so are mmap(), poll() and
 * close(), which liburing.so.2 puts in the place of libc's.
 */
#include "cf.h"

#include <sys/syscall.h>

#include "client-lib/compat/local/local.h"
#include "daemon/common/util.h"

struct cf_impl {
	char *rings, *sqes;
	size_t rings_size, sqes_size;
	bool mapped;			/* by us: not with NO_MMAP */
	uint32_t *array;
	uint32_t tail;			/* SQEs got */
	unsigned int sqe_shift;		/* of 64 bytes */
	uint32_t *sq_head, *sq_tail, *sq_flags, *sq_dropped, *cq_head, *cq_tail, *cq_flags, *cq_overflow;
	char *cqes;
};

/*
 * ThreadSanitizer knows a word by its address, and ring memory has two of them: that the tail which one side stores and the other
 * loads orders all else is nothing it could see. The lock of the engine is: whatever the engine has done before it showed a CQE
 * was done before the lock was given back after that, and what we do before we show an SQE the engine sees with the next lock.
 */
#if defined(CF_IN_PROCESS) && defined(__SANITIZE_THREAD__)
#define show_order()	rd_local_closing(-1)
#else
#define show_order()	((void)0)
#endif

#ifdef CF_IN_PROCESS
const struct cf_back_end cf_back_ends[] = { { "local", CF_LOCAL }, { NULL, 0 } };
#else
const struct cf_back_end cf_back_ends[] = { { "kernel", CF_KERNEL }, { NULL, 0 } };
#endif

static size_t region_size;
static void *region;

#ifdef CF_IN_PROCESS
#define sys_setup(entries, p)	rd_local_setup(entries, p)
#define sys_enter(fd, n, min, flags, arg, size)	rd_local_enter((unsigned int)(fd), n, min, flags, arg, size)
#define sys_register(fd, opcode, arg, nr)	rd_local_register((unsigned int)(fd), opcode, arg, nr)
#else
static int sys_setup(unsigned int entries, struct ringd_params *p)
{
	long r = syscall(__NR_io_uring_setup, entries, p);

	return r < 0 ? -errno : (int)r;
}

static int sys_enter(int fd, unsigned int n, unsigned int min, unsigned int flags, const void *arg, size_t size)
{
	long r = syscall(__NR_io_uring_enter, fd, n, min, flags, arg, size);

	return r < 0 ? -errno : (int)r;
}

static int sys_register(int fd, unsigned int opcode, const void *arg, unsigned int nr)
{
	long r = syscall(__NR_io_uring_register, fd, opcode, arg, nr);

	return r < 0 ? -errno : (int)r;
}
#endif

const char *cf_missing(void)
{
	static char words[96];
	struct ringd_params p = { 0 };
	int r = sys_setup(1, &p);

	if (r >= 0) {
		close(r);
		return NULL;
	}
	snprintf(words, sizeof(words), "no io_uring here: %s", strerror(-r));
	return words;
}

const char *cf_missing_back_end(const struct cf_back_end *b)
{
	(void)b;
	return NULL;
}

void cf_start(const struct cf_back_end *b)
{
	(void)b;
}

void cf_stop(const struct cf_back_end *b)
{
	(void)b;
}

void cf_begin(const struct cf_back_end *b)
{
	(void)b;
	region = NULL;
}

void cf_end(void)
{
	if (region)
		munmap(region, region_size);
}

void cf_impl_forked(void)
{
	region = NULL;
}

void *cf_region(size_t size)
{
	region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(region, MAP_FAILED);
	region_size = size;
	return region;
}

/* --- rings --- */

static uint32_t *word(const struct cf_impl *i, uint32_t off)
{
	return (uint32_t *)(void *)(i->rings + off);
}

static void map_rings(struct cf_ring *ring, struct cf_impl *i)
{
	const struct ringd_params *p = &ring->p;
	const int prot = PROT_READ | PROT_WRITE;
	size_t cqe_size = p->flags & RINGD_SETUP_CQE32 ? 32 : 16;

	i->sqe_shift = p->flags & RINGD_SETUP_SQE128 ? 1 : 0;
	i->sqes_size = (size_t)p->sq_entries << (6 + i->sqe_shift);
	i->rings_size = RD_MAX(p->cq_off.cqes + p->cq_entries * cqe_size, p->sq_off.array + p->sq_entries * sizeof(uint32_t));
	if (p->flags & RINGD_SETUP_NO_MMAP) {
		i->rings = (char *)(uintptr_t)p->cq_off.user_addr;
		i->sqes = (char *)(uintptr_t)p->sq_off.user_addr;
		return;
	}
	i->mapped = true;
	i->rings = mmap(NULL, i->rings_size, prot, MAP_SHARED, ring->fd, (off_t)RINGD_OFF_SQ_RING);
	i->sqes = mmap(NULL, i->sqes_size, prot, MAP_SHARED, ring->fd, (off_t)RINGD_OFF_SQES);
	ck_assert_ptr_ne(i->rings, MAP_FAILED);
	ck_assert_ptr_ne(i->sqes, MAP_FAILED);
}

static void find_words(struct cf_ring *ring, struct cf_impl *i)
{
	const struct ringd_params *p = &ring->p;

	i->sq_head = word(i, p->sq_off.head);
	i->sq_tail = word(i, p->sq_off.tail);
	i->sq_flags = word(i, p->sq_off.flags);
	i->sq_dropped = word(i, p->sq_off.dropped);
	i->cq_head = word(i, p->cq_off.head);
	i->cq_tail = word(i, p->cq_off.tail);
	i->cq_flags = word(i, p->cq_off.flags);
	i->cq_overflow = word(i, p->cq_off.overflow);
	i->cqes = i->rings + p->cq_off.cqes;
	if (p->flags & RINGD_SETUP_NO_SQARRAY)
		return;
	i->array = word(i, p->sq_off.array);
	for (uint32_t n = 0; n < p->sq_entries; n++)
		i->array[n] = n;
}

int cf_impl_new(struct cf_ring *ring, unsigned int entries, struct ringd_params *p)
{
	struct cf_impl *i;
	int r = sys_setup(entries, p);

	if (r < 0)
		return r;
	i = calloc(1, sizeof(*i));
	ck_assert_ptr_nonnull(i);
	ring->fd = r;
	ring->p = *p;
	ring->impl = i;
	map_rings(ring, i);
	find_words(ring, i);
	return 0;
}

void cf_impl_free(struct cf_ring *ring)
{
	struct cf_impl *i = ring->impl;
	struct ringd_rsrc_update up = { .offset = (uint32_t)ring->fd };

	if (i->mapped) {
		munmap(i->rings, i->rings_size);
		munmap(i->sqes, i->sqes_size);
	}
	if (ring->p.flags & RINGD_SETUP_REGISTERED_FD_ONLY)
		sys_register(ring->fd, RINGD_UNREGISTER_RING_FDS | RINGD_REGISTER_USE_REGISTERED_RING, &up, 1);
	else
		close(ring->fd);
	free(i);
}

static void *get(struct cf_ring *ring, unsigned int op, uint32_t slots, size_t size)
{
	struct cf_impl *i = ring->impl;
	uint32_t head = ring->p.flags & RINGD_SETUP_SQ_REWIND ? 0 : __atomic_load_n(i->sq_head, __ATOMIC_ACQUIRE);
	struct ringd_sqe *sqe;

	ck_assert_msg(i->tail + slots - head <= ring->p.sq_entries, "the SQ is full");
	sqe = (void *)(i->sqes + ((size_t)(i->tail & (ring->p.sq_entries - 1)) << (6 + i->sqe_shift)));
	memset(sqe, 0, size);
	sqe->opcode = (uint8_t)op;
	sqe->fd = -1;
	i->tail += slots;
	return sqe;
}

struct ringd_sqe *cf_impl_sqe(struct cf_ring *ring, unsigned int op)
{
	return get(ring, op, 1, 64u << ring->impl->sqe_shift);
}

struct ringd_sqe *cf_sqe128(struct cf_ring *ring, unsigned int op)
{
	return get(ring, op, 2, 128);
}

void cf_sqe_fd(struct cf_ring *ring, struct ringd_sqe *sqe, int fd)
{
	(void)ring;
	sqe->fd = fd;
}

void cf_prep_open(struct cf_ring *ring, struct ringd_sqe *sqe, const char *path, int flags, unsigned int mode)
{
	(void)ring;
	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(cf_in(path, strlen(path) + 1));
	sqe->open_flags = (uint32_t)flags;
	sqe->len = mode;
}

unsigned int cf_sq_pending(struct cf_ring *ring)
{
	return ring->impl->tail - __atomic_load_n(ring->impl->sq_head, __ATOMIC_ACQUIRE);
}

void cf_publish(struct cf_ring *ring)
{
	show_order();
	__atomic_store_n(ring->impl->sq_tail, ring->impl->tail, __ATOMIC_RELEASE);
}

int cf_enter(struct cf_ring *ring, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
	     size_t size)
{
	/* a thread that only waits has nothing to do with the SQ */
	if (to_submit || (ring->p.flags & RINGD_SETUP_SQPOLL))
		cf_publish(ring);
	if (ring->p.flags & RINGD_SETUP_REGISTERED_FD_ONLY)
		flags |= RINGD_ENTER_REGISTERED_RING;
	return sys_enter(ring->fd, to_submit, min_complete, flags, arg, size);
}

void cf_lend(struct cf_ring *ring, int fd)
{
	(void)ring;
	(void)fd;
}

int cf_enter_registered(unsigned int index, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
			size_t size)
{
	return sys_enter((int)index, to_submit, min_complete, flags | RINGD_ENTER_REGISTERED_RING, arg, size);
}

/* As liburing does it. */
static int resize(struct cf_ring *ring, const struct ringd_params *p, unsigned int nr)
{
	struct cf_impl *i = ring->impl;
	int r = sys_register(ring->fd, RINGD_REGISTER_RESIZE_RINGS, p, nr);

	if (r < 0)
		return r;
	munmap(i->rings, i->rings_size);
	munmap(i->sqes, i->sqes_size);
	ring->p.sq_entries = p->sq_entries;
	ring->p.cq_entries = p->cq_entries;
	ring->p.sq_off = p->sq_off;
	ring->p.cq_off = p->cq_off;
	if (!p->sq_off.array)		/* 6.18 does not say */
		ring->p.sq_off.array = (uint32_t)rd_align((64 + p->cq_entries * 16ull) << !!(ring->p.flags & RINGD_SETUP_CQE32), 64);
	map_rings(ring, i);
	find_words(ring, i);
	return r;
}

int cf_register(struct cf_ring *ring, unsigned int opcode, const void *arg, unsigned int nr)
{
	if (!ring)
		return sys_register(-1, opcode, arg, nr);
	if (opcode == RINGD_REGISTER_RESIZE_RINGS)
		return resize(ring, arg, nr);
	if (ring->p.flags & RINGD_SETUP_REGISTERED_FD_ONLY)
		opcode |= RINGD_REGISTER_USE_REGISTERED_RING;
	return sys_register(ring->fd, opcode, arg, nr);
}

void cf_child_begin(void)
{
}

int cf_poll_fd(struct cf_ring *ring)
{
	return ring->fd;
}

void *cf_map_region(struct cf_ring *ring, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, (off_t)RINGD_OFF_PARAM_REGION);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

int cf_resize(struct cf_ring *ring, struct ringd_params *p)
{
	struct cf_impl *i = ring->impl;
	int r = cf_register(ring, RINGD_REGISTER_RESIZE_RINGS, p, 1);

	if (r < 0)
		return r;
	munmap(i->rings, i->rings_size);
	munmap(i->sqes, i->sqes_size);
	p->flags |= ring->p.flags;
	if (!p->sq_off.array)	/* not told here: behind the CQEs, as setup has it */
		p->sq_off.array = (p->cq_off.cqes + (p->cq_entries << (p->flags & RINGD_SETUP_CQE32 ? 5 : 4)) + 63) & ~63u;
	ring->p = *p;
	map_rings(ring, i);
	find_words(ring, i);
	return r;
}

/* --- completions --- */

unsigned int cf_cq_ready(struct cf_ring *ring)
{
	return __atomic_load_n(ring->impl->cq_tail, __ATOMIC_ACQUIRE) - *ring->impl->cq_head;
}

bool cf_peek(struct cf_ring *ring, struct cf_cqe *cqe)
{
	struct cf_impl *i = ring->impl;
	unsigned int shift = ring->p.flags & RINGD_SETUP_CQE32 ? 5 : 4;
	uint32_t head = *i->cq_head, n = 1;
	const struct ringd_cqe *c;

	if (!cf_cq_ready(ring))
		return false;
	show_order();
	c = (const void *)(i->cqes + ((size_t)(head & (ring->p.cq_entries - 1)) << shift));
	*cqe = (struct cf_cqe){ .user_data = c->user_data, .res = c->res, .flags = c->flags };
	if (shift == 5 || (c->flags & RINGD_CQE_F_32))
		memcpy(cqe->big, c + 1, sizeof(cqe->big));
	if (shift == 4 && (c->flags & RINGD_CQE_F_32))
		n = 2;
	__atomic_store_n(i->cq_head, head + n, __ATOMIC_RELEASE);
	return true;
}

bool cf_wait_cqe_for(struct cf_ring *ring, struct cf_cqe *cqe, unsigned int ms)
{
	struct ringd_timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000l };
	struct ringd_getevents_arg arg = { .ts = cf_addr(&ts) };
	int r;

	if (cf_peek(ring, cqe))
		return true;
	do {
		r = cf_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG, &arg, sizeof(arg));
		if (cf_peek(ring, cqe))
			return true;
	} while (r == -EINTR || r == 0);
	ck_assert_msg(r == -ETIME, "enter: %s", strerror(-r));
	return false;
}

/* --- words --- */

unsigned int cf_sq_flags(struct cf_ring *ring)
{
	return __atomic_load_n(ring->impl->sq_flags, __ATOMIC_ACQUIRE);
}

unsigned int cf_sq_head(struct cf_ring *ring)
{
	return __atomic_load_n(ring->impl->sq_head, __ATOMIC_ACQUIRE);
}

unsigned int cf_sq_tail(struct cf_ring *ring)
{
	return ring->impl->tail;
}

unsigned int cf_sq_dropped(struct cf_ring *ring)
{
	return __atomic_load_n(ring->impl->sq_dropped, __ATOMIC_ACQUIRE);
}

unsigned int cf_cq_overflow(struct cf_ring *ring)
{
	return __atomic_load_n(ring->impl->cq_overflow, __ATOMIC_ACQUIRE);
}

unsigned int cf_cq_tail(struct cf_ring *ring)
{
	return __atomic_load_n(ring->impl->cq_tail, __ATOMIC_ACQUIRE);
}

uint32_t *cf_sq_array(struct cf_ring *ring)
{
	return ring->impl->array;
}

void cf_set_cq_flags(struct cf_ring *ring, unsigned int flags)
{
	__atomic_store_n(ring->impl->cq_flags, flags, __ATOMIC_RELEASE);
}
