/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "localring.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *map(struct lr *lr, size_t size, uint64_t off)
{
	void *p = NULL;

	ck_assert_int_eq(rd_local_mmap(&p, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, lr->fd, off), 0);
	return p;
}

void lr_map(struct lr *lr)
{
	const struct ringd_params *p = &lr->p;
	size_t cqes = (size_t)p->cq_entries * sizeof(struct ringd_cqe) << !!(p->flags & RINGD_SETUP_CQE32);
	size_t rings = p->cq_off.cqes + cqes;

	if (!(p->flags & RINGD_SETUP_NO_SQARRAY))
		rings = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	lr->rings = map(lr, rings, RINGD_OFF_SQ_RING);
	lr->sqes = map(lr, p->sq_entries * sizeof(struct ringd_sqe), RINGD_OFF_SQES);
	lr->sq_tail = (uint32_t *)(void *)(lr->rings + p->sq_off.tail);
	lr->sq_array = (uint32_t *)(void *)(lr->rings + p->sq_off.array);
	lr->cq_head = (uint32_t *)(void *)(lr->rings + p->cq_off.head);
	lr->cq_tail = (uint32_t *)(void *)(lr->rings + p->cq_off.tail);
	lr->cqes = (struct ringd_cqe *)(void *)(lr->rings + p->cq_off.cqes);
	for (uint32_t i = 0; i < p->sq_entries && !(p->flags & RINGD_SETUP_NO_SQARRAY); i++)
		lr->sq_array[i] = i;
}

void lr_open(struct lr *lr, unsigned int entries, uint32_t flags)
{
	lr->p.flags |= flags;
	lr->fd = rd_local_setup(entries, &lr->p);
	ck_assert_int_ge(lr->fd, 0);
	lr_map(lr);
}

void lr_close(struct lr *lr)
{
	ck_assert(rd_local_close(lr->fd));
	close(lr->fd);
	lr->fd = -1;
}

struct ringd_sqe *lr_sqe(struct lr *lr, uint8_t opcode, int fd, uint64_t addr, uint32_t len, uint64_t user_data)
{
	uint32_t tail = *lr->sq_tail;
	struct ringd_sqe *sqe = &lr->sqes[tail & (lr->p.sq_entries - 1)];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->addr = addr;
	sqe->len = len;
	sqe->user_data = user_data;
	__atomic_store_n(lr->sq_tail, tail + 1, __ATOMIC_RELEASE);
	return sqe;
}

void lr_submit(struct lr *lr, unsigned int n)
{
	ck_assert_int_eq(rd_local_enter((unsigned int)lr->fd, n, n, RINGD_ENTER_GETEVENTS, NULL, 0), (int)n);
}

unsigned int lr_ready(const struct lr *lr)
{
	return __atomic_load_n(lr->cq_tail, __ATOMIC_ACQUIRE) - *lr->cq_head;
}

struct ringd_cqe lr_cqe(struct lr *lr)
{
	struct ringd_cqe cqe;

	if (!lr_ready(lr))
		ck_assert_int_eq(rd_local_enter((unsigned int)lr->fd, 0, 1, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
	ck_assert_uint_ge(lr_ready(lr), 1);
	cqe = lr->cqes[*lr->cq_head & (lr->p.cq_entries - 1)];
	__atomic_store_n(lr->cq_head, *lr->cq_head + 1, __ATOMIC_RELEASE);
	return cqe;
}

int lr_run(struct lr *lr)
{
	lr_submit(lr, 1);
	return lr_cqe(lr).res;
}

int lr_register(const struct lr *lr, unsigned int opcode, const void *arg, unsigned int nr)
{
	return rd_local_register((unsigned int)lr->fd, opcode, arg, nr);
}

void *lr_bad_page(void)
{
	void *p = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

void *lr_at_the_end(const void *data, size_t size)
{
	size_t page = (size_t)getpagesize(), room = (size + page - 1) / page * page;
	char *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_assert_int_eq(mprotect(p + room, page, PROT_NONE), 0);
	return memcpy(p + room - size, data, size);
}
