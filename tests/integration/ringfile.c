/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringfile cat FILE | create FILE | owner FILE: by path, so that it is the engine that opens. Prints what it read, or
 * the uid and gid that STATX told; a failure is told on standard error and is status 1.
 * ringfile dial ADDRESS | bind ADDRESS: by a socket of the engine's, in a slot.
 * ringfile listen ADDRESS: without ringd. Prints "listening", or the port, and then who was the first to connect.
 * An ADDRESS is a path, @NAME for an abstract one, or the PORT of 127.0.0.1.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <ringd.h>

static struct ringd *rd;
static struct ringd_ring *ring;
static struct ringd_arena *arena;

static int result(void)
{
	struct ringd_cqe *cqe;
	int r = ringd_submit_and_wait(ring, 1);

	if (r < 0 || (r = ringd_peek_cqe(ring, &cqe)) < 0)
		return r;
	r = cqe->res;
	ringd_cqe_seen(ring, cqe);
	return r;
}

static int set_up(void)
{
	int r = ringd_connect(&rd, NULL);

	if (r == 0)
		r = ringd_ring_new(rd, &ring, 8, 0);
	if (r == 0)
		r = ringd_arena_new(rd, &arena, 65536, 0);
	if (r == 0)
		r = ringd_register_files_sparse(ring, 1);
	return r;
}

static int cat(const char *path)
{
	struct ringd_sqe *sqe;
	int r;

	ringd_prep_openat_direct(ring, ringd_get_sqe(ring), AT_FDCWD, path, O_RDONLY, 0, 0);
	r = result();
	if (r < 0)
		return r;
	sqe = ringd_get_sqe(ring);
	ringd_prep_read(sqe, 0, ringd_arena_base(arena), 65536, 0);
	ringd_sqe_set_flags(sqe, RINGD_SQE_FIXED_FILE);
	r = result();
	if (r >= 0)
		fwrite(ringd_arena_base(arena), 1, (size_t)r, stdout);
	return r;
}

static int create(const char *path)
{
	ringd_prep_openat_direct(ring, ringd_get_sqe(ring), AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0666, 0);
	return result();
}

static int owner(const char *path)
{
	struct statx *sx = ringd_arena_base(arena);
	int r;

	ringd_prep_statx(ring, ringd_get_sqe(ring), AT_FDCWD, path, 0, STATX_BASIC_STATS, sx);
	r = result();
	if (r == 0)
		printf("owner %u:%u\n", sx->stx_uid, sx->stx_gid);
	return r;
}

static union {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_un un;
} addr;

static socklen_t parse_address(const char *text)
{
	if (text[0] >= '0' && text[0] <= '9') {
		addr.in.sin_family = AF_INET;
		addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		addr.in.sin_port = htons((uint16_t)atoi(text));
		return sizeof(addr.in);
	}
	addr.un.sun_family = AF_UNIX;
	snprintf(addr.un.sun_path, sizeof(addr.un.sun_path), "%s", text);
	if (text[0] == '@')
		addr.un.sun_path[0] = 0;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text));
}

static int with_socket(const char *address, bool dial)
{
	socklen_t len = parse_address(address);
	struct ringd_sqe *sqe;
	int r;

	ringd_prep_socket_direct(ringd_get_sqe(ring), addr.sa.sa_family, SOCK_STREAM, 0, 0, 0);
	r = result();
	if (r < 0)
		return r;
	sqe = ringd_get_sqe(ring);
	if (dial)
		ringd_prep_connect(ring, sqe, 0, &addr.sa, len);
	else
		ringd_prep_bind(ring, sqe, 0, &addr.sa, len);
	ringd_sqe_set_flags(sqe, RINGD_SQE_FIXED_FILE);
	return result();
}

static int serve_one(const char *address)
{
	socklen_t len = parse_address(address);
	struct ucred cred = { 0 };
	int fd = socket(addr.sa.sa_family, SOCK_STREAM, 0);

	if (bind(fd, &addr.sa, len) < 0 || listen(fd, 1) < 0)
		return 1;
	len = sizeof(addr);
	getsockname(fd, &addr.sa, &len);
	if (addr.sa.sa_family == AF_INET)
		printf("%u\n", ntohs(addr.in.sin_port));
	else
		printf("listening\n");
	fflush(stdout);
	fd = accept(fd, NULL, NULL);
	len = sizeof(cred);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return 1;
	printf("peer %d:%d\n", (int)cred.uid, (int)cred.gid);
	return 0;
}

static int command(const char *name, const char *arg)
{
	if (!strcmp(name, "cat"))
		return cat(arg);
	if (!strcmp(name, "create"))
		return create(arg);
	if (!strcmp(name, "owner"))
		return owner(arg);
	return with_socket(arg, !strcmp(name, "dial"));
}

int main(int argc, char **argv)
{
	int r;

	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "listen"))
		return serve_one(argv[2]);
	r = set_up();
	if (r == 0)
		r = command(argv[1], argv[2]);
	if (r < 0)
		fprintf(stderr, "ringfile: %s%s%s\n", strerror(-r), rd ? ": " : "", rd ? ringd_strerror(rd) : "");
	ringd_close(rd);
	return r < 0;
}
