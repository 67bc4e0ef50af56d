/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One io_uring_register call, all of its fragments together. */
#ifndef RD_REGISTER_H
#define RD_REGISTER_H

#include "session.h"

struct rd_reg {
	struct rd_session *session;
	struct rd_ring *ring;		/* NULL: a call without a ring */
	struct rd_ctx *ctx;		/* the ring's */
	const struct ringd_register *head;
	const uint8_t *data;		/* behind the head; private memory, aligned to 8 */
	size_t len;
	int *fds;			/* of the request; those that are taken become -1 */
	size_t n_fds, next_fd;
	uint8_t *out;			/* the answer's data, room for RD_REG_OUT */
	size_t out_len;
	int out_fd;			/* a descriptor for the answer, closed when it is sent; -1: none */
	void (*undo)(struct rd_reg *reg);	/* take back what was done: the descriptor could not be sent */
	bool later;			/* the handler, or what it started, answers */
};

#define RD_REG_OUT	(sizeof(struct ringd_probe) + RINGD_MAX_PROBE_OPS * sizeof(struct ringd_probe_op))

/* What is behind the opcode's own structure. */
struct rd_reg_arrays {
	const uint8_t *elems;		/* NULL: sparse */
	const uint8_t *tags;		/* NULL: none */
};

/* Copy the opcode's structure out. -EPROTO: it is not there. */
int rd_reg_struct(struct rd_reg *reg, void *dst, size_t size);
/* The arrays behind a structure of struct_size bytes; head->nr was checked against its limit. -EPROTO: another length. */
int rd_reg_arrays(struct rd_reg *reg, struct rd_reg_arrays *ret, size_t struct_size, size_t elem_size, bool sparse);
/* rsrc_register, rsrc_update2: the rules files and buffers share. -EINVAL, -EPROTO. */
int rd_reg_rsrc(struct rd_reg *reg, bool *sparse);
int rd_reg_update2(struct rd_reg *reg, uint32_t *off);
/* A structure and nothing else. -EPROTO: another length. */
int rd_reg_exactly(struct rd_reg *reg, void *dst, size_t size);
/* What io_uring demands of a region_desc, in its order. Words are noted. */
int rd_reg_region_desc(struct rd_session *session, const struct ringd_region_desc *desc);
/*
 * Zero-filled memory of size bytes, mapped at *ptr, which the client gets as reg->out_fd with the memory at that offset. *owner
 * has one reference, the caller's. -EDQUOT, -ENOMEM, ... with words.
 */
int rd_reg_mem_new(struct rd_reg *reg, const char *name, uint64_t off, uint64_t size, void **ptr, struct rd_mem **owner);
/* A call without arguments. -EINVAL. */
int rd_reg_no_args(struct rd_reg *reg);

/* The ring was made with RINGD_SETUP_R_DISABLED and not started yet. */
static inline bool rd_reg_disabled(const struct rd_reg *reg)
{
	return reg->ring->ctx.disabled;
}

static inline uint64_t rd_reg_tag(const struct rd_reg_arrays *a, uint32_t i)
{
	uint64_t tag = 0;

	if (a->tags)
		__builtin_memcpy(&tag, a->tags + (size_t)i * sizeof(tag), sizeof(tag));
	return tag;
}

/* One handler per opcode: what io_uring_register returns, or a negative errno and words in the session. */
/* register_files.c */
/* Is it a client's end of a connection to ringd, of a channel or of a wake socket? */
bool rd_reg_is_connection(const struct rd_session *session, int fd);
/* A file out of a client's descriptor, which becomes -1. -EBADF, -ENOMEM; -EDQUOT with its words. */
int rd_reg_file_new(struct rd_session *session, struct rd_file **ret, int *fd);
int rd_reg_files(struct rd_reg *reg);
int rd_reg_files2(struct rd_reg *reg);
int rd_reg_files_update(struct rd_reg *reg);
int rd_reg_files_update2(struct rd_reg *reg);
int rd_reg_unregister_files(struct rd_reg *reg);
int rd_reg_file_alloc_range(struct rd_reg *reg);
/* register_ring.c */
int rd_reg_eventfd(struct rd_reg *reg);
int rd_reg_eventfd_async(struct rd_reg *reg);
int rd_reg_unregister_eventfd(struct rd_reg *reg);
int rd_reg_enable_rings(struct rd_reg *reg);
int rd_reg_resize_rings(struct rd_reg *reg);
/* register_bufs.c */
int rd_reg_bufs(struct rd_reg *reg);
int rd_reg_bufs2(struct rd_reg *reg);
int rd_reg_bufs_update(struct rd_reg *reg);
int rd_reg_unregister_bufs(struct rd_reg *reg);
int rd_reg_clone_bufs(struct rd_reg *reg);
/* register_pbuf.c */
int rd_reg_pbuf_ring(struct rd_reg *reg);
int rd_reg_unregister_pbuf_ring(struct rd_reg *reg);
int rd_reg_pbuf_status(struct rd_reg *reg);
/* register_cancel.c */
int rd_reg_sync_cancel(struct rd_reg *reg);
/* register_query.c */
int rd_reg_probe(struct rd_reg *reg);
int rd_reg_query(struct rd_reg *reg);
int rd_reg_clock(struct rd_reg *reg);
int rd_reg_personality(struct rd_reg *reg);
int rd_reg_unregister_personality(struct rd_reg *reg);
/* register_napi.c */
int rd_reg_napi(struct rd_reg *reg);
int rd_reg_unregister_napi(struct rd_reg *reg);
/* register_zcrx.c */
int rd_reg_zcrx_ifq(struct rd_reg *reg);
int rd_reg_zcrx_ctrl(struct rd_reg *reg);
/* register_region.c */
int rd_reg_mem_region(struct rd_reg *reg);
/* register_restrict.c */
int rd_reg_restrictions(struct rd_reg *reg);
/* register_workers.c */
int rd_reg_iowq_aff(struct rd_reg *reg);
int rd_reg_unregister_iowq_aff(struct rd_reg *reg);
int rd_reg_iowq_max_workers(struct rd_reg *reg);

#endif
