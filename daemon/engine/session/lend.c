/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lent descriptors: what a plain number in an SQE means. The client sends duplicates of its descriptors with the numbers
 * they have there; each is a file like one in a slot, and stays open here until the client takes the number back, closes
 * it by a request, or leaves.
 *
 * Numbers are the client's choice, so the table is a tree of two fixed levels: a look-up is two loads whatever the client
 * lends, and a leaf is paid like the slots of a file table.
 */
#include <string.h>

#include "session.h"

#define LEAF_BITS	10
#define LEAF_SIZE	(1u << LEAF_BITS)
#define LEAVES		(RINGD_FD_MAX / LEAF_SIZE)

struct rd_lent_leaf {
	struct rd_charge charge;	/* OBJECTS, one per number */
	uint32_t used;
	struct rd_file *files[LEAF_SIZE];
};

struct rd_lent {
	struct rd_lent_leaf *leaves[LEAVES];
};

static struct rd_file **lent_slot(const struct rd_session *session, int fd)
{
	struct rd_lent_leaf *leaf;

	if (!session->lent || fd < 0 || (uint32_t)fd >= RINGD_FD_MAX)
		return NULL;
	leaf = session->lent->leaves[(uint32_t)fd >> LEAF_BITS];
	return leaf && leaf->files[(uint32_t)fd & (LEAF_SIZE - 1)] ? &leaf->files[(uint32_t)fd & (LEAF_SIZE - 1)] : NULL;
}

/* host->file */
int rd_lent_file(struct rd_host *host, int fd, struct rd_file **ret)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);
	struct rd_file **slot = lent_slot(session, fd);

	if (!slot)
		return -EBADF;
	*ret = rd_file_get(*slot);
	return 0;
}

bool rd_lent_has(const struct rd_session *session, int fd)
{
	return lent_slot(session, fd);
}

static void leaf_free(struct rd_lent *lent, uint32_t i)
{
	rd_charge_give(&lent->leaves[i]->charge);
	free(lent->leaves[i]);
	lent->leaves[i] = NULL;
}

struct rd_file *rd_lent_take(struct rd_session *session, int fd)
{
	struct rd_file **slot = lent_slot(session, fd), *file;

	if (!slot)
		return NULL;
	file = rd_steal_ptr(slot);
	rd_start_drop(session, file);
	if (--session->lent->leaves[(uint32_t)fd >> LEAF_BITS]->used == 0)
		leaf_free(session->lent, (uint32_t)fd >> LEAF_BITS);
	return file;
}

void rd_lent_drop(struct rd_session *session)
{
	struct rd_lent *lent = rd_steal_ptr(&session->lent);

	rd_start_drop(session, NULL);
	for (uint32_t i = 0; lent && i < LEAVES; i++) {
		if (!lent->leaves[i])
			continue;
		for (uint32_t j = 0; j < LEAF_SIZE; j++) {
			if (lent->leaves[i]->files[j])
				rd_file_put(lent->leaves[i]->files[j]);
		}
		leaf_free(lent, i);
	}
	free(lent);
}

/* The leaf for a number, made if there is none. Words are noted. */
static int leaf_get(struct rd_session *session, uint32_t fd, struct rd_lent_leaf **ret)
{
	struct rd_user *user = &session->service->engine.user;
	struct rd_lent_leaf **leaf;

	if (!session->lent)
		session->lent = calloc(1, sizeof(*session->lent));
	if (!session->lent)
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	leaf = &session->lent->leaves[fd >> LEAF_BITS];
	if (!*leaf) {
		struct rd_charge charge;

		if (rd_charge_take(&charge, user, RINGD_LIMIT_OBJECTS, LEAF_SIZE) < 0)
			return rd_refuse_budget(session, RINGD_LIMIT_OBJECTS, LEAF_SIZE);
		*leaf = calloc(1, sizeof(**leaf));
		if (!*leaf) {
			rd_charge_give(&charge);
			return rd_refuse(session, -ENOMEM, "the engine is out of memory");
		}
		(*leaf)->charge = charge;
	}
	*ret = *leaf;
	return 0;
}

