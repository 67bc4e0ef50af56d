/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FUTEX_WAIT, FUTEX_WAITV, FUTEX_WAKE. Words are in shared memory, so a futex with the PRIVATE flag is one, too: whoever waits
 * here and whoever wakes here agree on it, but the client's own system calls must not have FUTEX_PRIVATE_FLAG. In the client's
 * own process it is as private as the client says.
 */
#include <limits.h>

#include "ops.h"
#include "../exec/futex.h"
#include "../rsrc/stage.h"

#define FUTEX2_SIZE_MASK	0x03u
#define FUTEX2_SIZE_U32_	0x02u
#define FUTEX2_PRIVATE_FLAG	0x80u

struct rd_futex_word {
	struct rd_futex_wait wait;
	struct rd_req *req;
	struct rd_mem *mem;	/* held */
	uint64_t addr;		/* client's */
};

/* struct futex_waitv of the kernel */
struct client_waitv {
	uint64_t val, uaddr;
	uint32_t flags, resv;
};

/* Other sizes are not there yet, nodes are of no use to memory that is not the kernel's to place. */
static bool flags_ok(uint32_t flags)
{
	return (flags & FUTEX2_SIZE_MASK) == FUTEX2_SIZE_U32_ && !(flags & ~(FUTEX2_SIZE_MASK | FUTEX2_PRIVATE_FLAG));
}

static bool is_private(const struct rd_req *req, uint32_t flags)
{
	return rd_at_home(req) && (flags & FUTEX2_PRIVATE_FLAG);
}

static int new_words(struct rd_req *req, uint32_t nr)
{
	void *words;
	int r = rd_stage_new(&words, &req->ctx->engine->user, nr * sizeof(struct rd_futex_word));

	if (r < 0)
		return r;
	req->futex.words = words;
	req->futex.nr = nr;
	return 0;
}

/* --- waiting --- */

static void unqueue_all(struct rd_req *req)
{
	for (uint32_t i = 0; i < req->futex.nr; i++)
		rd_futex_unqueue(&req->futex.words[i].wait);
}

static void wait_done(struct rd_req *req)
{
	rd_req_done(req);
}

static void word_woken(struct rd_futex_wait *wait, int res)
{
	struct rd_futex_word *word = RD_CONTAINER_OF(wait, struct rd_futex_word, wait);
	struct rd_req *req = word->req;

	unqueue_all(req);
	req->res = res < 0 ? res : (int32_t)(word - req->futex.words);
	req->async = true;
	/* behind the CQE of a FUTEX_WAKE that may be running further up the stack */
	if (req->ctx->lazy) {
		req->state = RD_REQ_IDLE;
		rd_req_task_queue(req, wait_done);
	} else {
		rd_req_defer(req);
	}
}

static void word_init(struct rd_req *req, uint32_t i, uint64_t addr, uint32_t val, uint32_t mask, uint32_t flags)
{
	struct rd_futex_word *word = &req->futex.words[i];

	*word = (struct rd_futex_word){ .req = req, .addr = addr };
	word->wait.val = val;
	word->wait.mask = mask;
	word->wait.priv = is_private(req, flags);
	word->wait.woken = word_woken;
	rd_list_init(&word->wait.link);
}
int rd_futex_wait_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r;

	if (sqe->len || sqe->futex_flags || sqe->buf_index || sqe->file_index || !flags_ok((uint32_t)sqe->fd))
		return -EINVAL;
	if (sqe->addr2 > UINT32_MAX || !sqe->addr3 || sqe->addr3 > UINT32_MAX)
		return -EINVAL;
	r = new_words(req, 1);
	if (r == 0)
		word_init(req, 0, sqe->addr, (uint32_t)sqe->addr2, (uint32_t)sqe->addr3, (uint32_t)sqe->fd);
	return r;
}

static int read_waitv(struct rd_req *req, uint64_t addr)
{
	struct rd_host *host = req->ctx->host;
	struct client_waitv w;
	int r;

	for (uint32_t i = 0; i < req->futex.nr; i++) {
		r = host->ops->copy_in(host, &w, addr + i * sizeof(w), sizeof(w));
		if (r < 0)
			return r;
		if (w.resv || w.val > UINT32_MAX || !flags_ok(w.flags))
			return -EINVAL;
		word_init(req, i, w.uaddr, (uint32_t)w.val, UINT32_MAX, w.flags);
	}
	return 0;
}

int rd_futex_waitv_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r;

	if (sqe->fd || sqe->buf_index || sqe->file_index || sqe->addr2 || sqe->futex_flags || sqe->addr3)
		return -EINVAL;
	if (!sqe->len || sqe->len > RINGD_MAX_FUTEX_WAITV)
		return -EINVAL;
	r = new_words(req, sqe->len);
	if (r < 0)
		return r;
	r = read_waitv(req, sqe->addr);
	if (r < 0)
		req->futex.words = rd_stage_free(req->futex.words);
	return r;
}

/* Where the word is; the memory stays. */
static int word_map(struct rd_req *req, struct rd_futex_word *word)
{
	struct rd_host *host = req->ctx->host;
	struct rd_mem *owner = NULL;

	if (word->addr % sizeof(uint32_t))
		return -EINVAL;
	word->wait.word = host->ops->map(host, word->addr, sizeof(uint32_t), &owner);
	if (!word->wait.word)
		return -EFAULT;
	word->mem = rd_mem_get(owner);
	return rd_futex_compare(word->wait.word, word->wait.val, word->wait.priv);
}

int rd_futex_wait_issue(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_futexop *op = &req->futex;
	int r = 0;

	(void)issue_flags;
	for (uint32_t i = 0; r == 0 && i < op->nr; i++)
		r = word_map(req, &op->words[i]);
	for (uint32_t i = 0; r == 0 && i < op->nr; i++)
		r = rd_futex_queue(req->ctx->engine, &op->words[i].wait);
	if (r == 0)
		return rd_req_wait(req);
	unqueue_all(req);
	req->res = r;
	return RD_DONE;
}

int rd_futex_wait_cancel(struct rd_req *req)
{
	unqueue_all(req);
	return 0;
}

void rd_futex_wait_cleanup(struct rd_req *req)
{
	for (uint32_t i = 0; i < req->futex.nr; i++)
		rd_mem_put(req->futex.words[i].mem);
	req->futex.words = rd_stage_free(req->futex.words);
}

/* --- waking --- */

int rd_futex_wake_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->len || sqe->futex_flags || sqe->buf_index || sqe->file_index || !flags_ok((uint32_t)sqe->fd))
		return -EINVAL;
	if (sqe->addr2 > UINT32_MAX || !sqe->addr3 || sqe->addr3 > UINT32_MAX)
		return -EINVAL;
	req->futex.addr = sqe->addr;
	req->futex.nr = (uint32_t)sqe->addr2;
	req->futex.mask = (uint32_t)sqe->addr3;
	req->futex.priv = is_private(req, (uint32_t)sqe->fd);
	return 0;
}

int rd_futex_wake_issue(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_futexop *op = &req->futex;
	struct rd_host *host = req->ctx->host;
	struct rd_mem *owner;
	uint32_t *word;

	(void)issue_flags;
	req->res = -EINVAL;
	if (op->addr % sizeof(*word))
		return RD_DONE;
	word = host->ops->map(host, op->addr, sizeof(*word), &owner);
	req->res = word ? rd_futex_wake(req->ctx->engine, word, op->priv, op->nr, op->mask) : -EFAULT;
	return RD_DONE;
}
