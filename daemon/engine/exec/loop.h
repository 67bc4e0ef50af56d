/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a reactor sleeps. There are two, and a program links one of them: libevent's event base (loop_event.c), whose service
 * has sockets in it besides, and a bare epoll instance (client-lib/compat/local/loop.c) for a host that lives inside a foreign
 * process and may need nothing but libc. Used by the thread that drives the reactor.
 */
#ifndef RD_LOOP_H
#define RD_LOOP_H

struct event;
struct event_base;
struct rd_loop;

/* A descriptor whose readiness ends the sleep. Edge-triggered: nobody has to read it. */
struct rd_source {
	int fd;
	void (*ready)(void *arg);
	void *arg;
	struct event *event;	/* the loop's; NULL: not added */
};

#define RD_LOOP_SLEEP	0	/* until something happens, which is then seen to */
#define RD_LOOP_ONCE	1	/* what is there now, once */
#define RD_LOOP_ALL	2	/* what is there, and what comes of that, without sleeping */

int rd_loop_new(struct rd_loop **ret);			/* 0, -ENOMEM, -EMFILE */
struct rd_loop *rd_loop_free(struct rd_loop *loop);	/* sources are removed; NULL is fine */
/* fd stays open until rd_loop_remove(). 0, -ENOMEM. */
int rd_loop_add(struct rd_loop *loop, struct rd_source *source, int fd, void (*ready)(void *arg), void *arg);
void rd_loop_remove(struct rd_loop *loop, struct rd_source *source);	/* not added: nothing */
/* how is RD_LOOP_*; nap_us: sleep no longer than that, 0: as long as it takes. */
void rd_loop_run(struct rd_loop *loop, int how, unsigned int nap_us);
void rd_loop_break(struct rd_loop *loop);		/* from a callback: rd_loop_run() returns */
/* An epoll instance whose readiness ends the sleep. -ENOSYS: this loop cannot have that, use a bell. */
int rd_loop_nest(struct rd_loop *loop, int epfd);
/* libevent's, for who has events of his own in it; NULL: it is not libevent's. */
struct event_base *rd_loop_base(struct rd_loop *loop);

#endif
