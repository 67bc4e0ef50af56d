/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* receive: accept one connection on a port of the loopback interface, and write to standard output what comes. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <ringd.h>

#define BUFS	64u
#define PAGE	4096u
#define FLAGS	(RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_CQE32)

static int accept_one(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(listener, (struct sockaddr *)&sin, len) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&sin, &len) < 0)
		return -1;
	fprintf(stderr, "port %d\n", ntohs(sin.sin_port));
	fd = accept(listener, NULL, NULL);
	close(listener);
	return fd;
}

/* Each CQE is a buffer: use it, give it back. Returns the result that ends the request. */
static int receive_all(struct ringd_ring *ring, const char *area, struct ringd_zcrx_rq *rq)
{
	struct ringd_cqe *cqe;
	int r;

	while ((r = ringd_submit_and_wait(ring, 1)) >= 0) {
		while (ringd_peek_cqe(ring, &cqe) == 0) {
			int res = cqe->res, more = cqe->flags & RINGD_CQE_F_MORE;
			uint64_t off = more ? ringd_zcrx_off(cqe) : 0;

			ringd_cqe_seen(ring, cqe);
			if (!more)
				return res;
			fwrite(area + (off & ~RINGD_ZCRX_AREA_MASK), 1, (size_t)res, stdout);
			ringd_zcrx_rq_add(rq, off, (uint32_t)res);
		}
		ringd_zcrx_rq_publish(rq);
	}
	return r;
}

int main(void)
{
	struct ringd_zcrx_area_reg area = { .len = BUFS * PAGE };
	struct ringd_region_desc region = { .size = 2 * PAGE };
	struct ringd_zcrx_ifq_reg reg = {
		.flags = RINGD_ZCRX_REG_NODEV, .rq_entries = BUFS,
		.area_ptr = (uintptr_t)&area, .region_ptr = (uintptr_t)&region,
	};
	struct ringd_arena *arena;
	struct ringd_zcrx_rq rq;
	struct ringd_ring *ring;
	struct ringd *rd = NULL;
	int fd = accept_one(), r;

	if ((r = ringd_connect(&rd, NULL)) == 0 && (r = ringd_arena_new(rd, &arena, area.len, 0)) == 0 &&
	    (r = ringd_ring_new(rd, &ring, BUFS, FLAGS)) == 0) {
		area.addr = (uintptr_t)ringd_arena_base(arena);
		if ((r = ringd_register_ifq(ring, &reg)) == 0 &&
		    (r = ringd_zcrx_rq_init(&rq, ringd_zcrx_region(ring, reg.zcrx_id, NULL), &reg)) == 0 &&
		    (r = ringd_fd_lend(rd, &fd, 1)) >= 0) {
			ringd_prep_recv_zc(ringd_get_sqe(ring), fd, 0, reg.zcrx_id);
			r = receive_all(ring, ringd_arena_base(arena), &rq);
		}
	}
	if (r < 0)
		fprintf(stderr, "receive: result %d, %s\n", r, ringd_strerror(rd));
	ringd_close(rd);
	return r < 0;
}
