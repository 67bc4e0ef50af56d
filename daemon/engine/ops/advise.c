/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FADVISE and MADVISE.
 *
 * The memory an advice is about is an arena: mapped by the client and, somewhere else, by us. What concerns the pages
 * (read them in, allocate them, punch them out, make them huge, push them out) reaches them through our mapping just as well.
 * What concerns a mapping only is a hint that may be dropped, or something only the client can do to its own: that is
 * refused, with what madvise() says to an advice that does not go with the memory. Whatever splits a mapping or leaves guard
 * pages is never done to ours: a client could use up its pieces, or have us trip over them.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "ops.h"

/* newer than some C libraries */
#ifndef MADV_COLD
#define MADV_COLD		20
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

int rd_fadvise_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->advise.off = sqe->off;
	req->advise.len = sqe->addr ? sqe->addr : sqe->len;
	req->advise.advice = (int32_t)sqe->fadvise_advice;
	return 0;
}

void rd_fadvise_work(struct rd_req *req)
{
	const struct rd_advise *ad = &req->advise;

	req->res = -posix_fadvise(req->file->fd, (off_t)ad->off, (off_t)ad->len, ad->advice);
}

int rd_madvise_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->advise.addr = (void *)(uintptr_t)sqe->addr;	/* the client's; ours from issue on */
	req->advise.len = sqe->off ? sqe->off : sqe->len;
	req->advise.advice = (int32_t)sqe->fadvise_advice;
	return 0;
}

/* RD_PUNT: it is to be done to the pages; RD_DONE: there is nothing to be done; or -errno. */
static int classify(int advice)
{
	switch (advice) {
	case MADV_WILLNEED:
	case MADV_DONTNEED:		/* drops what one mapping has of the pages, not the pages: also ours, so that they can go */
	case MADV_DONTNEED_LOCKED:
	case MADV_REMOVE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_COLLAPSE:
		return RD_PUNT;
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
		return RD_DONE;
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		return -EPERM;		/* of the administrator's, who does not need us for it */
	default:
		return -EINVAL;
	}
}

/* As madvise() checks its arguments, in its order. */
static int madvise_start(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	struct rd_advise *ad = &req->advise;
	uint64_t page = (uint64_t)getpagesize(), addr = (uintptr_t)ad->addr;
	int r = classify(ad->advice);

	if (r < 0)
		return r;
	if (addr & (page - 1) || ad->len > UINT64_MAX - page)
		return -EINVAL;
	ad->len = rd_align(ad->len, page);
	if (ad->len > UINT64_MAX - addr)
		return -EINVAL;
	if (!ad->len)
		return RD_DONE;
	ad->addr = host->ops->map(host, addr, ad->len, &req->mem);
	return ad->addr ? r : -ENOMEM;
}

int rd_madvise(struct rd_req *req, unsigned int issue_flags)
{
	int r;

	/* the client's own memory: the kernel knows what may be done to it */
	if (rd_at_home(req))
		return RD_PUNT;
	r = madvise_start(req);
	if (r == RD_PUNT)
		return RD_PUNT;
	req->res = r;
	return RD_DONE;
}

void rd_madvise_work(struct rd_req *req)
{
	const struct rd_advise *ad = &req->advise;

	req->res = madvise(ad->addr, ad->len, ad->advice) < 0 ? -errno : 0;
}
