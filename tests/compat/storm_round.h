/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One round of the storm: requests whose data is verified, on any ring; and assertions that threads and children can make. */
#ifndef RD_TEST_STORM_ROUND_H
#define RD_TEST_STORM_ROUND_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define SIZE		2048
#define PARTS		4	/* requests of a round */

static _Atomic int wrong_line;

/* Not Check's: that takes a lock, which a child finds taken by a thread it has not got, and a cancelled thread leaves behind. */
#define SURE(expr) do { \
	int none = 0; \
	if (!(expr)) \
		atomic_compare_exchange_strong(&wrong_line, &none, __LINE__); \
} while (0)
#define ck_assert(expr)			SURE(expr)
#define ck_assert_int_eq(a, b)		SURE((a) == (b))
#define ck_assert_int_ge(a, b)		SURE((a) >= (b))
#define ck_assert_uint_eq(a, b)		SURE((a) == (b))

#include "local_ring.h"

static _Atomic unsigned long submitted, completed;
static int file;

/* --- a round: data goes to a file and comes back, and goes through a socket --- */

struct round {
	char out[SIZE], back[SIZE], got[SIZE];
	int pair[2];
	unsigned int left;		/* under done_lock on the shared ring */
};

static void round_init(struct round *w)
{
	SURE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->pair) == 0);
}

static void round_fini(struct round *w)
{
	close(w->pair[0]);
	close(w->pair[1]);
}

/* The address of the round, and in the lowest bits which of its requests it was. */
static void round_sqes(struct lring *r, struct round *w, unsigned int who, unsigned int n)
{
	uint64_t id = (uintptr_t)w, at = (uint64_t)who * SIZE;
	struct ringd_sqe *sqe;

	for (unsigned int i = 0; i < SIZE; i++)
		w->out[i] = (char)(who * 31 + n * 7 + i * 13 + i / 251);
	memset(w->back, 0, SIZE);
	memset(w->got, 0, SIZE);
	sqe = lr_sqe(r, RINGD_OP_WRITE, file, w->out, SIZE, id);
	sqe->off = at;
	sqe->flags = RINGD_SQE_IO_LINK | (n % 3 == 0 ? RINGD_SQE_ASYNC : 0);
	sqe = lr_sqe(r, RINGD_OP_READ, file, w->back, SIZE, id + 1);
	sqe->off = at;
	sqe->flags = n % 5 == 0 ? RINGD_SQE_ASYNC : 0;
	lr_sqe(r, RINGD_OP_RECV, w->pair[0], w->got, SIZE, id + 2)->msg_flags = MSG_WAITALL;
	lr_sqe(r, RINGD_OP_SEND, w->pair[1], w->out, SIZE, id + 3);
	w->left = PARTS;
	atomic_fetch_add(&submitted, PARTS);
}

static void round_cqe(const struct ringd_cqe *cqe)
{
	struct round *w = (struct round *)(uintptr_t)(cqe->user_data & ~7ull);

	SURE(cqe->res == SIZE);
	SURE(w->left > 0);
	w->left--;
	atomic_fetch_add(&completed, 1);
}

static void round_verify(const struct round *w)
{
	SURE(!memcmp(w->out, w->back, SIZE));
	SURE(!memcmp(w->out, w->got, SIZE));
}

#endif
