/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "raw_zcrx.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/clock.h"

struct raw_ifq raw_ifq(uint64_t addr, uint64_t len, uint64_t rq, uint32_t entries)
{
	return (struct raw_ifq){
		.reg = { .rq_entries = entries, .flags = RINGD_ZCRX_REG_NODEV },
		.area = { .addr = addr, .len = len },
		.desc = { .user_addr = rq, .size = (64 + 16 * entries + 4095) & ~4095u, .flags = RINGD_MEM_REGION_TYPE_USER },
	};
}

int raw_try_ifq(struct raw_ring *ring, struct raw_ifq *ifq, int *fd)
{
	struct raw_ifq got;
	int r = raw_register_get(ring->raw, ring->id, RINGD_REGISTER_ZCRX_IFQ, 1, ifq, sizeof(*ifq), &got, sizeof(got), fd);

	if (r == 0)
		*ifq = got;
	return r;
}

int raw_zcrx_ctrl(struct raw_ring *ring, const struct ringd_zcrx_ctrl *ctrl, int *fd)
{
	return raw_register_get(ring->raw, ring->id, RINGD_REGISTER_ZCRX_CTRL, 0, ctrl, sizeof(*ctrl), NULL, 0, fd);
}

bool raw_big_cqe_ready(struct raw_ring *ring, struct raw_big_cqe *cqe)
{
	if (!raw_cqe_ready(ring))
		return false;
	memcpy(cqe, (char *)ring->cqes + (size_t)(ring->cq_head & (ring->params.cq_entries - 1)) * sizeof(*cqe), sizeof(*cqe));
	__atomic_store_n(&ring->hot->cq_head, ++ring->cq_head, __ATOMIC_RELEASE);
	return true;
}

int raw_big_cqe(struct raw_ring *ring, struct raw_big_cqe *cqe)
{
	const uint64_t start = rd_now_ns();

	while (!raw_big_cqe_ready(ring, cqe)) {
		int r = raw_enter(ring, 0, RINGD_ENTER_GETEVENTS);

		if (r < 0)
			return r;
		ck_assert(rd_now_ns() - start < 20000000000ull);
	}
	return 0;
}

struct ringd_sqe *raw_recv_zc(struct raw_ring *ring, int slot, uint32_t limit, uint32_t id)
{
	struct ringd_sqe *sqe = raw_sqe(ring);

	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_RECV_ZC, .fd = slot, .flags = RINGD_SQE_FIXED_FILE, .len = limit,
				   .ioprio = RINGD_RECV_MULTISHOT, .zcrx_ifq_idx = id };
	return sqe;
}

void raw_tcp_pair(int fd[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sin);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sin, len) | listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd[1], (struct sockaddr *)&sin, len), 0);
	fd[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(fd[0], 0);
	ck_assert_int_eq(setsockopt(fd[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	close(listener);
}
