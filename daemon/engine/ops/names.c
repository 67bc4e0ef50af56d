/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RENAMEAT, UNLINKAT, MKDIRAT, SYMLINKAT, LINKAT. The directory that holds the last component of a path is opened first and
 * looked at; what happens then happens to a name in that very directory, which none of these calls follows any further.
 * The exception is the file a hard link is made to, when links are to be followed: that is opened, too, and linked by
 * its descriptor.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ops.h"
#include "path.h"
#include "../rsrc/stage.h"

/* What every one of them asks for. paths: how many name[] have, all but a symbolic link's target to be resolved. */
static int names_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_names *names = &req->names;

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	if (sqe->flags & RINGD_SQE_FIXED_FILE)
		return -EBADF;
	*names = (struct rd_names){ .nr = 1 };
	names->name[0].dirfd = sqe->fd;
	names->name[1].dirfd = (int32_t)sqe->len;
	return 0;
}

static int copy_path(struct rd_req *req, unsigned int i, uint64_t addr, bool empty_ok)
{
	return rd_path_copy(&req->names.name[i].path, req, addr, empty_ok);
}

/* The second one; without it there is no first either. */
static int copy_second(struct rd_req *req, uint64_t addr)
{
	int r = copy_path(req, 1, addr, false);

	if (r < 0)
		rd_names_cleanup(req);
	return r;
}

static int pair_prep(struct rd_req *req, const struct ringd_sqe *sqe, bool empty_ok)
{
	int r;

	req->names.nr = 2;
	r = copy_path(req, 0, sqe->addr, empty_ok);
	return r < 0 ? r : copy_second(req, sqe->addr2);
}

int rd_renameat_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = names_prep(req, sqe);

	if (r < 0)
		return r;
	req->names.flags = sqe->rename_flags;
	return pair_prep(req, sqe, false);
}

int rd_linkat_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = names_prep(req, sqe);

	if (r < 0)
		return r;
	req->names.flags = sqe->hardlink_flags;
	return pair_prep(req, sqe, sqe->hardlink_flags & AT_EMPTY_PATH);
}

int rd_unlinkat_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r;

	if (sqe->off || sqe->len)
		return -EINVAL;
	r = names_prep(req, sqe);
	if (r < 0)
		return r;
	if (sqe->unlink_flags & ~(uint32_t)AT_REMOVEDIR)
		return -EINVAL;
	req->names.flags = sqe->unlink_flags;
	return copy_path(req, 0, sqe->addr, false);
}

int rd_mkdirat_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r;

	if (sqe->off || sqe->rw_flags)
		return -EINVAL;
	r = names_prep(req, sqe);
	if (r < 0)
		return r;
	req->names.mode = sqe->len;
	return copy_path(req, 0, sqe->addr, false);
}

/* name[0] is the link, name[1] the text it is to hold. */
int rd_symlinkat_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r;

	if (sqe->len || sqe->rw_flags)
		return -EINVAL;
	r = names_prep(req, sqe);
	if (r == 0)
		r = copy_path(req, 0, sqe->addr2, false);
	return r < 0 ? r : copy_second(req, sqe->addr);
}

void rd_names_cleanup(struct rd_req *req)
{
	for (unsigned int i = 0; i < RD_ARRAY_SIZE(req->names.name); i++) {
		struct rd_name *name = &req->names.name[i];

		name->path = rd_stage_free(name->path);
		name->at_mem = rd_mem_put(name->at_mem);
	}
}

int rd_names(struct rd_req *req, unsigned int issue_flags)
{
	for (unsigned int i = 0; i < req->names.nr; i++) {
		struct rd_name *name = &req->names.name[i];
		struct rd_mem *owner = NULL;

		name->at = rd_path_at(req, name->dirfd, name->path, 0, &owner);
		if (name->at < 0 && name->at != AT_FDCWD) {
			req->res = name->at;
			return RD_DONE;
		}
		name->at_mem = rd_mem_get(owner);
	}
	return RD_PUNT;
}

/* --- worker --- */

static void set_result(struct rd_req *req, int r)
{
	req->res = r < 0 ? -errno : 0;
}

/* The place of the one name that is made or removed. */
static int find_place(struct rd_req *req, struct rd_place *place)
{
	const struct rd_name *name = &req->names.name[0];
	int r = rd_path_place(place, name->at, name->path);

	if (r < 0)
		req->res = r;
	return r;
}

/* In the client's own process the calls are made as they are: who asks is who opens. */
static const struct rd_name *at_home(const struct rd_req *req)
{
	return rd_at_home(req) ? req->names.name : NULL;
}

