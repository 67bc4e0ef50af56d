/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * REGISTER_QUERY: the chain of headers is walked here, the engine is asked for each item once. The chain may come from
 * anywhere, so it is read and written by system calls that fail where it is not.
 */
#include <string.h>
#include <sys/uio.h>

#include "private.h"

#define ENTRIES_MAX	1000

struct items {
	struct ringd *rd;
	bool asked[RINGD_QUERY_MAX];
	int res[RINGD_QUERY_MAX];
	union {
		struct ringd_query_opcode opcodes;
		struct ringd_query_zcrx zcrx;
		struct ringd_query_scq scq;
	} data[RINGD_QUERY_MAX];
};

static const uint32_t item_size[RINGD_QUERY_MAX] = {
	[RINGD_QUERY_OPCODES] = sizeof(struct ringd_query_opcode),
	[RINGD_QUERY_ZCRX] = sizeof(struct ringd_query_zcrx),
	[RINGD_QUERY_SCQ] = sizeof(struct ringd_query_scq),
};

/* A sandbox may forbid the call: then the caller's word must do. */
static bool allowed(ssize_t n)
{
	return n >= 0 || (errno != ENOSYS && errno != EPERM);
}

static int peek(void *dst, uint64_t addr, size_t size)
{
	struct iovec local = { dst, size }, remote = { (void *)(uintptr_t)addr, size };
	ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	if (!allowed(n)) {
		memcpy(dst, (void *)(uintptr_t)addr, size);
		return 0;
	}
	return n == (ssize_t)size ? 0 : -EFAULT;
}

static int poke(uint64_t addr, const void *src, size_t size)
{
	struct iovec local = { (void *)(uintptr_t)src, size }, remote = { (void *)(uintptr_t)addr, size };
	ssize_t n = size ? process_vm_writev(getpid(), &local, 1, &remote, 1, 0) : 0;

	if (!allowed(n)) {
		memcpy((void *)(uintptr_t)addr, src, size);
		return 0;
	}
	return n == (ssize_t)size ? 0 : -EFAULT;
}

/* 0: the item is there; -EOPNOTSUPP; or what ends the call. */
static int ask(struct items *items, uint32_t op)
{
	const struct ringd_query_hdr hdr = { .query_op = op, .size = item_size[op] };

	if (!items->asked[op])
		items->res[op] = rdl_call_get(items->rd, NULL, RINGD_REGISTER_QUERY, 0, &hdr, sizeof(hdr), &items->data[op],
					      item_size[op], NULL);
	items->asked[op] = true;
	return items->res[op];
}

/* 0 or what ends the call. */
static int entry(struct items *items, struct ringd_query_hdr *hdr)
{
	uint32_t room = hdr->size;
	int r = -EINVAL;

	hdr->size = 0;
	if (hdr->query_op >= RINGD_QUERY_MAX)
		r = -EOPNOTSUPP;
	else if (!hdr->__resv[0] && !hdr->__resv[1] && !hdr->__resv[2] && !hdr->result && room)
		r = ask(items, hdr->query_op);
	hdr->result = r;
	if (r == -EINVAL || r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return r;
	hdr->size = RDL_MIN(room, item_size[hdr->query_op]);
	r = poke(hdr->query_data, &items->data[hdr->query_op], hdr->size);
	return r < 0 ? rdl_fail(items->rd, r, "query: no room for the answer") : 0;
}

int ringd_query(struct ringd *rd, struct ringd_query_hdr *chain)
{
	struct items items = { .rd = rd };
	uint64_t addr = (uintptr_t)chain, next;
	int r = 0;

	for (unsigned int n = 0; r == 0 && addr; n++, addr = next) {
		struct ringd_query_hdr hdr;

		if (n == ENTRIES_MAX)
			return rdl_fail(rd, -ERANGE, "query: more than %d entries", ENTRIES_MAX);
		r = peek(&hdr, addr, sizeof(hdr));
		if (r < 0)
			return rdl_fail(rd, r, "query: an entry is not in memory");
		next = hdr.next_entry;
		r = entry(&items, &hdr);
		if (r == 0 && poke(addr, &hdr, sizeof(hdr)) < 0)
			return rdl_fail(rd, -EFAULT, "query: an entry cannot be written");
	}
	return r;
}
