/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Intrusive doubly linked lists. A head is a link that points to itself; so is an entry on no list. */
#ifndef RD_LIST_H
#define RD_LIST_H

#include <stdbool.h>

#include "util.h"

struct rd_link {
	struct rd_link *prev, *next;
};

#define RD_LIST_INIT(head) { &(head), &(head) }

static inline void rd_list_init(struct rd_link *l)
{
	l->prev = l->next = l;
}

static inline bool rd_list_empty(const struct rd_link *head)
{
	return head->next == head;
}

/* l is on no list */
static inline void rd_list_append(struct rd_link *head, struct rd_link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

/* fine for an entry that is on no list, as long as it was initialised */
static inline void rd_list_remove(struct rd_link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	rd_list_init(l);
}

#define rd_list_entry(l, type, member) RD_CONTAINER_OF(l, type, member)
#define rd_list_first(head, type, member) rd_list_entry((head)->next, type, member)
/* l may be removed while it is visited */
#define rd_list_foreach(l, tmp, head) \
	for ((l) = (head)->next, (tmp) = (l)->next; (l) != (head); (l) = (tmp), (tmp) = (l)->next)

#endif
