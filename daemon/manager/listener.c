/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening socket: given by systemd or made here. A socket file that nobody listens on is replaced. */
#include "listener.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "daemon/common/log.h"
#include "daemon/common/util.h"
#include "proto/wire.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83	/* Linux 6.16 */
#endif

static int address(struct sockaddr_un *sa, const char *path)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sa->sun_path)) {
		rd_error("the socket's path is too long: %s", path);
		return -ENAMETOOLONG;
	}
	strcpy(sa->sun_path, path);
	return 0;
}

/* Makes room for our socket: 0: nothing there any more. */
static int remove_stale(const struct sockaddr_un *sa)
{
	RD_CLOSE int fd = -1;
	struct stat st;

	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		rd_error("%s is there and is no socket", sa->sun_path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno != ECONNREFUSED) {
		rd_error("somebody listens on %s already", sa->sun_path);
		return -EADDRINUSE;
	}
	return unlink(sa->sun_path) < 0 ? -errno : 0;
}

static int make_socket(struct rd_listener *l, const char *dir, mode_t mode)
{
	struct sockaddr_un sa;
	int r;

	if (asprintf(&l->path, "%s/" RINGD_SOCKET_NAME, dir) < 0) {
		l->path = NULL;
		return -ENOMEM;
	}
	r = address(&sa, l->path);
	if (r == 0)
		r = remove_stale(&sa);
	if (r == 0) {
		l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (l->fd < 0)
			r = -errno;
	}
	if (r == 0) {
		/* closed to all until its mode is right; the directory is ours, so nobody can put another in its place */
		mode_t old = umask(0777);

		if (bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
			r = -errno;
		umask(old);
	}
	if (r < 0) {
		free(l->path);	/* not ours to unlink */
		l->path = NULL;
		return r;
	}
	if (chmod(l->path, mode) < 0 || listen(l->fd, SOMAXCONN) < 0)
		return -errno;
	return 0;
}

/* The socket of ringd.socket. 0: there is none. */
static int adopt_socket(struct rd_listener *l)
{
	int n = sd_listen_fds(1);

	if (n <= 0)
		return n;
	if (n > 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_SEQPACKET, 1, NULL, 0) <= 0) {
		rd_error("systemd passed something else than one listening SOCK_SEQPACKET socket");
		return -EINVAL;
	}
	l->fd = SD_LISTEN_FDS_START;
	if (fcntl(l->fd, F_SETFL, fcntl(l->fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	return 1;
}

int rd_listener_init(struct rd_listener *l, const char *dir, mode_t mode)
{
	int r, off = 0;

	*l = (struct rd_listener){ .fd = -1 };
	r = adopt_socket(l);
	if (r == 0) {
		r = make_socket(l, dir, mode);
		if (r < 0)
			rd_error("cannot listen in %s: %s", dir, strerror(-r));
	}
	if (r < 0)
		return r;
	/*
	 * Connections inherit it: until a client is handed to its engine the kernel refuses descriptors for us, so none
	 * wait in a queue. Older kernels cannot; there a HELLO with descriptors is dropped when it is read.
	 */
	(void)setsockopt(l->fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
	return 0;
}

void rd_listener_deinit(struct rd_listener *l)
{
	if (l->path)
		unlink(l->path);
	free(l->path);
	rd_close(l->fd);
	*l = (struct rd_listener){ .fd = -1 };
}