static int lend_one(struct rd_session *session, int32_t number, int *fd)
{
	struct rd_lent_leaf *leaf = NULL;
	struct rd_file *file, *old;
	int r;

	if (number < 0 || (uint32_t)number >= RINGD_FD_MAX)
		return rd_refuse(session, -EINVAL, "%d is no number that can be lent", number);
	r = rd_session_file(session, &file, fd);
	if (r == -EDQUOT)
		return r;	/* with its words */
	if (r < 0)
		return rd_refuse(session, r, "descriptor %d is of a kind that cannot be lent", number);
	r = leaf_get(session, (uint32_t)number, &leaf);
	if (r < 0) {
		rd_file_put(file);
		return r;
	}
	old = leaf->files[(uint32_t)number & (LEAF_SIZE - 1)];
	leaf->files[(uint32_t)number & (LEAF_SIZE - 1)] = file;
	leaf->used += !old;
	if (old) {
		rd_start_drop(session, old);
		rd_file_put(old);
	}
	return 0;
}

/* The numbers of a list, checked for size. -EPROTO, -EINVAL. */
static int list_check(struct rd_session *session, const struct rd_packet *p, size_t n_fds)
{
	const struct ringd_fd_list *list = p->data;

	if (list->nr == 0 || list->nr > RINGD_MSG_FDS || p->len != sizeof(*list) + list->nr * sizeof(int32_t))
		return rd_refuse(session, -EPROTO, "a list of %u numbers has %zu bytes", list->nr, p->len);
	if (list->resv)
		return rd_refuse(session, -EINVAL, "a reserved field is not zero");
	if (n_fds != list->nr)
		return rd_refuse(session, -EPROTO, "%u numbers came with %zu descriptors", list->nr, n_fds);
	return 0;
}

static int32_t list_number(const struct rd_packet *p, uint32_t i)
{
	int32_t number;

	memcpy(&number, (const char *)p->data + sizeof(struct ringd_fd_list) + i * sizeof(number), sizeof(number));
	return number;
}

/* Answers how many were lent; an error only when the first one could not be. */
int rd_lend(struct rd_session *session, struct rd_packet *p)
{
	const struct ringd_fd_list *list = p->data;
	uint32_t i;
	int r;

	if (p->lost)
		return rd_refuse_lost(session);
	r = list_check(session, p, p->n_fds);
	if (r < 0)
		return r;
	for (i = 0; i < list->nr; i++) {
		r = lend_one(session, list_number(p, i), &p->fds[i]);
		if (r < 0)
			break;
	}
	return i ? rd_session_answer_res(session, (int32_t)i) : r;
}

/*
 * What no request uses is closed when the answer comes: then the client knows that the engine does not keep a pipe from its
 * end of file any more. close() may take its time, and the client's next request waits for it.
 */
struct rd_returning {
	struct rd_session *session;
	uint32_t open;
	int32_t n;
};

static void returning_done(struct rd_returning *ret)
{
	struct rd_session *session = ret->session;

	if (session->connected)
		rd_session_answer_res(session, ret->n);
	rd_session_pause(session, false);
	rd_session_put(session);
	free(ret);
}

static void returning_closed(void *arg, int res)
{
	struct rd_returning *ret = arg;

	(void)res;	/* the client has a descriptor of its own to learn it from */
	if (--ret->open == 0)
		returning_done(ret);
}

/* Answers how many were lent before. */
int rd_lend_return(struct rd_session *session, struct rd_packet *p)
{
	const struct ringd_fd_list *list = p->data;
	struct rd_returning *ret;
	int r;

	r = list_check(session, p, list->nr);
	if (r < 0)
		return r;
	ret = calloc(1, sizeof(*ret));
	if (!ret)
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	ret->session = session;
	ret->open = 1;		/* ours, until all are under way */
	rd_session_get(session);
	rd_session_pause(session, true);
	for (uint32_t i = 0; i < list->nr; i++) {
		struct rd_file *file = rd_lent_take(session, list_number(p, i));

		if (!file)
			continue;
		ret->n++;
		ret->open++;
		if (!rd_file_put_notify(file, returning_closed, ret))
			ret->open--;
	}
	returning_closed(ret, 0);
	return 0;
}
