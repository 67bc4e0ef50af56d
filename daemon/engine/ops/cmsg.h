/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control messages. They are never passed through: what a client sends is rebuilt from a list of what is known to be a plain
 * value, with descriptors of ours in place of its numbers; what comes is taken apart, so that no number of a descriptor of ours
 * gets out, and no descriptor stays behind or is closed by whoever reads.
 *
 * A message of an AF_UNIX socket may bring 253 descriptors whose close takes as long as their sender likes, and the kernel closes
 * at once what the receiver has no room for. So whoever reads such a socket on the reactor gives it that room, also when it wants
 * no control data at all:
 *
 *	if (rd_cmsg_begin(&in, engine) < 0)
 *		return RD_PUNT;			the budget has no room for them: only a worker may be kept waiting
 *	rd_cmsg_room(&in, &mh);
 *	n = recvmsg(fd, &mh, ... | MSG_CMSG_CLOEXEC);
 *	rd_cmsg_end(&in, engine, n < 0 ? NULL : &mh);
 *	rd_cmsg_drop(&in);			or what ops/msg.c does with them
 */
#ifndef RD_CMSG_H
#define RD_CMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../rsrc/charge.h"
#include "../rsrc/fds.h"

struct rd_engine;
struct rd_file;
struct rd_host;

#define RD_CMSG_SEND_MAX	8192u	/* bytes of control data in one message that is sent */
#define RD_CMSG_ROOM		8192u	/* and that is received: 253 descriptors, and 7 KiB of other things */

/* --- to be sent --- */

/*
 * data holds len bytes as the client wrote them and is aligned, with room for the next multiple of 8: they are rebuilt in place. How many bytes that
 * makes, or -EBADF: a descriptor that is not known, -EINVAL: lengths that lie, or are not those of that kind, more than 253
 * descriptors, -EOPNOTSUPP: a kind that is not on the list, -EPERM: the sender would be somebody else. files has room for
 * RD_FDS_MAX, *nr of them are references of the caller's afterwards, whatever the result.
 */
int rd_cmsg_import(struct rd_host *host, void *data, size_t len, struct rd_file **files, uint32_t *nr);

/* The client is this process: they go as they are, but for descriptors of its rings (-EINVAL). How many bytes. */
#define RD_CMSG_HOME_MAX	(1u << 20)	/* whatever the kernel lets a message have, it is less */
int rd_cmsg_check(struct rd_host *host, const void *data, size_t len);

/* --- received --- */

struct rd_cmsg_in {
	struct rd_charge files;		/* as many as can come, while one is read */
	struct rd_fds *fds;		/* what has come */
	size_t len;			/* of what is left in buf when they are out of it */
	bool lost;			/* something has not come, or was left out */
	_Alignas(struct cmsghdr) char buf[RD_CMSG_ROOM];
};

/*
 * Descriptors may come. 0, -EDQUOT: the files budget has no room for all there may be, and neither has the process, or such as
 * came over the budget are not closed yet.
 */
int rd_cmsg_begin(struct rd_cmsg_in *in, struct rd_engine *engine);
/*
 * Any thread: may a worker give a message room for descriptors, which nobody is charged for until the reactor has looked at
 * them? That may take as long as a client likes to be away, so one message at a time; the kernel closes what another one brings,
 * and who receives it waits for that. True: end_away() when they are the reactor's, or there are none.
 */
bool rd_cmsg_begin_away(struct rd_engine *engine);
void rd_cmsg_end_away(struct rd_engine *engine);
/* None can, or it is a worker that receives. */
void rd_cmsg_begin_uncharged(struct rd_cmsg_in *in);
/* mh gets the room. */
void rd_cmsg_room(struct rd_cmsg_in *in, struct msghdr *mh);
/* Reactor thread. mh (NULL: nothing was received) was filled in: descriptors are taken out and charged, or closed when they cannot
 * be; what is not on the list goes. */
void rd_cmsg_end(struct rd_cmsg_in *in, struct rd_engine *engine, struct msghdr *mh);
/* Close the descriptors, on a worker. */
void rd_cmsg_drop(struct rd_cmsg_in *in);

/* What a client has room for. */
struct rd_cmsg_fit {
	size_t len;		/* of the control data that it gets */
	uint32_t n_fds;		/* at the end of it: so many numbers, -1 for now */
	size_t numbers;		/* where they begin */
	bool cut;		/* MSG_CTRUNC */
};
/* Put what fits into room bytes into dst, which has at least RD_MIN(room, RD_CMSG_ROOM); fds (may NULL be) are at the end. */
void rd_cmsg_fit(const struct rd_cmsg_in *in, char *dst, size_t room, const struct rd_fds *fds, struct rd_cmsg_fit *fit);

#endif
