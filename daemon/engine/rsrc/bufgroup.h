/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buffers that a client provides before it is known which request will use them, in groups of a ring. Classic groups are
 * lists filled by PROVIDE_BUFFERS; the others are rings in shared memory (pbuf.h).
 *
 * An operation uses a buffer in two steps. rd_bufsel_take() picks what is next and changes nothing; then exactly one of
 * rd_bufsel_commit() (the buffer is used, a CQE tells its id) and rd_bufsel_drop() (it is the next one again) ends the
 * selection, before the op gives the reactor back: a selection does not outlive issue(). So no cancel, no unregister and
 * no end of the ring can meet one, and two requests cannot hold the same buffer. What goes on elsewhere (a worker, the
 * kernel ring) commits first and keeps the memory alone:
 *
 *   done, with n bytes		cflags = rd_bufsel_commit(sel, n)
 *   must wait for readiness	rd_bufsel_drop(sel), take again when it is ready
 *   error, or nothing there	drop; commit if the rules of the operation say so (spec of READ: files that cannot wait)
 *   some of it is done, and the rest of the same buffer has to wait (WAITALL, a short send), or it is
 *   handed to another thread	req->cflags = rd_bufsel_commit(sel, sel->bytes), so that every end reports the id
 */
#ifndef RD_BUFGROUP_H
#define RD_BUFGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "charge.h"
#include "proto/abi.h"
#include "../host.h"

struct rd_bufgroup;
struct rd_bufgroups;	/* all of a ring, by id; made with the first */

#define RD_BUFSEL_MAX	256	/* buffers in one bundle */

/* A selection. Lives on the stack of issue(), or in the request when that is easier; zero-filled before its first use. */
struct rd_bufsel {
	struct rd_bufgroup *group;	/* NULL: nothing is selected */
	const struct iovec *iov;	/* of a bundle: the caller's, left as it is until the commit */
	uint64_t addr;			/* the client's, of the first */
	uint64_t bytes;			/* selected */
	uint32_t last_len;		/* what the last entry says, before it was cut to what was wanted */
	uint16_t bid;			/* of the first */
	uint16_t nr;			/* buffers */
	bool dry;			/* nothing is behind them */
};

/*
 * The next buffer of a group, cut to want bytes (0: all of it): *iov is its place in our memory, *owner keeps it mapped
 * (rd_mem_get() it to use it after this visit). {NULL, 0} for an empty buffer.
 * -ENOBUFS: no such group or none left, nothing is selected. -EFAULT: selected, but it is not client memory.
 */
int rd_bufsel_take(struct rd_bufsel *sel, struct rd_bufgroups *groups, struct rd_host *host, uint16_t bgid, uint64_t want,
		   struct iovec *iov, struct rd_mem **owner);
/*
 * The next buffers, in order, up to room (at most RD_BUFSEL_MAX) of them and want bytes (0: no limit); owners has room
 * entries, too. One that would have to be cut is left for next time, but for the first one and in an incremental group;
 * so is an empty one. A classic group gives one. As above; also -ENOBUFS when the first is empty.
 */
int rd_bufsel_peek(struct rd_bufsel *sel, struct rd_bufgroups *groups, struct rd_host *host, uint16_t bgid, uint64_t want,
		   struct iovec *iov, struct rd_mem **owners, unsigned int room);
/* bytes of the selection (more count as all) are used; the first buffer at least, unless the group is incremental. The
 * buffer's flags for the CQE. */
uint32_t rd_bufsel_commit(struct rd_bufsel *sel, uint64_t bytes);
/* Nothing is used. Without a selection: nothing. */
void rd_bufsel_drop(struct rd_bufsel *sel);

/* --- groups --- */

/* Does anything of this id exist? For send, which tells a group that never was (-ENOENT) from an empty one. */
bool rd_bufgroups_have(const struct rd_bufgroups *groups, uint16_t bgid);
/* Add nr buffers of len bytes from addr on, numbered from bid; *groups and the group are made when needed. -EINVAL: a
 * ring group; -EDQUOT (objects), -ENOMEM: nothing was added. */
int rd_bufgroups_provide(struct rd_bufgroups **groups, struct rd_user *user, uint16_t bgid, uint64_t addr, uint32_t len,
			 uint32_t nr, uint16_t bid);
/* Take up to nr buffers out: how many. -ENOENT, -EINVAL: a ring group. */
int rd_bufgroups_remove(struct rd_bufgroups *groups, uint16_t bgid, uint32_t nr);
/* Is there room for a ring group? 0, -EEXIST. */
int rd_bufgroups_check_ring(const struct rd_bufgroups *groups, uint16_t bgid);
/* A ring group over mem, which holds reg->ring_entries entries, reg checked by rd_pbuf_check(); owner is held until it is
 * removed. -EEXIST, -EDQUOT, -ENOMEM. */
int rd_bufgroups_add_ring(struct rd_bufgroups **groups, struct rd_user *user, const struct ringd_buf_reg *reg, void *mem,
			  struct rd_mem *owner);
int rd_bufgroups_remove_ring(struct rd_bufgroups *groups, uint16_t bgid);	/* -ENOENT, -EINVAL: classic */
/* Entries used up so far, modulo 65536. -ENOENT, -EINVAL: classic. */
int rd_bufgroups_head(const struct rd_bufgroups *groups, uint16_t bgid);
/* What the next buffer of a group has room for; 0: there is none. */
uint32_t rd_bufgroups_next_len(const struct rd_bufgroups *groups, uint16_t bgid);
/* All of them; NULL is fine. Returns NULL. */
struct rd_bufgroups *rd_bufgroups_free(struct rd_bufgroups *groups);

#endif
