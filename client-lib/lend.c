/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the engine knows by number: descriptors of this process, and rings of other connections. */
#include <fcntl.h>
#include <string.h>

#include "private.h"

/* --- descriptors --- */

struct list {
	struct ringd_fd_list head;
	int32_t numbers[RINGD_MSG_FDS];
};

/* One packet's worth. send: the descriptors, too. */
static int list_call(struct ringd *rd, uint16_t type, const int *fds, uint32_t nr, bool send)
{
	const size_t size = sizeof(struct ringd_fd_list) + nr * sizeof(int32_t);
	struct ringd_error answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };
	struct list list;
	int r;

	memset(&list, 0, sizeof(list));
	for (uint32_t i = 0; i < nr; i++)
		list.numbers[i] = fds[i];
	r = rdl_request_start(rd, &list.head.msg, type);
	if (r < 0)
		return r;
	list.head.nr = nr;
	r = rdl_request_send(rd, &list.head.msg, size, fds, send ? nr : 0, true);
	return r < 0 ? r : rdl_request_finish(rd, &list.head.msg, &in, sizeof(answer.msg), 0);
}

/* In packets; how many were done before something went wrong. */
static int list_calls(struct ringd *rd, uint16_t type, const int *fds, unsigned int nr, bool send)
{
	unsigned int done = 0, sum = 0;
	int r = 0;

	while (done < nr) {
		uint32_t n = RDL_MIN(nr - done, (unsigned int)RINGD_MSG_FDS);

		r = list_call(rd, type, fds + done, n, send);
		if (r < 0)
			break;
		sum += (unsigned int)r;
		done += n;
		if (send && (uint32_t)r < n)
			break;
	}
	return sum ? (int)sum : r;
}

int ringd_fd_lend(struct ringd *rd, const int *fds, unsigned int nr)
{
	unsigned int good;
	int r;

	if (!fds || !nr || nr > INT32_MAX)
		return rdl_fail(rd, -EINVAL, "lend: no descriptors");
	/* a number that is lent can be closed by a request, which is told through the channel */
	r = rdl_channel_open(rd);
	if (r < 0)
		return r;
	for (good = 0; good < nr && fcntl(fds[good], F_GETFD) >= 0; good++)
		;
	if (!good)
		return rdl_fail(rd, -EBADF, "lend: %d is no open descriptor", fds[0]);
	return list_calls(rd, RINGD_MSG_FD_LEND, fds, good, true);
}

int ringd_fd_return(struct ringd *rd, const int *fds, unsigned int nr)
{
	if (!fds || !nr || nr > INT32_MAX)
		return rdl_fail(rd, -EINVAL, "return: no descriptors");
	return list_calls(rd, RINGD_MSG_FD_RETURN, fds, nr, false);
}

/* --- rings --- */

int ringd_ring_id(const struct ringd_ring *ring)
{
	return (int)ring->id;
}

int ringd_ring_export(struct ringd_ring *ring, uint8_t token[16])
{
	struct ringd_ring_ref ref = { .ring_id = ring->id };
	union {
		struct ringd_ring_token token;
		struct ringd_error error;
	} answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };
	int r = rdl_request(ring->rd, &ref.msg, RINGD_MSG_RING_EXPORT, sizeof(ref), -1, &in, sizeof(answer.token), 0);

	if (r >= 0)
		memcpy(token, answer.token.token, sizeof(answer.token.token));
	return r;
}

int ringd_ring_import(struct ringd *rd, const uint8_t token[16])
{
	struct ringd_ring_token req = { .msg = { 0 } };
	union {
		struct ringd_ring_ref ref;
		struct ringd_error error;
	} answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };
	int r;

	memcpy(req.token, token, sizeof(req.token));
	r = rdl_request(rd, &req.msg, RINGD_MSG_RING_IMPORT, sizeof(req), -1, &in, sizeof(answer.ref), 0);
	return r < 0 ? r : (int)answer.ref.ring_id;
}

int ringd_ring_forget(struct ringd *rd, int handle)
{
	struct ringd_ring_ref ref = { .ring_id = (uint32_t)handle };
	struct ringd_error answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };

	return rdl_request(rd, &ref.msg, RINGD_MSG_RING_FORGET, sizeof(ref), -1, &in, sizeof(answer.msg), 0);
}
