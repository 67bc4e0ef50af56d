/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register calls: what io_uring_register(2) takes by pointer is here, in private memory, and what it takes by number is open
 * descriptors; how they came is the host's matter. One call is a struct rd_reg, on the stack of whoever has it.
 *
 * The host fills it in, asks rd_reg_served(), finds the ring, and calls rd_reg_run(). Then out is the answer's data and
 * out_fd a descriptor for the client.
 */
#ifndef RD_REGISTER_H
#define RD_REGISTER_H

#include "../engine.h"
#include "../host.h"
#include "../ring/ring.h"
#include "daemon/common/util.h"

struct rd_reg;
struct rd_sync_cancel;

/* What only a host can know or do. */
struct rd_reg_ops {
	/* The ring of a number in a call, or of a registered index: borrowed. -EBADF, -EOPNOTSUPP, -EINVAL, ... with words. */
	int (*find)(struct rd_reg *reg, uint32_t number, bool registered, struct rd_ctx **ret);
	/* A file out of a descriptor of the call, which becomes -1 if that is taken. -EBADF, -ENOMEM; -EDQUOT with its words. */
	int (*file)(struct rd_reg *reg, int *fd, struct rd_file **ret);
	/* Memory that host->map() gave: could a load of ours find no page behind it? NULL: never. */
	bool (*is_brittle)(const struct rd_mem *mem);
	/* RESIZE_RINGS: params in and out as in struct ringd_resized; *fd is the descriptor of new memory, or stays -1. */
	int (*resize)(struct rd_reg *reg, struct ringd_resized *ret, uint64_t scratch_base, int *fd);
	/*
	 * SYNC_CANCEL goes on: rd_sync_cancel_look() after so many us. sc is the host's in any case. 0: reg->later is set, and
	 * somebody will answer.
	 */
	int (*later)(struct rd_reg *reg, struct rd_sync_cancel *sc, uint64_t pause_us);
};

/* What REGISTER_MEM_REGION has given a ring. */
struct rd_region {
	bool set;			/* not again */
	struct rd_mem *mem;		/* the client's, held */
	struct rd_charge bytes;		/* or ours */
};

struct rd_reg {
	const struct rd_reg_ops *ops;
	struct rd_host *host;
	struct rd_engine *engine;
	struct rd_ring *ring;		/* NULL: a call without a ring */
	struct rd_ctx *ctx;		/* the ring's */
	struct rd_region *region;	/* likewise */
	struct rd_restrict *task_rules;	/* of whoever calls, for rings made from now on */
	uint32_t opcode;
	uint32_t nr;
	bool has_tags;			/* behind the entries of data come as many tags */
	const uint8_t *data;		/* private memory, aligned to 8; pointers in structures are 0 */
	size_t len;
	int *fds;			/* of the call; those that are taken become -1, the others are the host's to close */
	size_t n_fds, next_fd;
	uint8_t *out;			/* the answer's data, room for RD_REG_OUT */
	size_t out_len;
	int out_fd;			/* a descriptor for the answer, which the host closes or keeps; -1: none */
	void (*undo)(struct rd_reg *reg);	/* take back what was done: the descriptor could not be given away */
	bool later;			/* somebody else answers */
	bool flat;			/* memory for the client is at the start of its file, whatever offset it gets */
	char *text;			/* words of a refusal; NULL: nobody wants them */
	size_t text_size;
};

#define RD_REG_OUT	(sizeof(struct ringd_probe) + RINGD_MAX_PROBE_OPS * sizeof(struct ringd_probe_op))

/* Is there such an opcode, and may it come with descriptors? -EINVAL, -EPROTO. */
int rd_reg_served(struct rd_reg *reg);
/* io_uring's calls with a descriptor of -1: those that are not about one ring. */
bool rd_reg_blind(uint32_t opcode);
/* The call. What io_uring_register returns, or a negative errno and words. */
int rd_reg_run(struct rd_reg *reg);

void rd_region_drop(struct rd_region *region);

/* --- cancel.c: a SYNC_CANCEL whose target runs --- */

/* What to do now. -EALREADY: look again after *pause_us; else the result of the call, with words. */
int rd_sync_cancel_look(struct rd_sync_cancel *sc, struct rd_reg *reg, uint64_t *pause_us);
void rd_sync_cancel_free(struct rd_sync_cancel *sc);

/* --- what the handlers share --- */

/* Note the words of a refusal; returns err. */
int rd_reg_refuse(struct rd_reg *reg, int err, const char *fmt, ...) __attribute__((__format__(__printf__, 3, 4)));
/* Words for a budget (RINGD_LIMIT_*) that has no room for amount more. -EDQUOT. */
int rd_reg_refuse_budget(struct rd_reg *reg, unsigned int slot, uint64_t amount);

/* What is behind the opcode's own structure. */
struct rd_reg_arrays {
	const uint8_t *elems;		/* NULL: sparse */
	const uint8_t *tags;		/* NULL: none */
};

