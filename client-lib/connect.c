/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find the daemon, say hello, and end it all. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "private.h"

#define HELLO_TIMEOUT_MS	5000	/* the manager may have to start an engine first */

/* Connected socket or -errno; -ENOENT when there is no such socket. */
static int connect_to(struct ringd *rd, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	/* only connect() knows this limit: a full backlog makes it wait */
	struct timeval tv = { .tv_sec = HELLO_TIMEOUT_MS / 1000 };
	RDL_CLOSE int sock = -1;

	if (strlen(path) >= sizeof(sa.sun_path))
		return rdl_fail(rd, -ENAMETOOLONG, "socket %s", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return rdl_fail(rd, -errno, "socket");
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	while (connect(sock, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int err = errno;

		if (err == EINTR)
			continue;
		if (err == EAGAIN)
			err = ETIMEDOUT;
		else if (err == ENOTDIR)	/* no such socket either */
			err = ENOENT;
		else if (err == EPROTOTYPE)	/* somebody's stream or datagram socket */
			err = EPROTO;
		return rdl_fail(rd, -err, "cannot connect to %s", path);
	}
	return rdl_steal_fd(&sock);
}

/* The socket of the search order of ringd_connect(); an environment variable that is empty is not set. */
static int connect_any(struct ringd *rd)
{
	const char *path = secure_getenv("RINGD_SOCKET"), *dir = secure_getenv("XDG_RUNTIME_DIR");
	char user[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	int r = -ENOENT;

	if (path && path[0])
		r = connect_to(rd, path);
	if (r == -ENOENT && dir && dir[0]) {
		snprintf(user, sizeof(user), "%s/ringd/%s", dir, RINGD_SOCKET_NAME);
		r = connect_to(rd, user);
	}
	if (r == -ENOENT)
		r = connect_to(rd, RINGD_SYSTEM_SOCKET);
	if (r == -ENOENT)
		return rdl_fail(rd, r, "no socket at $RINGD_SOCKET, $XDG_RUNTIME_DIR/ringd/" RINGD_SOCKET_NAME " or "
				RINGD_SYSTEM_SOCKET);
	return r;
}

static int hello(struct ringd *rd)
{
	struct ringd_hello hello = {
		.msg = { .size = sizeof(hello), .type = RINGD_MSG_HELLO, .seq = ++rd->seq },
		.magic = RINGD_WIRE_MAGIC,
		.version_min = RINGD_WIRE_VERSION,
		.version_max = RINGD_WIRE_VERSION,
		.kind = RINGD_HELLO_CLIENT,
	};
	union {
		struct ringd_msg msg;
		struct ringd_welcome welcome;
		struct ringd_error error;
	} answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };
	int r;

	r = rdl_sock_send(rd->sock, &hello, sizeof(hello), NULL, 0, HELLO_TIMEOUT_MS);
	/* a manager that refuses may have answered and hung up before it read */
	if (r == 0 || r == -ECONNRESET)
		r = rdl_sock_recv(rd->sock, &in, HELLO_TIMEOUT_MS);
	if (r < 0)
		return rdl_fail(rd, r, "no welcome from ringd");
	r = rdl_check_answer(rd, &hello.msg, &in, sizeof(answer.welcome), 0);
	if (r < 0)
		return r;
	if (answer.welcome.version != RINGD_WIRE_VERSION)
		return rdl_fail(rd, -EPROTONOSUPPORT, "ringd speaks version %u", answer.welcome.version);
	rd->engine_pid = (pid_t)answer.welcome.engine_pid;
	rd->features = answer.welcome.features;
	memcpy(rd->limits, answer.welcome.limits, sizeof(rd->limits));
	return 0;
}

/*
 * A manager that refuses says so. One that hangs up has given us to an engine that had died without its knowledge; a
 * moment later it knows, and starts another. One that says "not now" mostly lets an engine that died too early wait for
 * its next start: the first of these pauses are worth sitting out here.
 */
#define HANGUP_TRIES	5u
#define NOT_NOW_TRIES	9u	/* together 1 s */

static bool try_again(int r, unsigned int tries)
{
	return (r == -ECONNRESET && tries < HANGUP_TRIES) || (r == -EAGAIN && tries < NOT_NOW_TRIES);
}

static int connect_and_hello(struct ringd *rd, const char *socket_path)
{
	for (unsigned int tries = 1;; tries++) {
		int r = socket_path ? connect_to(rd, socket_path) : connect_any(rd);

		rd->sock = r;
		if (r >= 0)
			r = hello(rd);
		if (!try_again(r, tries))
			return r;
		rdl_close(rd->sock);
		rd->sock = -1;
		poll(NULL, 0, 2 << tries);
	}
}

int ringd_connect(struct ringd **ret, const char *socket_path)
{
	struct ringd *rd;
	int r;

	*ret = NULL;
	rd = calloc(1, sizeof(*rd));
	if (!rd) {
		rdl_connect_text("no memory for a connection");
		return -ENOMEM;
	}
	r = connect_and_hello(rd, socket_path);
	if (r < 0) {
		rdl_connect_text(rd->text);
		ringd_close(rd);
		return r;
	}
	*ret = rd;
	return 0;
}

void ringd_close(struct ringd *rd)
{
	if (!rd)
		return;
	/* The engine ends everything of a client whose connection is closed; no need to ask piece by piece. */
	rdl_close(rd->sock);
	while (rd->rings)
		rdl_ring_close(rd->rings);
	while (rd->arenas)
		rdl_arena_unlink(rd->arenas);
	rdl_channel_close(rd);
	free(rd);
}

pid_t ringd_engine_pid(const struct ringd *rd)
{
	return rd->engine_pid;
}

uint64_t ringd_limit(const struct ringd *rd, unsigned int which)
{
	return which < RINGD_LIMIT_MAX ? rd->limits[which] : 0;
}
