/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HELLO is the only thing of a client that privileged code looks at: fixed size, every field has its allowed values. */
#include "hello.h"

#include <stdio.h>
#include <string.h>

#include "daemon/common/fdpass.h"
#include "daemon/common/util.h"

static int lie(const char **text, const char *why)
{
	*text = why;
	return -EPROTO;
}

int rd_hello_check(const struct ringd_hello *h, size_t len, uint16_t *version, const char **text)
{
	if (len != sizeof(*h) || h->msg.size != sizeof(*h))
		return lie(text, "bad HELLO: wrong size");
	if (h->msg.type != RINGD_MSG_HELLO || h->msg.flags != 0 || h->msg.res != 0)
		return lie(text, "bad HELLO: wrong header");
	if (h->magic != RINGD_WIRE_MAGIC)
		return lie(text, "bad HELLO: wrong magic");
	if (h->kind != RINGD_HELLO_CLIENT && h->kind != RINGD_HELLO_STATUS && h->kind != RINGD_HELLO_RING)
		return lie(text, "bad HELLO: unknown kind");
	if (h->kind != RINGD_HELLO_RING && (h->engine_pid || h->ring))
		return lie(text, "bad HELLO: only kind RING is about a ring");
	for (size_t i = 0; i < RD_ARRAY_SIZE(h->resv); i++)
		if (h->resv[i])
			return lie(text, "bad HELLO: reserved field is not 0");
	if (h->version_min > h->version_max)
		return lie(text, "bad HELLO: versions out of order");
	if (h->version_min > RINGD_WIRE_VERSION || h->version_max < RINGD_WIRE_VERSION) {
		*text = "no protocol version in common";
		return -EPROTONOSUPPORT;
	}
	*version = RINGD_WIRE_VERSION;
	return 0;
}

/*
 * A socket that is closed with unread packets gives its peer ECONNRESET in place of our answer. Only so many: who
 * writes on and on may lose the text.
 */
static void discard_input(int sock)
{
	char buf[64];

	for (int i = 0; i < 64; i++) {
		size_t no_fds = 0;
		ssize_t r = rd_recv_fds(sock, buf, sizeof(buf), NULL, &no_fds);

		if (r <= 0 && r != -EPROTO)
			return;
	}
}

void rd_hello_refuse(int sock, uint32_t seq, int res, const char *text)
{
	struct ringd_error e = {
		.msg = { .size = sizeof(e), .type = RINGD_MSG_HELLO, .seq = seq, .res = res },
	};

	snprintf(e.text, sizeof(e.text), "%s", text);
	(void)rd_send_fds(sock, &e, sizeof(e), NULL, 0);	/* gone or not listening: its loss */
	discard_input(sock);
}
