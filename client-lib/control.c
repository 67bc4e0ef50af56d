/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control connection: one request at a time and its answer. A connection that breaks, or on which something comes
 * that is not the answer, stays broken: every later request is -ECONNRESET without a system call.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "private.h"

/* 0: ready, -ETIMEDOUT, or -errno. Signals do not end it: a request is not taken back. */
static int wait_socket(int sock, short events, uint64_t deadline)
{
	struct pollfd p = { .fd = sock, .events = events };
	int timeout = -1, r;

	do {
		if (deadline != RDL_FOREVER) {
			uint64_t now = rdl_now();

			timeout = now >= deadline ? 0 : (int)((deadline - now + 999999) / 1000000);
		}
		r = poll(&p, 1, timeout);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return r ? 0 : -ETIMEDOUT;
}

static uint64_t deadline_ms(int timeout_ms)
{
	return timeout_ms < 0 ? RDL_FOREVER : rdl_now() + (uint64_t)timeout_ms * 1000000;
}

/*
 * The kernel counts descriptors that are sent and not yet received per user against RLIMIT_NOFILE, and no event tells
 * when the count falls. Seconds of that mean that the engine does not read at all.
 */
#define TOOMANY_TRIES	5000

/* What to do about a send that failed: 0: once more, or -errno. */
static int send_again(int sock, int err, uint64_t deadline, unsigned int *tries)
{
	switch (err) {
	case EINTR:
		return 0;
	case EAGAIN:
		return wait_socket(sock, POLLOUT, deadline);
	case ETOOMANYREFS:
		if (++*tries > TOOMANY_TRIES)
			return -ETOOMANYREFS;
		poll(NULL, 0, 1);
		return 0;
	case EPIPE:
		return -ECONNRESET;
	default:
		return -err;
	}
}

int rdl_sock_send(int sock, const void *data, size_t size, const int *fds, size_t n_fds, int timeout_ms)
{
	union {
		char bytes[CMSG_SPACE(RINGD_MSG_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint64_t deadline = deadline_ms(timeout_ms);
	unsigned int tries = 0;

	if (n_fds) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		CMSG_FIRSTHDR(&mh)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&mh)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), fds, n_fds * sizeof(int));
	}
	while (sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		int r = send_again(sock, errno, deadline, &tries);

		if (r < 0)
			return r;
	}
	return 0;
}

static void close_fds(struct rdl_packet *in)
{
	for (size_t i = 0; i < in->n_fds; i++)
		rdl_close(in->fds[i]);
	in->n_fds = 0;
}

/* Take the descriptors out of mh; false when one did not fit. */
static bool take_fds(struct msghdr *mh, struct rdl_packet *in, size_t room)
{
	bool fit = true;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (in->n_fds < room) {
				in->fds[in->n_fds++] = fd;
			} else {
				rdl_close(fd);
				fit = false;
			}
		}
	}
	return fit;
}

int rdl_sock_recv(int sock, struct rdl_packet *in, int timeout_ms)
{
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = in->data, .iov_len = in->size };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint64_t deadline = deadline_ms(timeout_ms);
	size_t room = in->n_fds;
	ssize_t n;
	int r;

	in->n_fds = 0;
	for (;;) {
		r = wait_socket(sock, POLLIN, deadline);
		if (r < 0)
			return r;
		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
		n = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n >= 0)
			break;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
	if (n == 0)
		return -ECONNRESET;
	in->size = (size_t)n;
	if (!take_fds(&mh, in, room) || (mh.msg_flags & MSG_TRUNC)) {
		close_fds(in);
		return -EPROTO;
	}
	/* every descriptor of the answers fits in control: the cut was made because this process may open no more */
	if (mh.msg_flags & MSG_CTRUNC) {
		close_fds(in);
		return -EMFILE;
	}
	return 0;
}

static int answer_error(struct ringd *rd, const struct ringd_msg *msg, struct rdl_packet *in)
{
	const struct ringd_error *e = in->data;

	close_fds(in);
	if (in->size >= sizeof(*e) && e->text[0]) {
		snprintf(rd->text, sizeof(rd->text), "%.*s", (int)sizeof(e->text), e->text);
		rd->failed = true;
		return msg->res;
	}
	return rdl_fail(rd, msg->res, "the engine refused");
}

int rdl_check_answer(struct ringd *rd, const struct ringd_msg *request, struct rdl_packet *in, size_t min_size, size_t n_fds)
{
	const struct ringd_msg *msg = in->data;

	if (in->size < sizeof(*msg) || msg->size != in->size || msg->type != request->type || msg->seq != request->seq)
		goto broken;
	if (msg->res < 0)
		return answer_error(rd, msg, in);
	if (in->size < min_size || in->n_fds != n_fds)
		goto broken;
	return msg->res;
broken:
	close_fds(in);
	return rdl_fail(rd, -EPROTO, "what came is not the answer to the request");
}

static int broken(struct ringd *rd, int err)
{
	rd->dead = true;
	return rdl_fail(rd, err, "the connection to the engine is gone");
}

int rdl_request_start(struct ringd *rd, struct ringd_msg *msg, uint16_t type)
{
	if (rd->dead)
		return rdl_fail(rd, -ECONNRESET, "the connection to the engine is gone");
	rd->failed = rd->lost = false;
	*msg = (struct ringd_msg){ .type = type, .seq = ++rd->seq };
	return 0;
}

int rdl_request_send(struct ringd *rd, struct ringd_msg *msg, size_t size, const int *fds, size_t n_fds, bool first)
{
	int r;

	msg->size = (uint32_t)size;
	r = rdl_sock_send(rd->sock, msg, size, fds, n_fds, -1);
	if (r == 0)
		return 0;
	/* a request of which a part is sent cannot be taken back */
	if (r == -ECONNRESET || !first)
		return broken(rd, r);
	return rdl_fail(rd, r, "cannot send the request");
}

int rdl_request_finish(struct ringd *rd, const struct ringd_msg *msg, struct rdl_packet *in, size_t min_size, size_t n_fds)
{
	int r = rdl_sock_recv(rd->sock, in, -1);

	if (r == -EMFILE) {	/* the answer came, only its descriptors are lost */
		rd->lost = in->size >= sizeof(*msg) && ((const struct ringd_msg *)in->data)->res >= 0;
		return rdl_fail(rd, r, "no descriptor left for what the engine sent");
	}
	if (r < 0)
		return broken(rd, r);
	r = rdl_check_answer(rd, msg, in, min_size, n_fds);
	rd->dead |= r == -EPROTO;
	return r;
}

int rdl_request(struct ringd *rd, struct ringd_msg *msg, uint16_t type, size_t size, int fd, struct rdl_packet *in,
		size_t min_size, size_t n_fds)
{
	int r = rdl_request_start(rd, msg, type);

	if (r == 0)
		r = rdl_request_send(rd, msg, size, &fd, fd >= 0, true);
	if (r < 0) {
		in->n_fds = 0;
		return r;
	}
	return rdl_request_finish(rd, msg, in, min_size, n_fds);
}
