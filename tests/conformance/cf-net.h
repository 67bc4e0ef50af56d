/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets, buffer rings and SQEs of network operations for conformance tests; everything of the network is on loopback. */
#ifndef RD_TEST_CF_NET_H
#define RD_TEST_CF_NET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cf.h"

#define MORE		RINGD_CQE_F_MORE
#define NONEMPTY	RINGD_CQE_F_SOCK_NONEMPTY
#define NOTIF		RINGD_CQE_F_NOTIF
#define BUF_MORE	RINGD_CQE_F_BUF_MORE
#define LINK		RINGD_SQE_IO_LINK
#define FIXED		RINGD_SQE_FIXED_FILE
#define SELECT		RINGD_SQE_BUFFER_SELECT
#define ALLOC		RINGD_FILE_INDEX_ALLOC

/* --- sockets of the process; each is close-on-exec --- */

void cf_unix_pair(int type, int fd[2]);
/* Listening at a port of its own; addr: where, not NULL. */
int cf_tcp_listener(int backlog, struct sockaddr_in *addr);
int cf_tcp_connect(const struct sockaddr_in *addr);
void cf_tcp_pair(int fd[2]);
/* A bound datagram socket; addr: where, may be NULL. */
int cf_udp(struct sockaddr_in *addr);
/* Two that are connected to each other */
void cf_udp_pair(int fd[2]);
/* A port of loopback where nobody listens. The socket that keeps it from others is returned. */
int cf_closed_port(struct sockaddr_in *addr);
/* A listener whose queue is full: further connects hang. */
int cf_deaf_listener(struct sockaddr_in *addr);

void cf_put(int fd, const char *s);
/* Wait for and take the bytes of s, no more. */
void cf_get(int fd, const char *s);
/* Send what goes without waiting (a pattern that starts at byte at): the bytes. */
size_t cf_fill(int fd, size_t at);
/* Take what is there without waiting, at most max bytes; must be that pattern. */
size_t cf_drain(int fd, size_t at, size_t max);
/* The same until n bytes were there; no more are taken. */
void cf_drain_all(int fd, size_t at, size_t n);
uint8_t cf_pattern(size_t at);
/* Is data such a pattern? */
void cf_is_pattern(const void *data, size_t at, size_t n);
/* Bytes that can be read now */
int cf_readable(int fd);
void cf_set_int(int fd, int level, int name, int value);
int cf_get_int(int fd, int level, int name);

/* --- SQEs --- */

/* op on that descriptor, or on a slot when flags has FIXED_FILE */
struct ringd_sqe *cf_op(struct cf_ring *ring, unsigned int op, uint64_t user_data, unsigned int flags, int fd);
/* With buffer and length */
struct ringd_sqe *cf_xfer(struct cf_ring *ring, unsigned int op, uint64_t user_data, unsigned int flags, int fd, const void *buf,
			  size_t len);
/* A copy of addr is in the ring's memory. */
struct ringd_sqe *cf_connect(struct cf_ring *ring, uint64_t user_data, int fd, const void *addr, size_t len);
void cf_cancel(struct cf_ring *ring, uint64_t user_data, uint64_t key);
struct ringd_sqe *cf_link_timeout(struct cf_ring *ring, uint64_t user_data, uint64_t ns);
/* One SQE is submitted and its CQE, with user_data 0, says so. */
#define cf_give(ring, res, flags)	cf_give_at(__FILE__, __LINE__, ring, res, flags)
void cf_give_at(const char *file, int line, struct cf_ring *ring, int32_t res, uint32_t flags);
/* n SQEs are submitted and nothing comes of them for now. */
void cf_waits(struct cf_ring *ring, unsigned int n);
/* The next CQE has that user_data and a result that is good; it is returned. */
int32_t cf_good(struct cf_ring *ring, uint64_t user_data, uint32_t flags);

/* A msghdr in memory that SQEs may name, with one segment, or none when buf is NULL. */
struct msghdr *cf_msg(void *buf, size_t len);
/* Give it a name of n bytes, a control block of n bytes */
void cf_msg_name(struct msghdr *m, const void *name, size_t n);
void cf_msg_control(struct msghdr *m, size_t n);
struct ringd_sqe *cf_msg_op(struct cf_ring *ring, unsigned int op, uint64_t user_data, unsigned int flags, int fd,
			    const struct msghdr *m);

/* --- a ring of provided buffers: CF_BUFS entries, entry i has bid 100 + i and lies at data + i * CF_BUF_ROOM --- */

#define CF_BG		5
#define CF_BUFS		8u
#define CF_BUF_ROOM	1024u

struct cf_bufs {
	struct ringd_buf *ring;
	char *data;
	uint16_t tail;
};

/* size bytes each, n of them provided; flags RINGD_PBUF_RING_INC. Skips where the kernel does not know the flags. */
void cf_bufs_new(struct cf_ring *ring, struct cf_bufs *b, uint16_t flags, uint32_t size, uint16_t n);
/* The next n entries are provided, as they are. */
void cf_bufs_add(struct cf_bufs *b, uint16_t n);
char *cf_buf(const struct cf_bufs *b, unsigned int i);
int cf_bufs_unregister(struct cf_ring *ring);
/* Heads that were given away */
#define cf_head_is(ring, head)	ck_assert_int_eq(cf_bufs_head(ring), head)
int cf_bufs_head(struct cf_ring *ring);
static inline uint32_t cf_used(unsigned int i)
{
	return RINGD_CQE_F_BUFFER | (100 + i) << RINGD_CQE_BUFFER_SHIFT;
}
/* A RECV or SEND that selects from the group */
struct ringd_sqe *cf_select(struct cf_ring *ring, unsigned int op, uint64_t user_data, int fd, unsigned int len, unsigned int ioprio);
/* A classic group of n buffers of size bytes, bid 100 + i at data + i * size */
char *cf_classic_new(struct cf_ring *ring, uint32_t size, int n);

#endif
