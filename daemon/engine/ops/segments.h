/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segments of client memory that are transferred, and cut off as far as they have been. In line: every read has one. */
#ifndef RD_SEGMENTS_H
#define RD_SEGMENTS_H

#include "../request/request.h"

/* The client's addresses become ours. owners (one per segment) are held; NULL: req->mem is the only one's. 0, -EFAULT. */
static inline int rd_segments_map(struct rd_req *req, struct iovec *vec, uint32_t nr, struct rd_mem **owners)
{
	struct rd_host *host = req->ctx->host;

	for (uint32_t i = 0; i < nr; i++) {
		struct iovec *seg = &vec[i];
		struct rd_mem *owner = NULL;

		if (!seg->iov_len) {
			seg->iov_base = NULL;	/* nobody looks at it */
			continue;
		}
		seg->iov_base = host->ops->map(host, (uintptr_t)seg->iov_base, seg->iov_len, &owner);
		if (!seg->iov_base)
			return -EFAULT;
		if (owners)
			owners[i] = rd_mem_get(owner);
		else
			req->mem = owner;
	}
	return 0;
}

/* n bytes were moved, no more than there are; segments that are used up stay, with length 0. */
static inline void rd_segments_cut(struct iovec *vec, uint64_t n)
{
	for (uint32_t i = 0; n; i++) {
		uint64_t part = RD_MIN(n, vec[i].iov_len);

		if (!part)
			continue;	/* an empty segment has no base either */
		vec[i].iov_base = (char *)vec[i].iov_base + part;
		vec[i].iov_len -= part;
		n -= part;
	}
}

#endif