/* Copy the opcode's structure out. -EPROTO: it is not there. */
int rd_reg_struct(struct rd_reg *reg, void *dst, size_t size);
/* The arrays behind a structure of struct_size bytes; reg->nr was checked against its limit. -EPROTO: another length. */
int rd_reg_arrays(struct rd_reg *reg, struct rd_reg_arrays *ret, size_t struct_size, size_t elem_size, bool sparse);
/* rsrc_register, rsrc_update2: the rules files and buffers share. -EINVAL, -EPROTO. */
int rd_reg_rsrc(struct rd_reg *reg, bool *sparse);
int rd_reg_update2(struct rd_reg *reg, uint32_t *off);
/* A structure and nothing else. -EPROTO: another length. */
int rd_reg_exactly(struct rd_reg *reg, void *dst, size_t size);
/* The same of a call that takes one structure. -EINVAL, -EPROTO. */
int rd_reg_one(struct rd_reg *reg, void *dst, size_t size);
/* What io_uring demands of a region_desc, in its order. Words are noted. */
int rd_reg_region_desc(struct rd_reg *reg, const struct ringd_region_desc *desc);
/*
 * Zero-filled memory of size bytes, mapped at *ptr, which the client gets as reg->out_fd with the memory at that offset. *owner
 * has one reference, the caller's. -EDQUOT, -ENOMEM, ... with words.
 */
int rd_reg_mem_new(struct rd_reg *reg, const char *name, uint64_t off, uint64_t size, void **ptr, struct rd_mem **owner);
/* Memory of the client's to be used for long, or NULL. *owner may come back NULL, and is held by whoever keeps the pointer. */
void *rd_reg_map(struct rd_reg *reg, uint64_t addr, uint64_t size, struct rd_mem **owner);
/* A call without arguments. -EINVAL. */
int rd_reg_no_args(struct rd_reg *reg);

static inline bool rd_reg_is_brittle(const struct rd_reg *reg, const struct rd_mem *mem)
{
	return reg->ops->is_brittle && reg->ops->is_brittle(mem);
}

/* The ring was made with RINGD_SETUP_R_DISABLED and not started yet. */
static inline bool rd_reg_disabled(const struct rd_reg *reg)
{
	return reg->ctx->disabled;
}

static inline uint64_t rd_reg_tag(const struct rd_reg_arrays *a, uint32_t i)
{
	uint64_t tag = 0;

	if (a->tags)
		__builtin_memcpy(&tag, a->tags + (size_t)i * sizeof(tag), sizeof(tag));
	return tag;
}

/* One handler per opcode: what io_uring_register returns, or a negative errno and words. */
/* files.c */
int rd_reg_files(struct rd_reg *reg);
int rd_reg_files2(struct rd_reg *reg);
int rd_reg_files_update(struct rd_reg *reg);
int rd_reg_files_update2(struct rd_reg *reg);
int rd_reg_unregister_files(struct rd_reg *reg);
int rd_reg_file_alloc_range(struct rd_reg *reg);
/* ring.c */
int rd_reg_eventfd(struct rd_reg *reg);
int rd_reg_eventfd_async(struct rd_reg *reg);
int rd_reg_unregister_eventfd(struct rd_reg *reg);
int rd_reg_enable_rings(struct rd_reg *reg);
int rd_reg_resize_rings(struct rd_reg *reg);
int rd_reg_send_msg_ring(struct rd_reg *reg);
/* bufs.c */
int rd_reg_bufs(struct rd_reg *reg);
int rd_reg_bufs2(struct rd_reg *reg);
int rd_reg_bufs_update(struct rd_reg *reg);
int rd_reg_unregister_bufs(struct rd_reg *reg);
/* clone.c */
int rd_reg_clone_bufs(struct rd_reg *reg);
/* pbuf.c */
int rd_reg_pbuf_ring(struct rd_reg *reg);
int rd_reg_unregister_pbuf_ring(struct rd_reg *reg);
int rd_reg_pbuf_status(struct rd_reg *reg);
/* cancel.c */
int rd_reg_sync_cancel(struct rd_reg *reg);
/* query.c */
int rd_reg_probe(struct rd_reg *reg);
int rd_reg_query(struct rd_reg *reg);
int rd_reg_clock(struct rd_reg *reg);
int rd_reg_personality(struct rd_reg *reg);
int rd_reg_unregister_personality(struct rd_reg *reg);
/* napi.c */
int rd_reg_napi(struct rd_reg *reg);
int rd_reg_unregister_napi(struct rd_reg *reg);
/* zcrx.c */
int rd_reg_zcrx_ifq(struct rd_reg *reg);
int rd_reg_zcrx_ctrl(struct rd_reg *reg);
/* region.c */
int rd_reg_mem_region(struct rd_reg *reg);
/* restrict.c */
int rd_reg_restrictions(struct rd_reg *reg);
/* workers.c */
int rd_reg_iowq_aff(struct rd_reg *reg);
int rd_reg_unregister_iowq_aff(struct rd_reg *reg);
int rd_reg_iowq_max_workers(struct rd_reg *reg);

#endif
