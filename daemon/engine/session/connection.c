/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors that a client sends: which are ends of connections to us, and files of the others. */
#include <sys/socket.h>
#include <sys/un.h>

#include "session.h"

static bool is_other_end(const struct rd_session *session, int fd)
{
	struct sockaddr_un peer, own;
	socklen_t peer_len = sizeof(peer), own_len = sizeof(own);

	if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0 || peer_len > sizeof(peer))
		return false;
	if (getsockname(session->sock, (struct sockaddr *)&own, &own_len) < 0 || own_len > sizeof(own))
		return false;
	return peer.sun_family == AF_UNIX && peer_len == own_len && memcmp(&peer, &own, own_len) == 0;
}

static bool nameless(int (*get)(int, struct sockaddr *, socklen_t *), int fd)
{
	struct sockaddr_un sa;
	socklen_t len = sizeof(sa);

	return get(fd, (struct sockaddr *)&sa, &len) == 0 && len == sizeof(sa.sun_family) && sa.sun_family == AF_UNIX;
}

/*
 * One of the socket pairs that this engine makes: a wake socket, a channel. The kernel remembers who made a pair. So it does
 * for a connection that the engine has made for a client, but that one's listener has a name.
 */
static bool is_own_pair(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return nameless(getpeername, fd) && nameless(getsockname, fd) &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid == getpid();
}

/* Of other sockets the names are not asked for: TCP's come under a lock that a send() of the client may hold for ever. */
static bool is_unix(int fd)
{
	int domain;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/*
 * The client's end of a connection to ringd: in a slot it would keep alive the very session that holds the slot, and we would
 * never see that the client is gone. io_uring refuses its own descriptors for the same reason.
 */
bool rd_is_connection(const struct rd_session *session, int fd)
{
	return is_unix(fd) && (is_other_end(session, fd) || is_own_pair(fd));
}

int rd_session_file(struct rd_session *session, struct rd_file **ret, int *fd)
{
	int r = rd_is_connection(session, *fd) ? -EBADF : rd_file_new(ret, &session->service->engine, *fd);

	if (r == 0)
		*fd = -1;
	else if (r == -EDQUOT)
		rd_refuse_budget(session, RINGD_LIMIT_FILES, 1);
	return r;
}
