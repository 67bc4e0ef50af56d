/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory that relative paths of a client start from. Requests in flight go on with the one they were issued with, so
 * it is counted like memory. It is the client's own O_PATH descriptor: it conveys no right but to start there.
 *
 * The engine's umask is 0, because the umask is the client's: its library has applied it to every mode it sends.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "../rsrc/file.h"
#include "session.h"

struct rd_cwd {
	struct rd_mem mem;
	struct rd_service *service;
	int fd;
	struct rd_charge charge;
};

static void cwd_release(struct rd_mem *mem)
{
	struct rd_cwd *cwd = RD_CONTAINER_OF(mem, struct rd_cwd, mem);

	rd_charge_give(&cwd->charge);
	rd_closer_close(cwd->service, NULL, &cwd->fd, 1);
	free(cwd);
}

/* Asks the kernel only, no file system: a FUSE server could keep us waiting. */
static bool is_path_directory(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct statx st;

	if (flags < 0 || !(flags & O_PATH))
		return false;
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 && S_ISDIR(st.stx_mode);
}

int rd_cwd_set(struct rd_session *session, struct rd_packet *p)
{
	struct rd_cwd *cwd;

	if (session->flags & RD_CLIENT_NO_PATHS)
		return rd_refuse(session, -EPERM, "the client's mount namespace or root is not the engine's: no paths");
	if (!is_path_directory(p->fds[0]))
		return rd_refuse(session, -ENOTDIR, "the working directory must be an O_PATH descriptor of a directory");
	cwd = calloc(1, sizeof(*cwd));
	if (!cwd)
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	if (rd_charge_take(&cwd->charge, &session->service->engine.user, RINGD_LIMIT_FILES, 1) < 0) {
		free(cwd);
		return rd_refuse_budget(session, RINGD_LIMIT_FILES, 1);
	}
	cwd->mem = (struct rd_mem){ .refs = 1, .release = cwd_release };
	cwd->service = session->service;
	cwd->fd = rd_steal_fd(&p->fds[0]);
	rd_cwd_drop(session);
	session->cwd = cwd;
	return rd_session_answer_res(session, 0);
}

void rd_cwd_drop(struct rd_session *session)
{
	if (session->cwd)
		rd_mem_put(&session->cwd->mem);
	session->cwd = NULL;
}

/*
 * A lent directory that paths start from. The session holds the last one, requests hold what they use: so one that is
 * looked up and not used needs nobody to give it back.
 */
struct rd_start {
	struct rd_mem mem;
	struct rd_file *file;
};

static void start_release(struct rd_mem *mem)
{
	struct rd_start *start = RD_CONTAINER_OF(mem, struct rd_start, mem);

	rd_file_put(start->file);
	free(start);
}

void rd_start_drop(struct rd_session *session, const struct rd_file *file)
{
	if (session->start && (!file || session->start->file == file))
		rd_mem_put(&((struct rd_start *)rd_steal_ptr(&session->start))->mem);
}

static int start_at(struct rd_session *session, int dirfd, struct rd_mem **owner)
{
	struct rd_file *file;
	int r = rd_lent_file(&session->host, dirfd, &file);

	if (r < 0)
		return r;
	if (session->start && session->start->file == file) {
		rd_file_put(file);
	} else {
		rd_start_drop(session, NULL);
		session->start = calloc(1, sizeof(*session->start));
		if (!session->start) {
			rd_file_put(file);
			return -ENOMEM;
		}
		session->start->mem = (struct rd_mem){ .refs = 1, .release = start_release };
		session->start->file = file;
	}
	*owner = &session->start->mem;
	return session->start->file->fd;
}

/* host->dirfd. The working directory, or a lent one. */
int rd_cwd_dirfd(struct rd_host *host, int dirfd, struct rd_mem **owner)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);

	if (session->flags & RD_CLIENT_NO_PATHS)
		return -EPERM;
	if (dirfd != AT_FDCWD)
		return start_at(session, dirfd, owner);
	if (!session->cwd)
		return AT_FDCWD;	/* nothing was set: the engine's own, the root directory */
	*owner = &session->cwd->mem;
	return session->cwd->fd;
}
