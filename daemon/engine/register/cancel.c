/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYNC_CANCEL. What can be stopped is stopped at once. For what runs the host looks again after a while, and again, until
 * nothing is found, the time is over, or the ring is gone. A look costs as much as there is in flight, so it is repeated
 * the more rarely the more that is.
 */
#include <string.h>

#include "daemon/common/clock.h"
#include "register.h"

#define RD_LOOK_MIN_US	500
#define RD_LOOK_MAX_US	16000
#define RD_LOOK_SHARE	16	/* requests in flight for a us more; a look takes some 10 ns for each */

#define RD_CANCEL_FLAGS	(RINGD_ASYNC_CANCEL_ALL | RINGD_ASYNC_CANCEL_FD | RINGD_ASYNC_CANCEL_ANY | \
			 RINGD_ASYNC_CANCEL_FD_FIXED | RINGD_ASYNC_CANCEL_USERDATA | RINGD_ASYNC_CANCEL_OP)

struct rd_sync_cancel {
	uint32_t slot;			/* with FD and FD_FIXED */
	struct rd_cancel_key key;	/* file: held, unless slot is meant */
	uint64_t deadline;		/* UINT64_MAX: none */
	uint64_t pause_us;
};

static bool by_slot(const struct rd_cancel_key *key)
{
	return (key->flags & RINGD_ASYNC_CANCEL_FD) && (key->flags & RINGD_ASYNC_CANCEL_FD_FIXED);
}

static int look(struct rd_ctx *ctx, const struct rd_cancel_key *key, uint32_t slot)
{
	struct rd_cancel_key k = *key;
	int r;

	if (!by_slot(key))
		return rd_ctx_cancel(ctx, &k, NULL);
	k.file = rd_filetable_get(&ctx->files, slot);
	if (!k.file)
		return -EBADF;
	rd_file_get(k.file);
	r = rd_ctx_cancel(ctx, &k, NULL);
	rd_file_put(k.file);
	return r;
}

static void drop_file(struct rd_cancel_key *key)
{
	if (key->file)
		rd_file_put(key->file);
	key->file = NULL;
}

void rd_sync_cancel_free(struct rd_sync_cancel *sc)
{
	drop_file(&sc->key);
	free(sc);
}

/* --- while it runs --- */

static uint64_t next_pause(struct rd_sync_cancel *sc, const struct rd_ctx *ctx)
{
	uint64_t now = rd_now_ns(), us = RD_MAX(sc->pause_us, (uint64_t)ctx->inflight / RD_LOOK_SHARE);

	if (sc->deadline != UINT64_MAX)
		us = sc->deadline > now ? RD_MIN(us, (sc->deadline - now) / 1000 + 1) : 0;
	sc->pause_us = RD_MIN(2 * sc->pause_us, (uint64_t)RD_LOOK_MAX_US);
	return us;
}

int rd_sync_cancel_look(struct rd_sync_cancel *sc, struct rd_reg *reg, uint64_t *pause_us)
{
	int r = look(reg->ctx, &sc->key, sc->slot);

	if (r == -EALREADY && rd_now_ns() >= sc->deadline)
		return rd_reg_refuse(reg, -ETIME, "the request runs still");
	if (r == -EALREADY)
		*pause_us = next_pause(sc, reg->ctx);
	/* gone by itself meanwhile is as good */
	return r == -ENOENT || r > 0 ? 0 : r;
}

/* Time is a struct timespec of the client: what is less than no time is none, what is more than there is, is for ever. */
static uint64_t deadline(const struct ringd_timespec *timeout)
{
	uint64_t ns, nsec = timeout->tv_nsec > 0 ? (uint64_t)timeout->tv_nsec : 0;

	if (timeout->tv_sec == -1 && timeout->tv_nsec == -1)
		return UINT64_MAX;
	if (timeout->tv_sec < 0)
		return 0;
	if (__builtin_mul_overflow((uint64_t)timeout->tv_sec, 1000000000u, &ns) || __builtin_add_overflow(ns, nsec, &ns) ||
	    __builtin_add_overflow(ns, rd_now_ns(), &ns))
		return UINT64_MAX;
	return ns;
}

/* key.file is taken over in any case. */
static int wait_for_end(struct rd_reg *reg, const struct ringd_sync_cancel_reg *in, struct rd_cancel_key *key)
{
	struct rd_sync_cancel *sc = calloc(1, sizeof(*sc));

	if (!sc) {
		drop_file(key);
		return rd_reg_refuse(reg, -ENOMEM, "the engine is out of memory");
	}
	sc->slot = (uint32_t)in->fd;
	sc->key = *key;
	sc->pause_us = RD_LOOK_MIN_US;
	sc->deadline = deadline(&in->timeout);
	return reg->ops->later(reg, sc, next_pause(sc, reg->ctx));
}

/* --- the call --- */

static int check(struct rd_reg *reg, const struct ringd_sync_cancel_reg *in)
{
	bool zero = !(in->pad2[0] | in->pad2[1] | in->pad2[2]);

	for (size_t i = 0; i < sizeof(in->pad); i++)
		zero &= !in->pad[i];
	if (reg->nr != 1 || !zero || in->flags & ~RD_CANCEL_FLAGS)
		return rd_reg_refuse(reg, -EINVAL, "unknown flags, or a reserved field is not zero");
	return 0;
}

int rd_reg_sync_cancel(struct rd_reg *reg)
{
	struct ringd_sync_cancel_reg in;
	struct rd_cancel_key key;
	int r = rd_reg_exactly(reg, &in, sizeof(in));

	if (r == 0)
		r = check(reg, &in);
	if (r < 0)
		return r;
	key = (struct rd_cancel_key){ .user_data = in.addr, .opcode = in.opcode, .flags = in.flags };
	if ((in.flags & RINGD_ASYNC_CANCEL_FD) && !by_slot(&key) && reg->host->ops->file(reg->host, in.fd, &key.file) < 0)
		return rd_reg_refuse(reg, -EBADF, "no descriptor %d", in.fd);
	r = look(reg->ctx, &key, (uint32_t)in.fd);
	if (r == -EALREADY)
		return wait_for_end(reg, &in, &key);
	drop_file(&key);
	if (r == -EBADF)
		return rd_reg_refuse(reg, r, "slot %d is empty", in.fd);
	return r < 0 ? rd_reg_refuse(reg, r, "no such request") : r;
}
