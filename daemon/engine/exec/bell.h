/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ring an eventfd when a descriptor becomes readable: how a sleeping reactor hears of its epoll instances. Reactor
 * thread only.
 */
#ifndef RD_BELL_H
#define RD_BELL_H

#define RD_BELLS	3

struct rd_bell;

/* efd stays open longer than the bell. -EAGAIN, -ENOSYS, -EPERM, ...: this machine gives us none. */
int rd_bell_new(struct rd_bell **ret, int efd);
struct rd_bell *rd_bell_free(struct rd_bell *bell);	/* NULL is fine */
/* Ring once, as soon as fd is readable; number is 0 to RD_BELLS - 1 and names one descriptor at a time. Armed already:
 * nothing. 0 or -errno. */
int rd_bell_arm(struct rd_bell *bell, unsigned int number, int fd);
/* Those that have rung, whether anybody slept or not, can be armed again. */
void rd_bell_heard(struct rd_bell *bell);

#endif
