/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests of the control protocol that libringd does not offer: HELLO of kinds STATUS and RING, which the manager
 * answers with packets about engines and one without an engine. Every packet is checked for its exact size before a
 * field behind the header is looked at.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "ringctl.h"

#define ANSWER_TIMEOUT_S 10
#define HELLO_SEQ	1u
#define ENGINES_MAX	4096u	/* more packets than this are a manager gone mad */
#define PIECES_MAX	65536u	/* likewise */

static int fail(int r, const char *what, const char *detail)
{
	fprintf(stderr, "ringctl: %s: %s\n", what, detail ? detail : strerror(-r));
	return r;
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* As libringd(3): $RINGD_SOCKET, then the user's runtime directory, then the system's; the first that exists. */
static const char *default_socket(char *buf, size_t size)
{
	const char *env = secure_getenv("RINGD_SOCKET"), *dir = secure_getenv("XDG_RUNTIME_DIR");

	if (env && *env)
		return env;
	if (dir && *dir && snprintf(buf, size, "%s/ringd/%s", dir, RINGD_SOCKET_NAME) < (int)size && exists(buf))
		return buf;
	return RINGD_SYSTEM_SOCKET;
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ANSWER_TIMEOUT_S };
	RD_CLOSE int sock = -1;

	if (strlen(path) >= sizeof(sun.sun_path))
		return fail(-ENAMETOOLONG, path, NULL);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return fail(-errno, "socket", NULL);
	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return fail(-errno, "setsockopt", NULL);
	if (connect(sock, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return fail(-errno, path, errno == ENOENT ? "no such socket: is ringd running?" :
					  errno == ECONNREFUSED ? "nobody listens: ringd is not running" : NULL);
	return rd_steal_fd(&sock);
}

/* Words of a ringd_error. The text is the peer's: terminate it, let no control bytes reach the terminal. */
static int refused(const void *packet, size_t len)
{
	struct ringd_error e = { 0 };

	memcpy(&e, packet, RD_MIN(len, sizeof(e)));
	e.text[sizeof(e.text) - 1] = 0;
	for (char *p = e.text; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	return fail(e.msg.res, "ringd", e.text[0] ? e.text : NULL);
}

/* One packet of an answer, of this type and size, or a refusal. */
static int receive(int sock, uint16_t type, void *packet, size_t size)
{
	struct ringd_msg msg;
	ssize_t n;

	do
		n = recv(sock, packet, size, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(errno == EAGAIN ? -ETIMEDOUT : -errno, "ringd", errno == EAGAIN ? "no answer" : NULL);
	if (n == 0)
		return fail(-ECONNRESET, "ringd", "closed the connection");
	if ((size_t)n < sizeof(msg))
		return fail(-EPROTO, "ringd", "answer is cut short");
	memcpy(&msg, packet, sizeof(msg));
	if (msg.size != (size_t)n || msg.seq != HELLO_SEQ || msg.flags)
		return fail(-EPROTO, "ringd", "answer does not belong to the question");
	if (msg.type == RINGD_MSG_HELLO && msg.res < 0)
		return refused(packet, RD_MIN((size_t)n, size));
	if (msg.type != type || (size_t)n != size)
		return fail(-EPROTO, "ringd", "answer has the wrong type or size: other version?");
	return 0;
}

static int ask(int sock, uint32_t kind, uint32_t engine, uint32_t ring)
{
	const struct ringd_hello hello = {
		.msg = { .size = sizeof(hello), .type = RINGD_MSG_HELLO, .seq = HELLO_SEQ },
		.magic = RINGD_WIRE_MAGIC,
		.version_min = RINGD_WIRE_VERSION,
		.version_max = RINGD_WIRE_VERSION,
		.kind = kind,
		.engine_pid = engine,
		.ring = ring,
	};

	if (send(sock, &hello, sizeof(hello), MSG_NOSIGNAL) < 0)
		return fail(-errno, "ringd", errno == EPIPE ? "closed the connection" : NULL);
	return 0;
}

int rc_control_rings(const char *path, uint32_t engine, uint32_t ring, void (*piece)(const struct ringd_ring_info *info, void *arg),
		     void *arg)
{
	char buf[sizeof(((struct sockaddr_un *)0)->sun_path)];
	RD_CLOSE int sock = connect_to(path ? path : default_socket(buf, sizeof(buf)));
	int r = sock < 0 ? sock : ask(sock, RINGD_HELLO_RING, engine, ring);

	for (unsigned int n = 0; r == 0 && n < PIECES_MAX; n++) {
		struct ringd_ring_info info;

		r = receive(sock, RINGD_MSG_RING_INFO, &info, sizeof(info));
		if (r == 0 && info.len > sizeof(info.text))
			r = fail(-EPROTO, "ringd", "text is longer than its packet");
		if (r < 0 || info.engine_pid == 0)
			return r;
		piece(&info, arg);
	}
	return r < 0 ? r : fail(-EPROTO, "ringd", "list of rings does not end");
}

int rc_control_status(const char *path, struct ringd_status **ret, size_t *n)
{
	char buf[sizeof(((struct sockaddr_un *)0)->sun_path)];
	RD_FREE struct ringd_status *all = NULL;
	RD_CLOSE int sock = connect_to(path ? path : default_socket(buf, sizeof(buf)));
	size_t used = 0, room = 0;
	int r = sock < 0 ? sock : ask(sock, RINGD_HELLO_STATUS, 0, 0);

	if (r < 0)
		return r;
	for (; used < ENGINES_MAX; used++) {
		if (used == room) {
			struct ringd_status *more = reallocarray(all, room * 2 + 4, sizeof(*all));

			if (!more)
				return fail(-ENOMEM, "ringd", NULL);
			all = more;
			room = room * 2 + 4;
		}
		r = receive(sock, RINGD_MSG_STATUS, &all[used], sizeof(all[used]));
		if (r < 0)
			return r;
		all[used].backend[sizeof(all[used].backend) - 1] = 0;
		if (all[used].engine_pid == 0) {	/* the end of the list */
			*n = used;
			*ret = rd_steal_ptr(&all);
			return 0;
		}
	}
	return fail(-EPROTO, "ringd", "list of engines does not end");
}