void rd_unlinkat_work(struct rd_req *req)
{
	RD_PLACE struct rd_place place = RD_PLACE_INIT;
	const struct rd_name *name = at_home(req);

	if (name)
		set_result(req, unlinkat(name->at, name->path, (int)req->names.flags));
	else if (find_place(req, &place) == 0)
		set_result(req, unlinkat(place.at, place.name, (int)req->names.flags));
}

void rd_mkdirat_work(struct rd_req *req)
{
	RD_PLACE struct rd_place place = RD_PLACE_INIT;
	const struct rd_name *name = at_home(req);

	if (name)
		set_result(req, mkdirat(name->at, name->path, (mode_t)req->names.mode));
	else if (find_place(req, &place) == 0)
		set_result(req, mkdirat(place.at, place.name, (mode_t)req->names.mode));
}

void rd_symlinkat_work(struct rd_req *req)
{
	RD_PLACE struct rd_place place = RD_PLACE_INIT;
	const struct rd_name *name = at_home(req);

	if (name)
		set_result(req, symlinkat(name[1].path, name->at, name->path));
	else if (find_place(req, &place) == 0)
		set_result(req, symlinkat(req->names.name[1].path, place.at, place.name));
}

void rd_renameat_work(struct rd_req *req)
{
	RD_PLACE struct rd_place from = RD_PLACE_INIT, to = RD_PLACE_INIT;
	const struct rd_name *name = req->names.name;
	int r;

	/* before anything is looked for, as the kernel does it */
	if (req->names.flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) {
		req->res = -EINVAL;
		return;
	}
	if (rd_at_home(req)) {
		set_result(req, renameat2(name[0].at, name[0].path, name[1].at, name[1].path, req->names.flags));
		return;
	}
	r = rd_path_place(&from, name[0].at, name[0].path);
	if (r == 0)
		r = rd_path_place(&to, name[1].at, name[1].path);
	if (r < 0)
		req->res = r;
	else
		set_result(req, renameat2(from.at, from.name, to.at, to.name, req->names.flags));
}

/* A link to what fd is, which we opened ourselves: before Linux 6.10 that is no reason to let us, but procfs does. */
static int link_descriptor(int fd, const struct rd_place *to)
{
	char path[RD_PATH_FD];

	if (linkat(fd, "", to->at, to->name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	rd_path_fd(path, fd);
	return linkat(AT_FDCWD, path, to->at, to->name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static bool ends_with_slash(const char *path)
{
	size_t len = strlen(path);

	return len && path[len - 1] == '/';
}

/* Where the path leads in the end. With a slash behind it, it must be a directory (which then cannot be linked). */
static int link_followed(const struct rd_name *from, const struct rd_place *to)
{
	struct open_how how = { .flags = O_PATH | (ends_with_slash(from->path) ? O_DIRECTORY : 0) };
	RD_CLOSE int fd = rd_path_open(from->at, from->path, &how);

	return fd < 0 ? fd : link_descriptor(fd, to);
}

static int link_named(const struct rd_name *from, const struct rd_place *to)
{
	RD_PLACE struct rd_place place = RD_PLACE_INIT;
	int r = rd_path_place(&place, from->at, from->path);

	if (r < 0)
		return r;
	return linkat(place.at, place.name, to->at, to->name, 0) < 0 ? -errno : 0;
}

/* A descriptor of the client: whether it may be linked is the kernel's to say, who asks by whom it was opened. */
static int link_given(const struct rd_name *from, const struct rd_place *to)
{
	return linkat(from->at, "", to->at, to->name, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

void rd_linkat_work(struct rd_req *req)
{
	RD_PLACE struct rd_place to = RD_PLACE_INIT;
	const struct rd_name *name = req->names.name;
	int r;

	if (req->names.flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) {
		req->res = -EINVAL;
		return;
	}
	if (rd_at_home(req)) {
		set_result(req, linkat(name[0].at, name[0].path, name[1].at, name[1].path, (int)req->names.flags));
		return;
	}
	r = rd_path_place(&to, name[1].at, name[1].path);
	if (r < 0)
		req->res = r;
	else if (!name[0].path[0])
		req->res = link_given(&name[0], &to);
	else if ((req->names.flags & AT_SYMLINK_FOLLOW) || ends_with_slash(name[0].path))
		req->res = link_followed(&name[0], &to);
	else
		req->res = link_named(&name[0], &to);
}
